/* The gradient of a convolution by its kernel. */

/* The positions of a few images as terms: one walk along whole rows of each image where windows are one place apart,
 * which also passes places where a window would reach over the end of its row; else row by row. */
typedef struct {
    Matrix delta;           /* of the first image and those after it */
    int64_t places, length; /* of an image, without and with the places that are passed */
    int64_t across;         /* places of a row of the image */
} FN(Walk);

/* delta in panels for terms k to k + count - 1: zeros for places that are only passed. */
LOOP FN(pack_walk)(const FN(Walk) *walk, int64_t out, int64_t k, int64_t count, real *to) {
    for (int64_t at = k, next; at < k + count; at = next) {
        const int64_t image = at / walk->length, row = at % walk->length / walk->across;
        const int64_t place = at % walk->length % walk->across, end = place < out ? out : walk->across;
        next = smaller(k + count, image * walk->length + smaller(walk->length, row * walk->across + end));
        real *start = to + (at - k) * WIDTH;
        const int64_t first = image * walk->places + row * out + place;
        if (place < out)
            FN(pack)(FN(rows_of)(walk->delta, first, first + next - at), count * WIDTH, start);
        else
            for (int64_t panel = 0; panel < FN(panels)(walk->delta.columns); panel++)
                FN(clear)(start + panel * count * WIDTH, (next - at) * WIDTH);
    }
}

/* sums (count rows) = numbers of the windows times delta, or added to it. */
LOOP FN(gradient_of_images)(const Call *c, const FN(Walk) *walk, FN(Rows) rows, int64_t count, int add, real *sums,
                            int64_t sums_step) {
    const Axis *h = &c->rows, *w = &c->columns;
    const Matrix *delta = &walk->delta;
    if (w->stride != 1 || h->stride != 1 || delta->columns > FN(broad)(DEPTH)) {
        FN(product_of)(&rows, count, *delta, add, sums, sums_step);
        return;
    }
    rows.inner = 1, rows.length = walk->length;
    FN(Rows) some;
    for (int64_t k = 0, terms; k < FN(terms)(&rows); k += terms) {
        terms = FN(terms_from)(&rows, k, &some);
        FN(pack_walk)(walk, w->out, k, terms, bp_packed());
        FN(sweep)(&some, 0, count, bp_packed(), WIDTH, terms * WIDTH, sums, sums_step, delta->columns, add || k);
    }
}

/* x, delta, dW, memory, padded or NULL, partial (SHARES, depth, O): a row for each number of a window. As many images
 * at once as there are frames for, or as have about DEPTH positions. */
LOOP FN(kernel_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    const Axis *h = &c->rows, *w = &c->columns;
    const View *x = &c->a[0], *padded = &c->a[4];
    const int64_t channels = SIZE(0, 3), places = h->out * w->out, together = w->dilation == 1;
    const int64_t width = w->kernel * channels, lines = together ? 1 : h->kernel;
    const int64_t at_once = padded->data ? padded->shape[0] / SHARES : larger(1, DEPTH / places);
    int64_t first, last;
    cut(SIZE(0, 0), part, parts, &first, &last);
    for (int64_t n = first; n < last; n += at_once) {
        const int64_t images = smaller(at_once, last - n);
        const FN(Image) image = FN(framed)(c, x, padded, n, part * at_once);
        for (int64_t i = 1; i < images && padded->data; i++) FN(framed)(c, x, padded, n + i, part * at_once + i);
        const int64_t across = image.row / channels;
        const FN(Walk) walk = {FN(plain)(ROW(1, n * places), images * places, SIZE(2, 1), c->a[1].step[0]),
                               places, (h->out - 1) * across + w->out, across};
        for (int64_t line = 0; line < lines; line++) {
            const FN(Rows) rows = {image.data + line * h->dilation * image.row, together ? width : channels, 1,
                                   together ? h->dilation * image.row : w->dilation * channels,
                                   images, padded->data ? padded->step[0] : x->step[0],
                                   h->out, h->stride * image.row, w->out, w->stride * channels, NULL};
            real *sums = ROW(5, part) + line * width * c->a[5].step[1];
            FN(gradient_of_images)(c, &walk, rows, together ? h->kernel * width : width, n > first, sums, c->a[5].step[1]);
        }
    }
}

LOOP FN(kernel_gradient)(const Call *c) {
    const int64_t n = SIZE(0, 0), share = (n + SHARES - 1) / SHARES;
    bp_share(FN(kernel_gradient_share), c, SHARES);
    for (int64_t i = 0; i < SIZE(2, 0); i++)
        FN(add_up)(DATA(5) + i * c->a[5].step[1], c->a[5].step[0], n ? (n + share - 1) / share : 0, ROW(2, i), SIZE(2, 1));
}
