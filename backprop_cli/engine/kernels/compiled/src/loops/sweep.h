/* Whole products of packed panels, tile after tile, and what is gathered for them: terms that lie apart, and those that
 * are not 0. */

#define AHEAD 16 /* terms that are fetched before they are read */

/* Terms of a few rows side by side, as one run. */
LOOP FN(gather_terms)(const FN(Rows) *a, const real *const *from, real *restrict to) {
    int adjacent = 1; /* rows, as of a transposed matrix */
    for (int i = 1; i < TALL; i++) adjacent &= from[i] == from[0] + i;
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t r = 0; r < a->inner; r++) {
            const int64_t step = a->step;
            int64_t at = o * a->outer_hop + r * a->inner_hop;
            const real *restrict together = from[0];
            for (int64_t k = 0; adjacent && k < a->length; k++, at += step, to += TALL) {
                __builtin_prefetch(together + at + AHEAD * step, 0, 3);
                __builtin_memcpy(to, together + at, TALL * sizeof(real)); /* a loop became a call for each */
            }
            for (int64_t k = 0; !adjacent && k < a->length; k++, at += step, to += TALL) EVERY(i, TALL) to[i] = from[i][at];
        }
}

#if WIDE
typedef uint64_t FN(Bits) __attribute__((may_alias));
#else
typedef uint32_t FN(Bits) __attribute__((may_alias));
#endif

/* Which of the terms low to high - 1 are not 0 in all of a few rows; returns how many, counting from `left`. */
SMALL int64_t FN(find_nonzero)(const real *const *from, int64_t step, int64_t low, int64_t high, int64_t left,
                               int64_t *restrict terms) {
    FN(Bits) any[DEPTH];
    if (step == 1)
        EACH(k, low, high) {
            any[k] = 0;
            EVERY(i, TALL) any[k] |= ((const FN(Bits) *)from[i])[k];
        }
    else
        for (int64_t k = low; k < high; k++) {
            any[k] = 0;
            EVERY(i, TALL) any[k] |= ((const FN(Bits) *)from[i])[k * step];
        }
    for (int64_t k = low; k < high; k++) {
        terms[left] = k;
        left += any[k] << 1 != 0; /* neither 0 nor -0 */
    }
    return left;
}

/* Those terms of one run which are not 0 in all of a few rows: their numbers side by side, and where they are in b.
 * count: how many; all of them, and nothing gathered, where few are 0. */
LOOP FN(gather_nonzero)(const FN(Rows) *a, const real *const *from, int64_t b_step, real *restrict to,
                        int64_t *restrict terms, int64_t *count) {
    const int64_t first = smaller(SAMPLE, a->length);
    int64_t left = FN(find_nonzero)(from, a->step, 0, first, 0, terms);
    *count = a->length;
    if (4 * left > 3 * first) return;
    left = FN(find_nonzero)(from, a->step, first, a->length, left, terms);
    if (4 * left > 3 * a->length) return;
    for (int64_t k = 0; k < left; k++) {
        EVERY(i, TALL) to[k * TALL + i] = from[i][terms[k] * a->step];
        terms[k] *= b_step;
    }
    *count = left;
}

/* A few rows as tiles read them: where they are, or what is gathered of them, to where `from` points then. Terms that are 0,
 * as those of images with much background, of one-hot columns and bags of words, are left out: x + 0 w = x. */
ONCE LOOP_OF(FN(Rows)) FN(gathered)(const FN(Rows) *a, const real **from, int64_t b_step, real *together, int64_t *terms) {
    FN(Rows) run = *a;
    const int64_t all = a->outer * a->inner * a->length;
    int64_t count = all;
    if (all == a->length) FN(gather_nonzero)(a, from, b_step, together, terms, &count);
    if (count < all)
        run = (FN(Rows)){together, 1, 0, 0, 1, 0, 1, 0, count, TALL, terms, 0, 0};
    else if (a->step != 1) {
        FN(gather_terms)(a, from, together);
        run.data = together, run.step = TALL;
        run.inner_hop = run.length * TALL, run.outer_hop = run.inner * run.inner_hop;
    }
    for (int64_t i = 0; i < TALL && run.data == together; i++) from[i] = together + i;
    return run;
}

/* out (rows, columns) = these few rows times b, or added to it. */
ONCE LOOP FN(tiles)(const FN(Rows) *run, const real *const *from, const real *b, int64_t b_step, int64_t hop, real *out,
                     int64_t out_step, int64_t rows, int64_t columns, int add) {
    for (int64_t j = 0; j < columns; j += WIDTH) {
        const int64_t some = smaller(WIDTH, columns - j);
        const real *panel = b + j / WIDTH * hop;
        if (rows > SHORT)
            (some <= LANES ? FN(tall_narrow) : FN(tall_wide))(run, from, panel, b_step, out + j, out_step, rows, some, add);
        else
            (some <= LANES ? FN(short_narrow) : FN(short_wide))(run, from, panel, b_step, out + j, out_step, rows, some, add);
    }
}

/* out (rows, columns) = a b for some of the terms, or added to it. b lies in panels, `hop` numbers apart. */
LOOP FN(sweep)(const FN(Rows) *a, int64_t first, int64_t last, const real *b, int64_t b_step, int64_t hop, real *out,
               int64_t out_step, int64_t columns, int add) {
    real together[TALL * DEPTH];
    int64_t terms[DEPTH];
    int64_t down = first / a->across, right = first % a->across;
    for (int64_t m = first; m < last; m += TALL) {
        const int64_t rows = smaller(TALL, last - m);
        const real *from[TALL];
        for (int64_t i = 0; i < TALL; i++) {
            from[i] = i < rows ? a->data + down * a->down + right * a->right : from[0];
            if (i < rows && ++right == a->across) right = 0, down++;
        }
        const FN(Rows) run = columns >= MANY * WIDTH ? FN(gathered)(a, from, b_step, together, terms) : *a;
        FN(tiles)(&run, from, b, b_step, hop, out + (m - first) * out_step, out_step, rows, columns, add);
    }
}

#undef AHEAD
