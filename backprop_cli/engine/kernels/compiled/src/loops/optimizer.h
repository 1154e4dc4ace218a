/* The update rules in one pass over memory. What a slot forgets becomes zero on the way: numbers below 1e-28, as in
 * optimizers/base.py, would end as denormals, which are slow. a[0] w, a[1] g, then the slots; f the numbers. */

SMALL real FN(kept)(real x) { return ABS(x) < R(1e-28) ? R(0) : x; }

BY_ROWS(sgd_update, c->a[0].size, c->a[0].size) {
    real *restrict w = DATA(0);
    const real *restrict g = DATA(1);
    const real rate = R(c->f[0]);
    EACH(i, low, high) w[i] -= rate * g[i];
}

BY_ROWS(momentum_update, c->a[0].size, c->a[0].size) {
    real *restrict w = DATA(0), *restrict v = DATA(2);
    const real *restrict g = DATA(1);
    const real rate = R(c->f[0]), momentum = R(c->f[1]);
    if (c->flag)
        EACH(i, low, high) {
            const real new = FN(kept)(momentum * v[i] + g[i]);
            v[i] = new;
            w[i] -= rate * (g[i] + momentum * new);
        }
    else
        EACH(i, low, high) {
            const real new = FN(kept)(momentum * v[i] + g[i]);
            v[i] = new;
            w[i] -= rate * new;
        }
}

BY_ROWS(rmsprop_update, c->a[0].size, c->a[0].size) {
    real *restrict w = DATA(0), *restrict s = DATA(2);
    const real *restrict g = DATA(1);
    const real rate = R(c->f[0]), keep = R(c->f[1]), take = R(1 - c->f[1]), epsilon = R(c->f[2]);
    EACH(i, low, high) {
        const real new = FN(kept)(keep * s[i] + take * (g[i] * g[i]));
        s[i] = new;
        w[i] -= rate * g[i] / (SQRT(new) + epsilon);
    }
}

/* g, m, v */
BY_ROWS(moments_update, c->a[0].size, c->a[0].size) {
    const real *restrict g = DATA(0);
    real *restrict m = DATA(1), *restrict v = DATA(2);
    const real keep_1 = R(c->f[0]), keep_2 = R(c->f[1]);
    EACH(i, low, high) {
        m[i] = FN(kept)(keep_1 * m[i] + g[i]);
        v[i] = FN(kept)(keep_2 * v[i] + g[i] * g[i]);
    }
}

/* f: rate, beta 1 and 2, epsilon */
SMALL void FN(adam_step)(const Call *c, real *restrict w, const real *restrict g, real *restrict m, real *restrict v,
                         int64_t low, int64_t high) {
    const real rate = R(c->f[0]), keep_1 = R(c->f[1]), keep_2 = R(c->f[2]), epsilon = R(c->f[3]);
    EACH(i, low, high) {
        const real first = FN(kept)(keep_1 * m[i] + g[i]);
        const real second = FN(kept)(keep_2 * v[i] + g[i] * g[i]);
        m[i] = first;
        v[i] = second;
        w[i] -= rate * first / (SQRT(second) + epsilon);
    }
}

BY_ROWS(adam_update, c->a[0].size, c->a[0].size) {
    FN(adam_step)(c, DATA(0), DATA(1), DATA(2), DATA(3), low, high);
}

/* a, b; work: the sum, a double. It is summed part by part, into a[2] of a copy of the call. */
LOOP FN(inner_share)(const Call *c, int64_t part, int64_t parts) {
    const real *restrict a = DATA(0), *restrict b = DATA(1);
    int64_t low, high;
    real total = 0;
    cut(c->a[0].size, part, parts, &low, &high);
#pragma omp simd reduction(+ : total)
    for (int64_t i = low; i < high; i++) total += a[i] * b[i];
    ((double *)c->a[2].data)[part] = total;
}

LOOP FN(inner)(const Call *c) {
    double sums[SHARES] = {0}, total = 0;
    Call mine = *c;
    mine.a[2].data = sums;
    bp_share(FN(inner_share), &mine, shares_of(c->a[0].size, c->a[0].size));
    for (int i = 0; i < SHARES; i++) total += sums[i];
    *(double *)c->work = total;
}
