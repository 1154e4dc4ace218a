/* The gradient of a convolution by its kernel, for each share of the batch into a part of `partial`. Where a row of a
 * window fills whole registers, filters are the rows of the product, and the images its right operand, read where they are;
 * else the numbers of the window are the rows, and delta is packed. */

/* A few images of a share: where the first is and how far apart they are, and delta of it and of those after it. */
typedef struct {
    FN(Image) first;
    int64_t count, hop;
    Matrix delta;
} FN(Images);

/* Numbers side by side in the windows: a row of each. */
SMALL int64_t FN(side_by_side)(const Call *c) { return c->columns.dilation == 1 ? c->columns.kernel * SIZE(0, 3) : 0; }

SMALL int FN(by_filters)(const Call *c) { return FN(side_by_side)(c) > 0 && FN(side_by_side)(c) % LANES == 0; }

/* sums (O, kh*kw*C), or added to them */
LOOP FN(gradient_by_filters)(const Call *c, const FN(Images) *images, int add, real *sums, int64_t sums_step) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t width = FN(side_by_side)(c), place = w->stride * SIZE(0, 3), line = h->stride * images->first.row;
    const int64_t places = h->out * w->out, step = images->delta.row_step;
    FN(Rows) some, all = {images->delta.data, images->delta.columns, 1, 0, images->count, places * step,
                          h->out, w->out * step, w->out, step, NULL, line - w->out * place, images->hop - h->out * line};
    for (int64_t k = 0, count; k < images->count * places; k += count) {
        count = FN(terms_from)(&all, k, &some);
        const real *from = images->first.data + k / places * images->hop + k % places / w->out * line + k % w->out * place;
        for (int64_t i = 0; i < h->kernel; i++)
            FN(sweep)(&some, 0, images->delta.columns, from + i * h->dilation * images->first.row, place, WIDTH,
                      sums + i * width, sums_step, width, add || k);
    }
}

/* delta in panels for terms k to k + count - 1 of a walk over the images, `length` places of each, `across` in a row:
 * zeros for places that are only passed, as a window would reach over the end of its row. */
LOOP FN(pack_walk)(const Call *c, Matrix delta, int64_t length, int64_t across, int64_t k, int64_t count, real *to) {
    const int64_t out = c->columns.out, places = c->rows.out * out;
    for (int64_t at = k, next; at < k + count; at = next) {
        const int64_t image = at / length, row = at % length / across, place = at % length % across;
        const int64_t end = place < out ? out : across;
        next = smaller(k + count, image * length + smaller(length, row * across + end));
        real *start = to + (at - k) * WIDTH;
        const int64_t first = image * places + row * out + place;
        if (place < out)
            FN(pack)(FN(rows_of)(delta, first, first + next - at), count * WIDTH, start);
        else
            for (int64_t panel = 0; panel < FN(panels)(delta.columns); panel++)
                FN(clear)(start + panel * count * WIDTH, (next - at) * WIDTH);
    }
}

/* sums (`count` rows, O) = numbers of the windows times delta, or added to it: one walk along whole rows of each image where
 * windows are one place apart, else row by row. */
LOOP FN(gradient_of_rows)(const Call *c, const FN(Images) *images, FN(Rows) rows, int64_t count, int add, real *sums,
                          int64_t sums_step) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t across = images->first.row / SIZE(0, 3), columns = images->delta.columns;
    if (w->stride != 1 || h->stride != 1 || columns > FN(broad)(DEPTH)) {
        FN(product_of)(&rows, count, images->delta, add, sums, sums_step);
        return;
    }
    rows.inner = 1, rows.length = (h->out - 1) * across + w->out;
    FN(Rows) some;
    for (int64_t k = 0, terms; k < FN(terms)(&rows); k += terms) {
        terms = FN(terms_from)(&rows, k, &some);
        FN(pack_walk)(c, images->delta, rows.length, across, k, terms, bp_packed());
        FN(sweep)(&some, 0, count, bp_packed(), WIDTH, terms * WIDTH, sums, sums_step, columns, add || k);
    }
}

/* sums (kh*kw*C, O), or added to them */
LOOP FN(gradient_by_numbers)(const Call *c, const FN(Images) *images, int add, real *sums, int64_t sums_step) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t channels = SIZE(0, 3), row = images->first.row, together = FN(side_by_side)(c);
    const int64_t width = together ? together : channels, lines = together ? 1 : h->kernel;
    const int64_t count = together ? h->kernel * width : w->kernel * width;
    for (int64_t line = 0; line < lines; line++) {
        const FN(Rows) rows = {images->first.data + line * h->dilation * row, width, 1,
                               together ? h->dilation * row : w->dilation * channels, images->count, images->hop,
                               h->out, h->stride * row, w->out, w->stride * channels, NULL, 0, 0};
        FN(gradient_of_rows)(c, images, rows, count, add, sums + line * count * sums_step, sums_step);
    }
}

/* x, delta, dW, memory, padded or NULL, partial (SHARES, kh*kw*C, O). As many images at once as there are frames for, or as
 * have about DEPTH positions. */
LOOP_OF(int64_t) FN(kernel_gradient_at_once)(const Call *c) {
    return c->a[4].data ? c->a[4].shape[0] / SHARES : larger(1, DEPTH / (c->rows.out * c->columns.out));
}

LOOP FN(kernel_gradient_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {
    const View *x = &c->a[0], *padded = &c->a[4];
    const int64_t places = c->rows.out * c->columns.out, at_once = FN(kernel_gradient_at_once)(c);
    int64_t first, last;
    cut(total, part, SHARES, &first, &last);
    for (int64_t n = low; n < high; n += at_once) {
        const int64_t count = smaller(at_once, high - n);
        FN(Images) images = {FN(framed)(c, x, padded, n, part * at_once), count, padded->data ? padded->step[0] : x->step[0],
                             FN(plain)(ROW(1, n * places), count * places, SIZE(2, 1), c->a[1].step[0])};
        for (int64_t i = 1; i < count && padded->data; i++) FN(framed)(c, x, padded, n + i, part * at_once + i);
        if (FN(by_filters)(c))
            FN(gradient_by_filters)(c, &images, n > first, ROW(5, part), SIZE(2, 0));
        else
            FN(gradient_by_numbers)(c, &images, n > first, ROW(5, part), c->a[5].step[1]);
    }
}

/* Rows low to high - 1 of dW: the shares' sums, by filters, added in order. */
BY_ROWS(turn_sums, SIZE(2, 0) / LANES, c->a[2].size) {
    const int64_t n = SIZE(0, 0), share = (n + SHARES - 1) / SHARES, parts = n ? (n + share - 1) / share : 0;
    for (int64_t k = low * LANES; k < high * LANES; k += LANES)
        for (int64_t o = 0; o < SIZE(2, 1); o++) {
            const real *sums = DATA(5) + o * SIZE(2, 0) + k;
            FN(Vector) sum = {0};
            for (int64_t part = 0; part < parts; part++) sum += *(const FN(Vector) *)(sums + part * c->a[5].step[0]);
            for (int64_t i = 0; i < LANES; i++) ROW(2, k + i)[o] = sum[i];
        }
}

LOOP FN(kernel_gradient_end)(const Call *c) {
    const int64_t n = SIZE(0, 0), share = (n + SHARES - 1) / SHARES;
    if (FN(by_filters)(c))
        FN(turn_sums)(c);
    else
        for (int64_t i = 0; i < SIZE(2, 0); i++)
            FN(add_up)(DATA(5) + i * c->a[5].step[1], c->a[5].step[0], n ? (n + share - 1) / share : 0, ROW(2, i), SIZE(2, 1));
}

BY_IMAGES(kernel_gradient, SIZE(0, 0), , FN(kernel_gradient_end)(c))
