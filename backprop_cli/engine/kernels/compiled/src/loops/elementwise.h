/* Single passes over arrays of one size without gaps, which may be the same array. */

/* a, b, out */
BY_ROWS(add, c->a[0].size, c->a[0].size) {
    const real *a = DATA(0), *b = DATA(1);
    real *out = DATA(2);
    EACH(i, low, high) out[i] = a[i] + b[i];
}

/* x, out */
BY_ROWS(copy, c->a[0].size, c->a[0].size) {
    const real *x = DATA(0);
    real *out = DATA(1);
    EACH(i, low, high) out[i] = x[i];
}

/* x, y */
BY_ROWS(relu, c->a[0].size, c->a[0].size) {
    const real *x = DATA(0);
    real *y = DATA(1);
    EACH(i, low, high) y[i] = x[i] < 0 ? R(0) : x[i]; /* NaN stays */
}

/* y, dy, dx */
BY_ROWS(relu_gradient, c->a[0].size, c->a[0].size) {
    const real *y = DATA(0), *dy = DATA(1);
    real *dx = DATA(2);
    EACH(i, low, high) dx[i] = y[i] > 0 ? dy[i] : R(0);
}
