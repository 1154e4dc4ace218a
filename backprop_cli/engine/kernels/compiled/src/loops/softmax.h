/* Softmax over rows, and the cross-entropy of one class a row. */

SMALL real FN(largest)(const real *x, int64_t size) {
    real lanes[LANES], largest = x[0];
    const int64_t whole = size / LANES * LANES;
    EACH(i, 0, LANES) lanes[i] = largest;
    for (int64_t k = 0; k < whole; k += LANES) EACH(i, 0, LANES) lanes[i] = x[k + i] > lanes[i] ? x[k + i] : lanes[i];
    for (int64_t half = LANES / 2; half > 0; half /= 2)
        EACH(i, 0, half) lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
#pragma omp simd reduction(max : largest)
    for (int64_t k = whole; k < size; k++) largest = x[k] > largest ? x[k] : largest;
    return lanes[0] > largest ? lanes[0] : largest;
}

/* not inlined, which keeps the library small */
__attribute__((noinline)) LOOP FN(softmax_row)(const real *x, real *y, int64_t size) {
    const real largest = FN(largest)(x, size);
    SUM(total, k, size, y[k] = FN(exp)(x[k] - largest))
    const real inverse = R(1) / total;
    EACH(k, 0, size) y[k] *= inverse;
}

/* x (n, K), y */
BY_ROWS(softmax, SIZE(0, 0), 8 * c->a[0].size) {
    for (int64_t n = low; n < high; n++) FN(softmax_row)(ROW(0, n), ROW(1, n), SIZE(0, 1));
}

/* log p of one class a row: z (n, K), p, places (n,) in the flattened p, chosen (n,). As z - max z + log p_max, which
 * no underflow can touch. */
LOOP FN(class_log)(const Call *c) {
    const int64_t *places = c->a[2].data, width = SIZE(0, 1);
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *z = ROW(0, n), *p = ROW(1, n);
        int64_t best = 0;
        for (int64_t k = 1; k < width; k++) best = z[k] > z[best] ? k : best;
        const int64_t at = smaller(larger(places[n] - n * width, 0), width - 1);
        DATA(3)[n] = z[at] - z[best] + LOG(p[best]);
    }
}

/* dz = (p - t)/n: p (n, K), places, dz */
LOOP FN(class_slope)(const Call *c) {
    const int64_t *places = c->a[1].data, width = SIZE(0, 1);
    const real scale = R(1.0 / (double)SIZE(0, 0));
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *restrict p = ROW(0, n);
        real *restrict dz = ROW(2, n);
        EACH(k, 0, width) dz[k] = p[k] * scale;
        const int64_t at = smaller(larger(places[n] - n * width, 0), width - 1);
        dz[at] = (p[at] - 1) * scale;
    }
}
