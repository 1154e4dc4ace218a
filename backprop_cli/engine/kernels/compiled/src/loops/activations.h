/* Activations that a recurrent layer's gates have, too, and those made of them: so many numbers at a time that a second pass
 * finds them in the cache. */

#define BLOCK 512

/* out = tanh(out) */
ONCE LOOP FN(tanhs)(real *restrict out, int64_t size) {
    EACH(k, 0, size) out[k] = FN(tanh_of)(out[k]);
}

/* out = sigma(a + b); out may be a */
ONCE LOOP FN(sigmoids)(const real *a, const real *restrict b, real *out, int64_t size) {
    EACH(k, 0, size) out[k] = FN(sigmoid_of)(a[k] + b[k]);
}

/* out = sigma(x) for at most BLOCK numbers */
SMALL void FN(sigmoids_of)(const real *x, real *out, int64_t size) {
    static const real zeros[BLOCK];
    FN(sigmoids)(x, zeros, out, size);
}

#define EVERY_BLOCK(at, size)                                                                                       \
    for (int64_t at = low, size; at < high && (size = smaller(BLOCK, high - at)); at += BLOCK)

/* x, y */
BY_ROWS(sigmoid, c->a[0].size, 8 * c->a[0].size) {
    EVERY_BLOCK(at, size) FN(sigmoids_of)(DATA(0) + at, DATA(1) + at, size);
}

/* x, y */
BY_ROWS(tanh, c->a[0].size, 8 * c->a[0].size) {
    const real *x = DATA(0);
    real *y = DATA(1);
    EVERY_BLOCK(at, size) {
        EACH(k, at, at + size) y[k] = x[k];
        FN(tanhs)(y + at, size);
    }
}

/* y, dy, dx */
BY_ROWS(sigmoid_gradient, c->a[0].size, c->a[0].size) {
    const real *y = DATA(0), *dy = DATA(1);
    real *dx = DATA(2);
    EACH(k, low, high) dx[k] = dy[k] * (y[k] * (1 - y[k]));
}

/* y, dy, dx */
BY_ROWS(tanh_gradient, c->a[0].size, c->a[0].size) {
    const real *y = DATA(0), *dy = DATA(1);
    real *dx = DATA(2);
    EACH(k, low, high) dx[k] = dy[k] * (1 - y[k] * y[k]);
}

/* x, y */
BY_ROWS(silu, c->a[0].size, 8 * c->a[0].size) {
    real share[BLOCK];
    EVERY_BLOCK(at, size) {
        const real *x = DATA(0) + at;
        real *y = DATA(1) + at;
        FN(sigmoids_of)(x, share, size);
        EACH(k, 0, size) y[k] = x[k] * share[k];
    }
}

/* x, dy, dx */
BY_ROWS(silu_gradient, c->a[0].size, 8 * c->a[0].size) {
    real share[BLOCK];
    EVERY_BLOCK(at, size) {
        const real *x = DATA(0) + at, *dy = DATA(1) + at;
        real *dx = DATA(2) + at;
        FN(sigmoids_of)(x, share, size);
        EACH(k, 0, size) dx[k] = dy[k] * (share[k] * (1 + x[k] * (1 - share[k])));
    }
}

/* x, y; f: the slope below 0 */
BY_ROWS(leaky_relu, c->a[0].size, c->a[0].size) {
    const real *x = DATA(0), slope = R(c->f[0]);
    real *y = DATA(1);
    EACH(k, low, high) y[k] = x[k] > 0 ? x[k] : slope * x[k]; /* NaN stays */
}

/* y, dy, dx; f: the slope below 0 */
BY_ROWS(leaky_relu_gradient, c->a[0].size, c->a[0].size) {
    const real *y = DATA(0), *dy = DATA(1), slope = R(c->f[0]);
    real *dx = DATA(2);
    EACH(k, low, high) dx[k] = y[k] > 0 ? dy[k] : slope * dy[k];
}

#undef BLOCK
#undef EVERY_BLOCK
