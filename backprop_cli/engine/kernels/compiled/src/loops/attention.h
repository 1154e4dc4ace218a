/* Attention, one head of one example at a time, so that its scores stay in the cache. q, o (N, heads, T, d), k, v
 * (N, heads, S, d), scores (N, heads, T, S). */

SMALL Matrix FN(head)(const View *v, int64_t n, int64_t h) {
    return FN(plain)((const real *)v->data + n * v->step[0] + h * v->step[1], v->shape[2], v->shape[3], v->step[2]);
}

/* q, k, v, p, o, future or NULL, penalty or NULL, noise or NULL, dropped */
BY_ROWS(attention, SIZE(0, 0) * SIZE(0, 1), 16 * c->a[3].size) {
    const int64_t steps = SIZE(3, 2), seen = SIZE(3, 3);
    for (int64_t i = low; i < high; i++) {
        const int64_t n = i / SIZE(0, 1), h = i % SIZE(0, 1);
        const Matrix p = FN(head)(&c->a[3], n, h);
        FN(product)(FN(head)(&c->a[0], n, h), FN(transposed)(FN(head)(&c->a[1], n, h)), 0, p);
        for (int64_t t = 0; t < steps; t++) {
            real *restrict row = (real *)p.data + t * seen;
            if (c->a[5].data) {
                const real *restrict future = ROW(5, t);
                EACH(s, 0, seen) row[s] += future[s];
            }
            if (c->a[6].data) {
                const real *restrict penalty = ROW(6, n);
                EACH(s, 0, seen) row[s] += penalty[s];
            }
            FN(softmax_row)(row, row, seen);
        }
        Matrix weights = p;
        if (c->a[7].data) {
            weights = FN(head)(&c->a[8], n, h);
            const real *restrict noise = ROW3(7, n, h), *restrict from = p.data;
            real *restrict to = (real *)weights.data;
            EACH(s, 0, steps * seen) to[s] = from[s] * noise[s];
        }
        FN(product)(weights, FN(head)(&c->a[2], n, h), 0, FN(head)(&c->a[4], n, h));
    }
}

/* q, k, v, p, do, dq, dk, dv, noise or NULL, dp; f: scale */
BY_ROWS(attention_gradient, SIZE(0, 0) * SIZE(0, 1), 16 * c->a[3].size) {
    const int64_t steps = SIZE(3, 2), seen = SIZE(3, 3), size = steps * seen;
    const real scale = R(c->f[0]);
    for (int64_t i = low; i < high; i++) {
        const int64_t n = i / SIZE(0, 1), h = i % SIZE(0, 1);
        const Matrix p = FN(head)(&c->a[3], n, h), dp = FN(head)(&c->a[9], n, h), d_o = FN(head)(&c->a[4], n, h);
        const Matrix dq = FN(head)(&c->a[5], n, h);
        const real *restrict noise = c->a[8].data ? ROW3(8, n, h) : NULL;
        const real *restrict weights = p.data;
        real *restrict slopes = (real *)dp.data;
        if (noise) EACH(s, 0, size) slopes[s] = weights[s] * noise[s];
        FN(product)(FN(transposed)(noise ? dp : p), d_o, 0, FN(head)(&c->a[7], n, h));
        FN(product)(d_o, FN(transposed)(FN(head)(&c->a[2], n, h)), 0, dp);
        if (noise) EACH(s, 0, size) slopes[s] *= noise[s];
        for (int64_t t = 0; t < steps; t++) {
            const real *restrict row = weights + t * seen;
            real *restrict slope = slopes + t * seen;
            SUM(mean, s, seen, slope[s] * row[s])
            EACH(s, 0, seen) slope[s] = (slope[s] - mean) * row[s];
        }
        FN(product)(dp, FN(head)(&c->a[1], n, h), 0, dq);
        for (int64_t t = 0; t < steps; t++) {
            real *restrict row = (real *)dq.data + t * dq.row_step;
            EACH(s, 0, dq.columns) row[s] *= scale;
        }
        FN(product)(FN(transposed)(dp), FN(head)(&c->a[0], n, h), 0, FN(head)(&c->a[6], n, h));
    }
}
