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

/* A transposed left operand takes long to read, so where columns are cut a part of it is gathered once for all shares. */
typedef struct {
    Matrix a, b, out;
    int add;
    FN(Rows) *runs; /* block after block of DEPTH terms, those of each tile of rows */
    real *numbers;
} FN(Gathered);

SMALL int64_t FN(tiles_of)(Matrix a) { return (a.rows + TALL - 1) / TALL; }

LOOP FN(gather_tiles)(const Call *c, int64_t part, int64_t parts) {
    const FN(Gathered) *g = c->work;
    const int64_t tiles = FN(tiles_of)(g->a);
    int64_t low, high, terms[DEPTH];
    cut(tiles, part, parts, &low, &high);
    for (int64_t k = 0, count; k < g->a.columns; k += count) {
        count = smaller(DEPTH, g->a.columns - k);
        const FN(Rows) rows = FN(rows_of_matrix)(FN(columns_of)(g->a, k, k + count));
        for (int64_t tile = low; tile < high; tile++) {
            FN(Rows) *run = &g->runs[k / DEPTH * tiles + tile];
            real *numbers = g->numbers + (k * tiles + tile * count) * TALL;
            const real *from[TALL];
            for (int64_t i = 0, m = tile * TALL; i < TALL; i++) from[i] = rows.data + (m + i < g->a.rows ? m + i : m) * rows.right;
            *run = FN(gathered)(&rows, from, WIDTH, numbers, terms);
            if (run->terms) /* at most three quarters are left: the others' place is enough for where they are */
                run->terms = memcpy(numbers + run->length * TALL, terms, (size_t)run->length * sizeof *terms);
        }
    }
}

LOOP FN(gathered_columns)(const Call *c, int64_t part, int64_t parts) {
    const FN(Gathered) *g = c->work;
    const int64_t tiles = FN(tiles_of)(g->a), out_step = g->out.row_step;
    int64_t first, last;
    FN(cut_tiles)(g->out.columns, WIDTH, part, parts, &first, &last);
    for (int64_t k = 0, count; k < g->a.columns; k += count) {
        count = smaller(DEPTH, g->a.columns - k);
        for (int64_t low = first, high; low < last; low = high) {
            high = low + smaller(FN(broad)(2 * count), last - low); /* beside what is gathered */
            FN(pack)(FN(columns_of)(FN(rows_of)(g->b, k, k + count), low, high), count * WIDTH, bp_packed());
            for (int64_t tile = 0; tile < tiles; tile++) {
                const FN(Rows) *run = &g->runs[k / DEPTH * tiles + tile];
                const real *from[TALL];
                EVERY(i, TALL) from[i] = run->data + i;
                FN(tiles)(run, from, bp_packed(), WIDTH, count * WIDTH, (real *)g->out.data + tile * TALL * out_step + low,
                          out_step, smaller(TALL, g->a.rows - tile * TALL), high - low, g->add || k);
            }
        }
    }
}

/* Returns 0 where there is no memory. */
LOOP_OF(int) FN(matmul_gathered)(const Call *c, int64_t parts) {
    const Matrix a = FN(matrix)(&c->a[0]), b = FN(matrix)(&c->a[1]), out = FN(matrix)(&c->a[2]);
    const int64_t most = GATHERED / (int64_t)sizeof(real);
    const int64_t rows = smaller(FN(tiles_of)(a), most / smaller(DEPTH, a.columns) / TALL) * TALL;
    const int64_t blocks = larger(1, smaller(most / rows / DEPTH, (a.columns + DEPTH - 1) / DEPTH));
    const size_t runs = (size_t)(rows / TALL * blocks) * sizeof(FN(Rows));
    char *memory = bp_memory(runs + (size_t)(rows * smaller(blocks * DEPTH, a.columns)) * sizeof(real));
    if (!memory) return 0;
    for (int64_t m = 0; m < a.rows; m += rows)
        for (int64_t k = 0; k < a.columns; k += blocks * DEPTH) {
            const int64_t low = smaller(m + rows, a.rows), right = smaller(k + blocks * DEPTH, a.columns);
            FN(Gathered) g = {FN(columns_of)(FN(rows_of)(a, m, low), k, right), FN(rows_of)(b, k, right),
                              FN(rows_of)(out, m, low), c->flag || k, (FN(Rows) *)memory, (real *)(memory + runs)};
            const Call mine = {.work = &g};
            bp_share(FN(gather_tiles), &mine, parts);
            bp_share(FN(gathered_columns), &mine, parts);
        }
    return 1;
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
    if (parts > 1 && !by_rows && c->a[0].step[1] != 1 && !FN(in_place)(FN(matrix)(&c->a[1]), rows)
        && FN(matmul_gathered)(c, parts))
        return;
    bp_share(by_rows ? FN(matmul_rows) : FN(matmul_columns), c, parts);
}

#undef LEAST
#undef LARGE
#undef TINY
#undef MANY
