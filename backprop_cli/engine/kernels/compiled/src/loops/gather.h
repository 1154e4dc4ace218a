/* Rows of a dataset to a batch; bytes become scaled numbers in the same pass. Row numbers outside are clipped. */

#define LINE 64 /* bytes of a cache line */

SMALL int64_t FN(row_number)(const Call *c, int64_t n) {
    const int64_t row = ((const int64_t *)c->a[1].data)[n];
    return smaller(larger(row, 0), SIZE(0, 0) - 1);
}

/* source (N, I), rows (n,), x (n, I) */
BY_ROWS(gather, SIZE(2, 0), c->a[2].size) {
    for (int64_t n = low; n < high; n++) {
        const real *restrict from = ROW(0, FN(row_number)(c, n));
        real *restrict to = ROW(2, n);
        EACH(i, 0, SIZE(2, 1)) to[i] = from[i];
    }
}

/* source (N, I) of bytes, rows (n,), coming, x (n, I): x = by source + offset */
BY_ROWS(gather_scaled, SIZE(1, 0), c->a[3].size) {
    const uint8_t *source = c->a[0].data;
    const int64_t *coming = c->a[2].data, step = c->a[0].step[0], width = SIZE(0, 1);
    const real by = R(c->f[0]), offset = R(c->f[1]);
    for (int64_t n = low; n < smaller(high, SIZE(2, 0)); n++) {
        const uint8_t *row = source + smaller(larger(coming[n], 0), SIZE(0, 0) - 1) * step;
        for (int64_t i = 0; i < width; i += LINE) __builtin_prefetch(row + i, 0, 2);
    }
    for (int64_t n = low; n < high; n++) {
        const uint8_t *restrict row = source + FN(row_number)(c, n) * step;
        real *restrict x = ROW(3, n);
        EACH(i, 0, width) x[i] = R(row[i]) * by + offset;
    }
}

#undef LINE
