/* What the loops are written in: `real` is the type of numbers (TYPE its name), FN a name for this type and
 * PROCESSOR, TARGET the processor's attribute. This file and the others in here are included once for each of them, by loops.c. */

#define FN_(name, type, processor) name##_##type##_##processor
#define FN__(name, type, processor) FN_(name, type, processor)
#define FN(name) FN__(name, TYPE, PROCESSOR)
#define R(number) ((real)(number))
#define LOOP TARGET static void
#define ONCE __attribute__((noinline)) /* keeps the library small where a function is called in several places */
#define LOOP_OF(type) TARGET static type
#define SMALL TARGET static inline __attribute__((always_inline))

/* A loop whose turns do not depend on each other: arrays are the same or apart. */
#define EACH(i, from, to) _Pragma("omp simd") for (int64_t i = from; i < (to); i++)

/* Row n of array i of call c. */
#define ROW(i, n) ((real *)c->a[i].data + (n)*c->a[i].step[0])
#define ROW3(i, n, m) (ROW(i, n) + (m)*c->a[i].step[1])
#define DATA(i) ((real *)c->a[i].data)
#define SIZE(i, axis) (c->a[i].shape[axis])

#define LANES ((int64_t)(VECTOR / sizeof(real))) /* numbers in a register */

/* `total`: the sum of `term` for k from 0 to size - 1, each lane of a register by itself, then the lanes in pairs. Compilers
 * add lanes one after the other, which takes longer than a short row itself. */
#define SUM(total, k, size, term)                                                                                   \
    real total;                                                                                                     \
    {                                                                                                               \
        real lanes[LANES] = {0};                                                                                    \
        const int64_t whole = (size) / LANES * LANES;                                                               \
        for (int64_t first = 0; first < whole; first += LANES)                                                      \
            EACH(lane, 0, LANES) {                                                                                  \
                const int64_t k = first + lane;                                                                     \
                lanes[lane] += (term);                                                                              \
            }                                                                                                       \
        FN(add_lanes)(lanes);                                                                                       \
        real others = 0;                                                                                            \
        _Pragma("omp simd reduction(+ : others)") for (int64_t k = whole; k < (size); k++) others += (term);        \
        total = lanes[0] + others;                                                                                  \
    }

/* A kernel over rows low to high - 1, which do not depend on each other; many are cut into shares. */
#define BY_ROWS(name, rows, numbers)                                                                                \
    ONCE LOOP FN(name##_rows)(const Call *c, int64_t low, int64_t high);                                            \
    LOOP FN(name##_share)(const Call *c, int64_t part, int64_t parts) {                                             \
        int64_t low, high;                                                                                          \
        cut((rows), part, parts, &low, &high);                                                                      \
        if (low < high) FN(name##_rows)(c, low, high);                                                              \
    }                                                                                                               \
    LOOP FN(name)(const Call *c) {                                                                                  \
        const int64_t parts = free_shares_of((rows), (numbers));                                                    \
        if (parts == 1)                                                                                             \
            FN(name##_rows)(c, 0, (rows));                                                                          \
        else                                                                                                        \
            bp_share(FN(name##_share), c, parts);                                                                   \
    }                                                                                                               \
    LOOP FN(name##_rows)(const Call *c, int64_t low, int64_t high)

/* A kernel over images in SHARES: what comes first, name_images for each share, what comes last. */
#define BY_IMAGES(name, count, first, last)                                                                         \
    LOOP FN(name##_share)(const Call *c, int64_t part, int64_t parts) {                                             \
        int64_t low, high;                                                                                          \
        cut((count), part, parts, &low, &high);                                                                     \
        if (low < high) FN(name##_images)(c, part, low, high, (count));                                             \
    }                                                                                                               \
    LOOP FN(name)(const Call *c) {                                                                                  \
        first;                                                                                                      \
        bp_share(FN(name##_share), c, SHARES);                                                                      \
        last;                                                                                                       \
    }

SMALL void FN(add_lanes)(real *lanes) {
    for (int64_t half = LANES / 2; half > 0; half /= 2) EACH(i, 0, half) lanes[i] += lanes[i + half];
}

SMALL void FN(clear)(real *out, int64_t size) {
    EACH(i, 0, size) out[i] = 0;
}

/* out = what the shares have summed, `step` numbers apart, in order. */
LOOP FN(add_up)(const real *sums, int64_t step, int64_t parts, real *restrict out, int64_t size) {
    EACH(i, 0, size) out[i] = sums[i];
    for (int64_t part = 1; part < parts; part++) {
        const real *restrict some = sums + part * step;
        EACH(i, 0, size) out[i] += some[i];
    }
}
