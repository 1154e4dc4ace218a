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

/* A few channels of an image, from number k on: their sums stay in registers. */
SMALL void FN(relu_slopes)(const Call *c, int64_t n, int64_t k, real *sums, const int vectors) {
    const real *y = ROW(0, n) + k;
    real *dy = ROW(1, n) + k;
    FN(Vector) total[2];
    EVERY(v, vectors) total[v] = LOAD(sums + k + v * LANES);
    for (int64_t s = 0; s < SIZE(0, 1); s++, y += c->a[0].step[1], dy += c->a[1].step[1])
        EVERY(v, vectors) {
            const FN(Vector) value = FN(where)(LOAD(y + v * LANES) > 0, LOAD(dy + v * LANES));
            STORE(dy + v * LANES) = value;
            total[v] += value;
        }
    EVERY(v, vectors) STORE(sums + k + v * LANES) = total[v];
}

/* Images low to high - 1 of a share, whose first is `first`. */
LOOP FN(channels_relu_gradient_some)(const Call *c, int64_t part, int64_t first, int64_t low, int64_t high) {
    real *sums = ROW(3, part);
    const int64_t width = SIZE(0, 2);
    if (low == first) FN(clear)(sums, width);
    for (int64_t n = low; n < high; n++) {
        int64_t k = 0;
        for (; k + WIDTH <= width; k += WIDTH) FN(relu_slopes)(c, n, k, sums, 2);
        for (; k + LANES <= width; k += LANES) FN(relu_slopes)(c, n, k, sums, 1);
        for (int64_t s = 0; s < SIZE(0, 1) && k < width; s++)
            for (int64_t i = k; i < width; i++) {
                real *dy = ROW3(1, n, s) + i;
                *dy = ROW3(0, n, s)[i] > 0 ? *dy : R(0);
                sums[i] += *dy;
            }
    }
}

LOOP FN(channels_relu_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(channels_relu_gradient_some)(c, part, low, low, high);
}

LOOP FN(channels_relu_gradient_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {
    int64_t first, last;
    cut(total, part, SHARES, &first, &last);
    FN(channels_relu_gradient_some)(c, part, first, low, high);
}

LOOP_OF(int64_t) FN(channels_relu_gradient_parts)(const Call *c) {
    return smaller(shares_of(SIZE(0, 0), c->a[0].size), larger(1, SIZE(3, 0)));
}

LOOP FN(channels_relu_gradient_end)(const Call *c) {
    FN(add_up)(DATA(3), c->a[3].step[0], FN(channels_relu_gradient_parts)(c), DATA(2), SIZE(0, 2));
}

LOOP_OF(int64_t) FN(channels_relu_gradient_at_once)(const Call *c) {
    return FN(channels_relu_gradient_parts)(c) == SHARES;
}

LOOP FN(channels_relu_gradient)(const Call *c) {
    bp_share(FN(channels_relu_gradient_share), c, FN(channels_relu_gradient_parts)(c));
    FN(channels_relu_gradient_end)(c);
}
