/* How many answers are right: y (n, K), what is true, count (1,). */

/* ids (n,): the place of the largest of a row, or of its first NaN */
LOOP FN(right_classes)(const Call *c) {
    const int64_t *ids = c->a[1].data, width = SIZE(0, 1);
    int64_t right = 0;
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *y = ROW(0, n);
        int64_t best = 0;
        for (int64_t k = 1; k < width && y[best] == y[best]; k++) best = y[k] > y[best] || y[k] != y[k] ? k : best;
        right += best == ids[n];
    }
    *(int64_t *)c->a[2].data = right;
}

/* t (n, K) numbers, with flag integers; f: above it y is a yes */
LOOP FN(right_labels)(const Call *c) {
    const real threshold = R(c->f[0]);
    int64_t right = 0;
    for (int64_t n = 0; n < SIZE(0, 0); n++) {
        const real *y = ROW(0, n), *t = ROW(1, n);
        const int64_t *whole = (const int64_t *)c->a[1].data + n * c->a[1].step[0];
        for (int64_t k = 0; k < SIZE(0, 1); k++)
            right += (y[k] > threshold) == (c->flag ? whole[k] > 0 : t[k] > R(0.5));
    }
    *(int64_t *)c->a[2].data = right;
}
