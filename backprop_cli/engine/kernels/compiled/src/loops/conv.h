/* Convolution as a product whose left operand are the windows, read where they lie in the images.
 *
 * The batch is cut into SHARES, each with a part of the scratch memory of its own. Images are (n, H, W, C); z and
 * delta are matrices (n*oh*ow, O), W is (kh*kw*C, O). With `padded` images go through frames: with zeros around them,
 * or some of the channels side by side. */

/* Where an image is read. */
typedef struct {
    const real *data;
    int64_t row; /* numbers from one row to the next */
} FN(Image);

/* Image n; with a frame it is copied there, `above` rows and `left` columns from its corner, and zeros around it. */
SMALL FN(Image) FN(image)(const View *x, int64_t n, real *frame, int64_t size, int64_t row, int64_t above, int64_t left) {
    const real *image = (const real *)x->data + n * x->step[0];
    if (!frame) return (FN(Image)){image, x->step[1]};
    FN(clear)(frame, size);
    for (int64_t h = 0; h < x->shape[1]; h++)
        for (int64_t w = 0; w < x->shape[2]; w++) {
            const real *restrict from = image + h * x->step[1] + w * x->step[2];
            real *restrict to = frame + (above + h) * row + (left + w) * x->shape[3];
            EACH(k, 0, x->shape[3]) to[k] = from[k];
        }
    return (FN(Image)){frame, row};
}

SMALL FN(Image) FN(framed)(const Call *c, const View *x, const View *padded, int64_t n, int64_t number) {
    real *frame = padded->data ? (real *)padded->data + number * padded->step[0] : NULL;
    const int64_t height = c->rows.size + c->rows.before + c->rows.after;
    return FN(image)(x, n, frame, height * padded->step[1], padded->step[1], c->rows.before, c->columns.before);
}

/* A row for each position of the output, its terms the numbers of a window. */
SMALL FN(Rows) FN(windows)(const Call *c, FN(Image) image, int64_t channels, int64_t stride_h, int64_t stride_w) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t together = w->dilation == 1 ? w->kernel : 1; /* places of the window that lie side by side */
    return (FN(Rows)){image.data, 0, stride_w * channels, stride_h * image.row,
                      h->kernel, h->dilation * image.row, w->kernel / together, w->dilation * channels,
                      together * channels, 1, NULL, 0, 0};
}

/* Of a window's `kernel` rows, `dilation` apart, the first not before row 0, and the first after row size - 1, for the
 * window that begins at row `start`. */
SMALL void FN(rows_inside)(const Axis *axis, int64_t start, int64_t size, int64_t *from, int64_t *to) {
    const int64_t step = axis->dilation;
    *from = smaller(axis->kernel, start < 0 ? (-start + step - 1) / step : 0);
    *to = smaller(axis->kernel, start < size ? (size - start + step - 1) / step : 0);
}

/* One image convolved, `wide` places in each of `high` rows; rows of windows that see nothing but zeros, `above` and below
 * the image's `size` rows, are left out. */
LOOP FN(convolve_image)(const Axis *axis, FN(Rows) rows, int64_t high, int64_t wide, int64_t stride, int64_t above,
                        int64_t size, const real *packed, real *out, int64_t out_step, int64_t columns) {
    rows.across = wide;
    for (int64_t first = 0, last; first < high; first = last) {
        int64_t from, to, next_from, next_to;
        FN(rows_inside)(axis, first * stride - above, size, &from, &to);
        for (last = first + 1; last < high; last++) {
            FN(rows_inside)(axis, last * stride - above, size, &next_from, &next_to);
            if (next_from != from || next_to != to) break;
        }
        FN(multiply_some)(&rows, first * wide, last * wide, from, to, packed, out + first * wide * out_step, out_step,
                          columns);
    }
}

/* x, W, z, memory, padded or NULL */
LOOP FN(convolve_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {
    const int64_t places = c->rows.out * c->columns.out;
    (void)total;
    for (int64_t n = low; n < high; n++) {
        const FN(Image) image = FN(framed)(c, &c->a[0], &c->a[4], n, part);
        const FN(Rows) rows = FN(windows)(c, image, SIZE(0, 3), c->rows.stride, c->columns.stride);
        FN(convolve_image)(&c->rows, rows, c->rows.out, c->columns.out, c->rows.stride, c->rows.before, c->rows.size,
                           DATA(3), ROW(2, n * places), c->a[2].step[0], SIZE(2, 1));
    }
}

LOOP FN(convolve_begin)(const Call *c) {
    const FN(Rows) shape = FN(windows)(c, (FN(Image)){DATA(0), 0}, SIZE(0, 3), 1, 1);
    FN(pack_all)(&shape, FN(matrix)(&c->a[1]), DATA(3));
}

BY_IMAGES(convolve, SIZE(0, 0), FN(convolve_begin)(c), )
