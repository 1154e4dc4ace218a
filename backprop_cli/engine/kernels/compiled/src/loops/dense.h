/* Bias and ReLU of a matrix product's rows, and their gradients: a[0] rows, a[1] bias. */

BY_ROWS(add_bias, SIZE(0, 0), c->a[0].size) {
    const real *restrict b = DATA(1);
    for (int64_t n = low; n < high; n++) {
        real *restrict z = ROW(0, n);
        EACH(o, 0, SIZE(0, 1)) z[o] += b[o];
    }
}

BY_ROWS(add_bias_relu, SIZE(0, 0), c->a[0].size) {
    const real *restrict b = DATA(1);
    for (int64_t n = low; n < high; n++) {
        real *restrict z = ROW(0, n);
        EACH(o, 0, SIZE(0, 1)) {
            const real value = z[o] + b[o];
            z[o] = value < 0 ? R(0) : value; /* NaN stays */
        }
    }
}

/* The gradients sum over rows: the columns are cut. */
LOOP FN(bias_gradient_columns)(const Call *c, int64_t low, int64_t high) {
    real *restrict db = DATA(1);
    FN(clear)(db + low, high - low);
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *restrict dz = ROW(0, n);
        EACH(o, low, high) db[o] += dz[o];
    }
}

LOOP FN(bias_relu_gradient_columns)(const Call *c, int64_t low, int64_t high) {
    real *restrict db = DATA(2);
    FN(clear)(db + low, high - low);
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *restrict y = ROW(0, n);
        real *restrict dy = ROW(1, n);
        EACH(o, low, high) {
            const real value = y[o] > 0 ? dy[o] : R(0);
            dy[o] = value;
            db[o] += value;
        }
    }
}

LOOP FN(bias_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut((SIZE(0, 1) + 15) / 16, part, parts, &low, &high); /* whole cache lines */
    FN(bias_gradient_columns)(c, smaller(16 * low, SIZE(0, 1)), smaller(16 * high, SIZE(0, 1)));
}

LOOP FN(bias_relu_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut((SIZE(0, 1) + 15) / 16, part, parts, &low, &high);
    FN(bias_relu_gradient_columns)(c, smaller(16 * low, SIZE(0, 1)), smaller(16 * high, SIZE(0, 1)));
}

LOOP FN(bias_gradient)(const Call *c) {
    bp_share(FN(bias_gradient_share), c, shares_of(SIZE(0, 1) / 32, c->a[0].size));
}

LOOP FN(bias_relu_gradient)(const Call *c) {
    bp_share(FN(bias_relu_gradient_share), c, shares_of(SIZE(0, 1) / 32, c->a[0].size));
}
