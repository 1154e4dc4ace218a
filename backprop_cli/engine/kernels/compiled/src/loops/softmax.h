/* Softmax over rows, the cross-entropy of one class a row, attention scores, and the normal distribution. */

SMALL void FN(softmax_row)(const real *x, real *y, int64_t size) {
    real largest = x[0], total = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t k = 1; k < size; k++) largest = x[k] > largest ? x[k] : largest;
#pragma omp simd reduction(+ : total)
    for (int64_t k = 0; k < size; k++) {
        const real value = FN(exp)(x[k] - largest);
        y[k] = value;
        total += value;
    }
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

/* scores (N, heads, T, S), contiguous, in place */
BY_ROWS(attention_softmax, c->a[0].size / SIZE(0, 3), 8 * c->a[0].size) {
    for (int64_t n = low; n < high; n++) {
        real *row = DATA(0) + n * SIZE(0, 3);
        FN(softmax_row)(row, row, SIZE(0, 3));
    }
}

/* a, b (N, heads, T, d), out (N, heads, T, 1), contiguous */
BY_ROWS(row_dots, SIZE(0, 0), c->a[0].size) {
    real *out = DATA(2) + low * SIZE(0, 1) * SIZE(0, 2);
    for (int64_t n = low; n < high; n++)
        for (int64_t h = 0; h < SIZE(0, 1); h++)
            for (int64_t t = 0; t < SIZE(0, 2); t++) {
                const real *restrict a = ROW3(0, n, h) + t * c->a[0].step[2];
                const real *restrict b = ROW3(1, n, h) + t * c->a[1].step[2];
                real total = 0;
#pragma omp simd reduction(+ : total)
                for (int64_t k = 0; k < SIZE(0, 3); k++) total += a[k] * b[k];
                *out++ = total;
            }
}

/* dp = p (dp - dot): p, dp (N, heads, T, S), dot (N, heads, T, 1) */
BY_ROWS(attention_softmax_backward, c->a[0].size / SIZE(0, 3), c->a[0].size) {
    const int64_t width = SIZE(0, 3);
    for (int64_t n = low; n < high; n++) {
        const real *restrict p = DATA(0) + n * width;
        real *restrict dp = DATA(1) + n * width;
        const real mean = DATA(2)[n];
        EACH(k, 0, width) dp[k] = (dp[k] - mean) * p[k];
    }
}

/* x, Phi(x), contiguous. Hart et al. 1968, as in the reference. */
BY_ROWS(normal_cdf, c->a[0].size, 16 * c->a[0].size) {
    const real *restrict x = DATA(0);
    real *restrict out = DATA(1);
    EACH(i, low, high) {
        real z = ABS(x[i]);
        z = z > R(40) ? R(40) : z; /* NaN stays */
        real p = R(0.0352624965998911) * z + R(0.700383064443688);
        p = p * z + R(6.37396220353165);
        p = p * z + R(33.912866078383);
        p = p * z + R(112.079291497871);
        p = p * z + R(221.213596169931);
        p = p * z + R(220.206867912376);
        real q = R(0.0883883476483184) * z + R(1.75566716318264);
        q = q * z + R(16.064177579207);
        q = q * z + R(86.7807322029461);
        q = q * z + R(296.564248779674);
        q = q * z + R(637.333633378831);
        q = q * z + R(793.826512519948);
        q = q * z + R(440.413735824752);
        const real tail = p / q * FN(exp)(R(-0.5) * z * z);
        out[i] = x[i] > 0 ? R(1) - tail : tail;
    }
}
