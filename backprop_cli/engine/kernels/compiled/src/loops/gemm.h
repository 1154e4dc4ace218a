/* One matrix product cut into shares. a, b, out; flag: the product is added to out. Where rows are cut each share packs b
 * anew, where columns are cut each reads all of a: cheaper, unless a is much the larger, or transposed, so that it takes
 * longer to read. */

#define LEAST 750000 /* multiplications that make a share worth another thread */
#define TINY 128     /* multiplications of a product that is made without preparing it */
#define LARGE 64     /* times LEAST that a share must keep where there are more than SHARES */

/* Rows or columns of a share: whole tiles, except the last. */
SMALL void FN(cut_tiles)(int64_t size, int64_t tile, int64_t part, int64_t parts, int64_t *low, int64_t *high) {
    cut((size + tile - 1) / tile, part, parts, low, high);
    *low = smaller(*low * tile, size);
    *high = smaller(*high * tile, size);
}

LOOP FN(matmul_rows)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    FN(cut_tiles)(SIZE(2, 0), TALL, part, parts, &low, &high);
    if (low >= high) return;
    const Matrix a = FN(matrix)(&c->a[0]), out = FN(matrix)(&c->a[2]);
    FN(product)(FN(rows_of)(a, low, high), FN(matrix)(&c->a[1]), c->flag != 0, FN(rows_of)(out, low, high));
}

LOOP FN(matmul_columns)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    FN(cut_tiles)(SIZE(2, 1), WIDTH, part, parts, &low, &high);
    if (low >= high) return;
    const Matrix b = FN(matrix)(&c->a[1]), out = FN(matrix)(&c->a[2]);
    FN(product)(FN(matrix)(&c->a[0]), FN(columns_of)(b, low, high), c->flag != 0, FN(columns_of)(out, low, high));
}

/* Preparing would take longer than the product. */
LOOP FN(tiny_product)(Matrix a, Matrix b, int add, Matrix out) {
    for (int64_t i = 0; i < out.rows; i++)
        for (int64_t j = 0; j < out.columns; j++) {
            real *to = (real *)out.data + i * out.row_step + j, sum = 0;
            const real *x = (const real *)a.data + i * a.row_step, *w = (const real *)b.data + j * b.column_step;
            for (int64_t k = 0; k < a.columns; k++) sum += x[k * a.column_step] * w[k * b.row_step];
            *to = add ? *to + sum : sum;
        }
}

LOOP FN(matmul)(const Call *c) {
    const int64_t rows = SIZE(2, 0), columns = SIZE(2, 1), depth = SIZE(0, 1), work = rows * columns * depth / LEAST;
    if (rows * columns * depth <= TINY) {
        FN(tiny_product)(FN(matrix)(&c->a[0]), FN(matrix)(&c->a[1]), c->flag != 0, FN(matrix)(&c->a[2]));
        return;
    }
    const int64_t much = c->a[0].step[1] == 1 ? 2 : 1;
    const int by_rows = rows >= much * columns || columns < SHARES * MANY * WIDTH;
    const int64_t most = by_rows ? (rows + TALL - 1) / TALL : FN(panels)(columns);
    int64_t parts = larger(1, smaller(SHARES, smaller(most, work)));
    while (parts >= SHARES && parts < MOST_SHARES && most >= 2 * parts && work >= 2 * parts * LARGE) parts *= 2;
    bp_share(by_rows ? FN(matmul_rows) : FN(matmul_columns), c, parts);
}

#undef LEAST
#undef LARGE
#undef TINY
#undef MANY
