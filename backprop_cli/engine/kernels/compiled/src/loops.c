/* The loops for float32 and float64, on x86-64 for three kinds of processor, of which bp_start takes the best. Each
 * function has its processor as an attribute: a flag for the whole file would also reach what other headers bring. */
#include "bp.h"

#include <math.h>
#include <string.h>

#define TYPE f32
#define WIDE 0
#define real float
#define SQRT sqrtf
#define LOG logf
#define ABS fabsf
#define COPYSIGN copysignf
#include "processors.h"
#undef TYPE
#undef WIDE
#undef real
#undef SQRT
#undef LOG
#undef ABS
#undef COPYSIGN

#define TYPE f64
#define WIDE 1
#define real double
#define SQRT sqrt
#define LOG log
#define ABS fabs
#define COPYSIGN copysign
#include "processors.h"

Run *const *bp_loops[2];
const Link *bp_links[2];

/* Choose the loops for this processor, at most of this level: 0 for any, 1 AVX2, 2 AVX-512. Returns the level. */
int64_t bp_start(int64_t most) {
    int64_t level = 0;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) level = 1;
    if (level && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        level = 2;
    level = smaller(level, most);
    bp_loops[0] = level == 2 ? loops_f32_avx512 : level == 1 ? loops_f32_avx2 : loops_f32_any;
    bp_loops[1] = level == 2 ? loops_f64_avx512 : level == 1 ? loops_f64_avx2 : loops_f64_any;
    bp_links[0] = level == 2 ? links_f32_avx512 : level == 1 ? links_f32_avx2 : links_f32_any;
    bp_links[1] = level == 2 ? links_f64_avx512 : level == 1 ? links_f64_avx2 : links_f64_any;
#else
    (void)most;
    bp_loops[0] = loops_f32_any, bp_links[0] = links_f32_any;
    bp_loops[1] = loops_f64_any, bp_links[1] = links_f64_any;
#endif
    return level;
}
