/* Products of any size: b is packed a part at a time, or all of it before. */

#define ALIASED 2048
#define FEW 16 /* tiles of rows: */
#define FEWEST 3

/* out, row after row, = rows first - last-1 of a times what pack_all has packed, with terms of outer runs from - to-1. */
LOOP FN(multiply_some)(const FN(Rows) *a, int64_t first, int64_t last, int64_t from, int64_t to, const real *packed,
                       real *out, int64_t out_step, int64_t columns) {
    FN(Rows) some;
    const int64_t all = FN(terms)(a), each = a->inner * a->length;
    int add = 0;
    for (int64_t m = first; from >= to && m < last; m++) FN(clear)(out + (m - first) * out_step, columns);
    for (int64_t k = 0, count; k < all; k += count, packed += count * WIDTH * FN(panels)(columns)) {
        count = FN(terms_from)(a, k, &some);
        const int64_t low = larger(k / each, from), left_out = low - k / each;
        const int64_t high = smaller(k / each + some.outer, to);
        if (low >= high) continue;
        some.data += left_out * some.outer_hop;
        some.outer = high - low;
        FN(sweep)(&some, first, last, packed + left_out * each * WIDTH, WIDTH, count * WIDTH, out, out_step, columns, add);
        add = 1;
    }
}

LOOP FN(multiply)(const FN(Rows) *a, int64_t first, int64_t last, const real *packed, real *out, int64_t out_step,
                  int64_t columns) {
    FN(multiply_some)(a, first, last, 0, a->outer, packed, out, out_step, columns);
}

/* Whether packing b would take longer than it saves. Rows of it that are a multiple of ALIASED bytes apart share few places
 * of the caches; of twice as many, so few that b is always packed. */
SMALL int FN(in_place)(Matrix b, int64_t rows) {
    const int64_t apart = b.row_step * (int64_t)sizeof(real);
    if (b.column_step != 1 || apart % (2 * ALIASED) == 0) return 0;
    return rows <= (apart % ALIASED ? FEW : FEWEST) * TALL;
}

/* out (rows, columns) = a b, or added to it; b is packed a part at a time, or read where it is if rows are few. */
LOOP FN(product_of)(const FN(Rows) *a, int64_t rows, Matrix b, int add, real *out, int64_t out_step) {
    const int in_place = FN(in_place)(b, rows);
    real *const memory = bp_packed();
    FN(Rows) some;
    for (int64_t k = 0, count; k < b.rows; k += count) {
        const Matrix part = FN(rows_of)(b, k, k + (count = FN(terms_from)(a, k, &some)));
        for (int64_t low = 0, high; low < b.columns; low = high) {
            const int64_t whole = (b.columns - low) / WIDTH * WIDTH;
            const int here = in_place && whole;
            high = low + (here ? whole : smaller(FN(broad)(count), b.columns - low));
            const Matrix columns = FN(columns_of)(part, low, high);
            if (!here) FN(pack)(columns, count * WIDTH, memory);
            FN(sweep)(&some, 0, rows, here ? columns.data : memory, here ? b.row_step : WIDTH,
                      here ? WIDTH : count * WIDTH, out + low, out_step, high - low, add || k);
        }
    }
}

/* The rows of a matrix. */
SMALL FN(Rows) FN(rows_of_matrix)(Matrix a) {
    return (FN(Rows)){a.data, larger(a.rows, 1), a.row_step, 0, 1, 0, 1, 0, larger(a.columns, 1), a.column_step, NULL, 0, 0};
}

/* out = a b, or added to it */
LOOP FN(product)(Matrix a, Matrix b, int add, Matrix out) {
    const FN(Rows) rows = FN(rows_of_matrix)(a);
    if (a.columns > 0) {
        FN(product_of)(&rows, out.rows, b, add, (real *)out.data, out.row_step);
        return;
    }
    for (int64_t i = 0; !add && i < out.rows; i++) FN(clear)((real *)out.data + i * out.row_step, out.columns);
}

#undef ALIASED
#undef FEW
#undef FEWEST
#undef SAMPLE
