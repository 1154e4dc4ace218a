/* The loops of one type for each kind of processor. No include guard: loops.c includes this for each type. VECTOR:
 * bytes of a register; TALL: rows of a product at a time, so that their sums fit into the registers. */
#define PROCESSOR any
#define TARGET
#define VECTOR 16
#define TALL 6
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#undef VECTOR
#undef TALL
#ifdef __x86_64__
#define PROCESSOR avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR 32
#define TALL 6
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#undef VECTOR
#undef TALL
#define PROCESSOR avx512
#ifdef __clang__ /* has another name for it */
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), min_vector_width(512)))
#else
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")))
#endif
#define VECTOR 64
#define TALL 8
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#undef VECTOR
#undef TALL
#endif
