/* A few rows of a product at a time: sums stay in registers while the terms go by.
 *
 * Goto & van de Geijn 2008, doi:10.1145/1356052.1356053; Van Zee & van de Geijn 2015, doi:10.1145/2764454. Unlike there,
 * rows of a are read where they are, so they may also be windows of an image. b is packed into panels: WIDTH columns
 * side by side, the last one filled up with zeros. Each number of the result is one sum in order of its terms, DEPTH of
 * them at a time, so it has the same bits wherever the work is cut. */

#define WIDTH (2 * LANES)
#define SHORT 4
#define MANY 4      /* panels from which it pays to gather terms, and to look for zeros: */
#define SAMPLE 32   /* among so many first terms */
#define DEPTH 512   /* terms at once: what is read of a and b stays in the caches */

/* The left operand. Row m begins at (m / across) * down + (m % across) * right; its terms are `outer` times `inner`
 * runs of `length` numbers, `step` apart. */
typedef struct {
    const real *data;
    int64_t across, right, down;
    int64_t outer, outer_hop, inner, inner_hop, length, step;
    const int64_t *terms; /* where they are in b, if they are only some: numbers from its beginning; else NULL */
    int64_t skip, outer_skip; /* numbers of b that are passed after a run, and besides after `inner` runs */
} FN(Rows);

/* `rows` x `columns` of out, or added to it: a[i], the rows, b a panel with `b_step` from one term to the next. */
SMALL void FN(tile)(const FN(Rows) *some, const real *const *a, const real *b, int64_t b_step, real *out, int64_t out_step,
                    int64_t rows, int64_t columns, int add, const int tall, const int vectors) {
    FN(Vector) sums[TALL][2];
    const int64_t step = some->step;
    EVERY(i, tall) EVERY(v, vectors) sums[i][v] = (FN(Vector)){0};
    for (int64_t k = 0, at = 0; some->terms && k < some->length; k++, at += TALL) {
        FN(Vector) w[2];
        EVERY(v, vectors) w[v] = *(const FN(Vector) *)(b + some->terms[k] + v * LANES);
        EVERY(i, tall) EVERY(v, vectors) sums[i][v] += a[i][at] * w[v];
    }
    for (int64_t o = 0; !some->terms && o < some->outer; o++, b += some->outer_skip)
        for (int64_t r = 0; r < some->inner; r++, b += some->skip) {
            const int64_t start = o * some->outer_hop + r * some->inner_hop;
            const real *const last = b + some->length * b_step;
            for (int64_t at = start; b != last; at += step, b += b_step) {
                __asm__("" : "+r"(at)); /* one place for all rows: else compilers count on in as many registers */
                FN(Vector) w[2];
                EVERY(v, vectors) w[v] = *(const FN(Vector) *)(b + v * LANES);
                EVERY(i, tall) EVERY(v, vectors) sums[i][v] += a[i][at] * w[v];
            }
        }
    if (rows == tall && columns == vectors * LANES) {
        EVERY(i, tall) EVERY(v, vectors) {
            FN(Vector) *to = (FN(Vector) *)(out + i * out_step + v * LANES);
            if (add) sums[i][v] += *to;
            *to = sums[i][v];
        }
        return;
    }
    real edge[TALL][WIDTH];
    EVERY(i, tall) EVERY(v, vectors) *(FN(Vector) *)&edge[i][v * LANES] = sums[i][v];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) out[i * out_step + j] = add ? edge[i][j] + out[i * out_step + j] : edge[i][j];
}

#define TILE_OF(name, tall, vectors)                                                                                \
    LOOP FN(name)(const FN(Rows) *some, const real *const *a, const real *b, int64_t b_step, real *out,             \
                  int64_t out_step, int64_t rows, int64_t columns, int add) {                                       \
        FN(tile)(some, a, b, b_step, out, out_step, rows, columns, add, tall, vectors);                             \
    }
TILE_OF(tall_narrow, TALL, 1)
TILE_OF(tall_wide, TALL, 2)
TILE_OF(short_narrow, SHORT, 1)
TILE_OF(short_wide, SHORT, 2)
#undef TILE_OF

/* Those of the terms from number k on that are taken at once; returns how many. */
SMALL int64_t FN(terms_from)(const FN(Rows) *all, int64_t k, FN(Rows) *some) {
    const int64_t each = all->inner * all->length, o = k / each, r = k % each / all->length, l = k % all->length;
    *some = *all;
    some->data += o * all->outer_hop + r * all->inner_hop + l * all->step;
    some->outer = each <= DEPTH && r == 0 && l == 0 ? smaller(DEPTH / each, all->outer - o) : 1;
    if (each > DEPTH || r || l) {
        some->inner = all->length <= DEPTH && l == 0 ? smaller(DEPTH / all->length, all->inner - r) : 1;
        if (all->length > DEPTH || l) some->length = smaller(DEPTH, all->length - l);
    }
    return some->outer * some->inner * some->length;
}

/* Columns of b that are packed at once with so many terms. */
SMALL int64_t FN(broad)(int64_t terms) { return PACKED / (int64_t)sizeof(real) / terms / WIDTH * WIDTH; }

SMALL int64_t FN(terms)(const FN(Rows) *a) { return a->outer * a->inner * a->length; }
