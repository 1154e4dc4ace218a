/* The gelu and its gradient in one pass each. share: Phi(x), or (1 + tanh u) / 2 where flag says so. */

/* Phi(-|x|) = e^(-x^2/2) P/Q: Hart et al. 1968, as in the reference. */
SMALL real FN(normal_cdf)(real x) {
    real z = ABS(x);
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
    return x > 0 ? R(1) - tail : tail;
}

#define ROOT R(0.79788456080286535588) /* of 2 / pi */
#define CUBIC R(0.044715)

/* x, share, y, contiguous */
BY_ROWS(gelu, c->a[0].size, 16 * c->a[0].size) {
    const real *restrict x = DATA(0);
    real *restrict share = DATA(1), *restrict y = DATA(2);
    if (c->flag)
        EACH(i, low, high) {
            const real part = FN(sigmoid_of)(R(2) * ROOT * x[i] * (R(1) + CUBIC * x[i] * x[i]));
            share[i] = part;
            y[i] = x[i] * part;
        }
    else
        EACH(i, low, high) {
            const real part = FN(normal_cdf)(x[i]);
            share[i] = part;
            y[i] = x[i] * part;
        }
}

/* x, share, dy, dx, contiguous; dx may be dy */
BY_ROWS(gelu_gradient, c->a[0].size, 16 * c->a[0].size) {
    const real *restrict x = DATA(0), *restrict share = DATA(1), *dy = DATA(2);
    real *dx = DATA(3);
    if (c->flag)
        EACH(i, low, high) {
            const real slope = R(2) * ROOT * (R(1) + 3 * CUBIC * x[i] * x[i]);
            dx[i] = dy[i] * (share[i] + x[i] * slope * share[i] * (R(1) - share[i]));
        }
    else
        EACH(i, low, high) {
            const real bell = R(0.39894228040143267794) * FN(exp)(R(-0.5) * x[i] * x[i]);
            dx[i] = dy[i] * (share[i] + x[i] * bell);
        }
}

#undef ROOT
#undef CUBIC
