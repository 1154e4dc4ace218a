/* The right operand of a product in panels: WIDTH columns side by side, term after term. */

SMALL int64_t FN(panels)(int64_t columns) { return (columns + WIDTH - 1) / WIDTH; }

#if !WIDE
typedef float FN(Four) __attribute__((vector_size(16), aligned(4), may_alias));
#ifdef __clang__
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t FN(Places) __attribute__((vector_size(16)));
#define PICK(a, b, ...) __builtin_shuffle(a, b, (FN(Places)){__VA_ARGS__})
#endif

/* Four terms of four columns, which lie `step` apart. */
SMALL void FN(turn)(const real *from, int64_t step, real *to) {
    FN(Four) column[4];
    for (int i = 0; i < 4; i++) column[i] = *(const FN(Four) *)(from + i * step);
    const FN(Four) a = PICK(column[0], column[1], 0, 4, 1, 5), b = PICK(column[2], column[3], 0, 4, 1, 5);
    const FN(Four) c = PICK(column[0], column[1], 2, 6, 3, 7), d = PICK(column[2], column[3], 2, 6, 3, 7);
    *(FN(Four) *)to = PICK(a, b, 0, 1, 4, 5);
    *(FN(Four) *)(to + WIDTH) = PICK(a, b, 2, 3, 6, 7);
    *(FN(Four) *)(to + 2 * WIDTH) = PICK(c, d, 0, 1, 4, 5);
    *(FN(Four) *)(to + 3 * WIDTH) = PICK(c, d, 2, 3, 6, 7);
}
#undef PICK
#endif

/* Columns first - WIDTH of b as one panel, filled up with zeros. */
SMALL void FN(pack_panel)(Matrix b, int64_t first, real *restrict to) {
    const real *from = (const real *)b.data + first * b.column_step;
    const int64_t some = smaller(WIDTH, b.columns - first);
    int64_t low = 0;
#if !WIDE
    if (b.row_step == 1 && some == WIDTH)
        for (; low + 4 <= b.rows; low += 4)
            for (int64_t i = 0; i < WIDTH; i += 4) FN(turn)(from + low + i * b.column_step, b.column_step, to + low * WIDTH + i);
#endif
    for (; low < b.rows; low++)
        for (int64_t i = 0; i < WIDTH; i++) to[low * WIDTH + i] = i < some ? from[low * b.row_step + i * b.column_step] : R(0);
}

/* Rows of b as terms of panels that lie `hop` numbers apart. */
LOOP FN(pack)(Matrix b, int64_t hop, real *out) {
    int64_t packed = 0;
    if (b.column_step == 1) {
        packed = b.columns / WIDTH * WIDTH;
        for (int64_t k = 0; k < b.rows; k++) {
            const real *from = (const real *)b.data + k * b.row_step;
            real *to = out + k * WIDTH;
            for (int64_t j = 0; j < packed; j += WIDTH, to += hop)
                for (int v = 0; v < 2; v++)
                    *(FN(Vector) *)(to + v * LANES) = *(const FN(Vector) *)(from + j + v * LANES);
        }
    }
    for (; packed < b.columns; packed += WIDTH) FN(pack_panel)(b, packed, out + packed / WIDTH * hop);
}

/* All terms of b (as many rows as a has terms) in panels, those that are taken at once together. */
LOOP FN(pack_all)(const FN(Rows) *a, Matrix b, real *out) {
    FN(Rows) some;
    for (int64_t k = 0, count; k < b.rows; k += count) {
        count = FN(terms_from)(a, k, &some);
        FN(pack)(FN(rows_of)(b, k, k + count), count * WIDTH, out);
        out += count * WIDTH * FN(panels)(b.columns);
    }
}
