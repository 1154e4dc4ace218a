/* Registers, for loops that compilers make slow: over as few numbers as channels often are. */

typedef real FN(Vector) __attribute__((vector_size(VECTOR), aligned(_Alignof(real)), may_alias));
#if WIDE
typedef int64_t FN(Mask) __attribute__((vector_size(VECTOR)));
#else
typedef int32_t FN(Mask) __attribute__((vector_size(VECTOR)));
#endif

#define EVERY(i, size) _Pragma("GCC unroll 8") for (int i = 0; i < (size); i++)
#define LOAD(from) (*(const FN(Vector) *)(from))
#define STORE(to) (*(FN(Vector) *)(to))

/* x where the mask is set, else 0 */
SMALL FN(Vector) FN(where)(FN(Mask) mask, FN(Vector) x) { return (FN(Vector))(mask & (FN(Mask))x); }

/* x where it is not, else 0 */
SMALL FN(Vector) FN(except)(FN(Mask) mask, FN(Vector) x) { return (FN(Vector))(~mask & (FN(Mask))x); }

/* The larger of two numbers; NaN stays. */
SMALL FN(Vector) FN(winners)(FN(Vector) a, FN(Vector) b) {
    const FN(Mask) first = (a >= b) | (a != a);
    return (FN(Vector))((first & (FN(Mask))a) | (~first & (FN(Mask))b));
}
