/* One number per channel against an array (n, S, C): a[0] the array, a[1] the numbers; a last array (S, C) is scratch
 * memory for the sums of the shares. */

BY_ROWS(add_channels, SIZE(0, 0), c->a[0].size) {
    const real *restrict b = DATA(1);
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            real *restrict y = ROW3(0, n, s);
            EACH(k, 0, SIZE(0, 2)) y[k] += b[k];
        }
}

BY_ROWS(add_channels_relu, SIZE(0, 0), c->a[0].size) {
    const real *restrict b = DATA(1);
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            real *restrict y = ROW3(0, n, s);
            EACH(k, 0, SIZE(0, 2)) {
                const real value = y[k] + b[k];
                y[k] = value < 0 ? R(0) : value; /* NaN stays */
            }
        }
}

LOOP FN(sum_channels_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    real *restrict sums = ROW(2, part);
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(sums, SIZE(0, 2));
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict y = ROW3(0, n, s);
            EACH(k, 0, SIZE(0, 2)) sums[k] += y[k];
        }
}

LOOP FN(sum_channels)(const Call *c) {
    const int64_t parts = smaller(shares_of(SIZE(0, 0), c->a[0].size), larger(1, SIZE(2, 0)));
    bp_share(FN(sum_channels_share), c, parts);
    FN(add_up)(DATA(2), c->a[2].step[0], parts, DATA(1), SIZE(0, 2));
}

LOOP FN(channels_relu_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    real *restrict sums = ROW(3, part);
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(sums, SIZE(0, 2));
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict y = ROW3(0, n, s);
            real *restrict dy = ROW3(1, n, s);
            EACH(k, 0, SIZE(0, 2)) {
                const real value = y[k] > 0 ? dy[k] : R(0);
                dy[k] = value;
                sums[k] += value;
            }
        }
}

LOOP FN(channels_relu_gradient)(const Call *c) {
    const int64_t parts = smaller(shares_of(SIZE(0, 0), c->a[0].size), larger(1, SIZE(3, 0)));
    bp_share(FN(channels_relu_gradient_share), c, parts);
    FN(add_up)(DATA(3), c->a[3].step[0], parts, DATA(2), SIZE(0, 2));
}
