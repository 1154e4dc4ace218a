/* One matrix product cut into shares: the longer side of the result is cut. a, b, out. */

#define LEAST 750000 /* multiplications that make a share worth another thread */
#define NARROW 32    /* columns below which BLAS is slow */
#define LARGE 64     /* times LEAST that a share must keep where there are more than SHARES: each packs an operand anew */

SMALL Matrix FN(matrix)(const View *v) {
    return (Matrix){v->data, v->shape[0], v->shape[1], v->step[0], v->step[1]};
}

SMALL Matrix FN(rows_of)(Matrix m, int64_t low, int64_t high) {
    m.data = (const real *)m.data + low * m.row_step;
    m.rows = high - low;
    return m;
}

SMALL Matrix FN(columns_of)(Matrix m, int64_t low, int64_t high) {
    m.data = (const real *)m.data + low * m.column_step;
    m.columns = high - low;
    return m;
}

LOOP FN(matmul_rows)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(2, 0), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix a = FN(matrix)(&c->a[0]), out = FN(matrix)(&c->a[2]);
    PRODUCT(FN(rows_of)(a, low, high), FN(matrix)(&c->a[1]), 0, FN(rows_of)(out, low, high));
}

LOOP FN(matmul_columns)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(2, 1), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix b = FN(matrix)(&c->a[1]), out = FN(matrix)(&c->a[2]);
    PRODUCT(FN(matrix)(&c->a[0]), FN(columns_of)(b, low, high), 0, FN(columns_of)(out, low, high));
}

LOOP FN(matmul)(const Call *c) {
    const int64_t rows = SIZE(2, 0), columns = SIZE(2, 1), depth = SIZE(0, 1);
    const int64_t wide = larger(rows, columns) / NARROW, work = rows * columns * depth / LEAST;
    int64_t parts = larger(1, smaller(SHARES, smaller(wide, work)));
    while (parts >= SHARES && parts < MOST_SHARES && wide >= 2 * parts && work >= 2 * parts * LARGE) parts *= 2;
    bp_share(rows >= columns ? FN(matmul_rows) : FN(matmul_columns), c, parts);
}

#undef LEAST
#undef NARROW
#undef LARGE
