/* The loops of one type for each kind of processor. No include guard: loops.c includes this for each type. */
#define PROCESSOR any
#define TARGET
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#ifdef __x86_64__
#define PROCESSOR avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#define PROCESSOR avx512
#ifdef __clang__ /* has another name for it */
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), min_vector_width(512)))
#else
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")))
#endif
#include "loops.h"
#undef PROCESSOR
#undef TARGET
#endif
