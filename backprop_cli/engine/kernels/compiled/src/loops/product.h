/* Products of any size: b is packed a part at a time, or all of it before. */

/* out, row after row, = rows first - last-1 of a times what pack_all has packed. */
LOOP FN(multiply)(const FN(Rows) *a, int64_t first, int64_t last, const real *packed, real *out, int64_t out_step,
                  int64_t columns) {
    FN(Rows) some;
    const int64_t all = FN(terms)(a);
    for (int64_t k = 0, count; k < all; k += count) {
        count = FN(terms_from)(a, k, &some);
        FN(sweep)(&some, first, last, packed, WIDTH, count * WIDTH, out, out_step, columns, k > 0);
        packed += count * WIDTH * FN(panels)(columns);
    }
}

/* out (rows, columns) = a b, or added to it; b is packed a part at a time, or read where it is if rows are few. */
LOOP FN(product_of)(const FN(Rows) *a, int64_t rows, Matrix b, int add, real *out, int64_t out_step) {
    const int64_t broad = PACKED / DEPTH / (int64_t)sizeof(real) / WIDTH * WIDTH;
    const int in_place = b.column_step == 1 && rows <= 3 * TALL;
    real *const memory = bp_packed();
    FN(Rows) some;
    for (int64_t k = 0, count; k < b.rows; k += count) {
        const Matrix part = FN(rows_of)(b, k, k + (count = FN(terms_from)(a, k, &some)));
        for (int64_t low = 0, high; low < b.columns; low = high) {
            const int64_t whole = (b.columns - low) / WIDTH * WIDTH;
            const int here = in_place && whole;
            high = low + (here ? whole : smaller(broad, b.columns - low));
            const Matrix columns = FN(columns_of)(part, low, high);
            if (!here) FN(pack)(columns, count * WIDTH, memory);
            FN(sweep)(&some, 0, rows, here ? columns.data : memory, here ? b.row_step : WIDTH,
                      here ? WIDTH : count * WIDTH, out + low, out_step, high - low, add || k);
        }
    }
}

/* The rows of a matrix. */
SMALL FN(Rows) FN(rows_of_matrix)(Matrix a) {
    return (FN(Rows)){a.data, larger(a.rows, 1), a.row_step, 0, 1, 0, 1, 0, larger(a.columns, 1), a.column_step, NULL};
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

#undef EVERY
#undef SAMPLE
#undef ALIASED
