/* The gradient of a convolution by its images. */

/* Where the stride is 1 and channels fill a register at least by half, dx is a convolution, too: of delta, with as many
 * zeros around it as a window reaches, and the kernel turned around. */
SMALL int FN(turns)(const Call *c) {
    const Axis *h = &c->rows, *w = &c->columns;
    const View *dx = &c->a[2];
    const int64_t high = (h->kernel - 1) * h->dilation, wide = (w->kernel - 1) * w->dilation;
    return h->stride == 1 && w->stride == 1 && 2 * dx->shape[3] >= LANES && larger(h->before, h->after) <= high
           && larger(w->before, w->after) <= wide && (dx->shape[1] <= 1 || dx->step[1] == dx->shape[2] * dx->step[2]);
}

/* The kernel turned around, (kh*kw*O, C), in panels. */
LOOP FN(pack_turned)(const FN(Rows) *a, const View *W, int64_t channels, real *out) {
    const int64_t filters = W->shape[1], taps = W->shape[0] / channels;
    FN(Rows) some;
    for (int64_t k = 0, count; k < taps * filters; k += count) {
        count = FN(terms_from)(a, k, &some);
        for (int64_t at = k, next; at < k + count; at = next) {
            const int64_t tap = at / filters, low = at % filters;
            next = smaller((tap + 1) * filters, k + count);
            const real *from = (const real *)W->data + (taps - 1 - tap) * channels * W->step[0];
            const Matrix part = FN(transposed)(FN(plain)(from + low, channels, next - at, W->step[0]));
            FN(pack)(part, count * WIDTH, out + (at - k) * WIDTH);
        }
        out += count * WIDTH * FN(panels)(channels);
    }
}

/* delta (n, oh, ow, O) as images, and how large their frames are */
SMALL View FN(slopes)(const Call *c, int64_t *size, int64_t *row) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t filters = SIZE(0, 1), step = c->a[0].step[0];
    *row = (w->size + (w->kernel - 1) * w->dilation) * filters;
    *size = (h->size + (h->kernel - 1) * h->dilation) * *row;
    return (View){c->a[0].data, c->a[0].size, {SIZE(2, 0), h->out, w->out, filters},
                  {h->out * w->out * step, w->out * step, step, 1}};
}

/* Numbers of the packed kernel. */
SMALL int64_t FN(packed)(int64_t depth, int64_t columns) { return depth * FN(panels)(columns) * WIDTH; }

/* delta, W, dx, memory, padded or NULL */
LOOP FN(turned_images)(const Call *c, int64_t part, int64_t first, int64_t last) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t channels = SIZE(2, 3), filters = SIZE(0, 1);
    int64_t size, row;
    const View slopes = FN(slopes)(c, &size, &row);
    real *frame = DATA(3) + FN(packed)(SIZE(1, 0) / channels * filters, channels) + part * size;
    for (int64_t n = first; n < last; n++) {
        const int64_t above = (h->kernel - 1) * h->dilation - h->before, left = (w->kernel - 1) * w->dilation - w->before;
        const FN(Image) image = FN(image)(&slopes, n, frame, size, row, above, left);
        FN(convolve_image)(h, FN(windows)(c, image, filters, 1, 1), h->size, w->size, 1, above, h->out, DATA(3), ROW(2, n),
                           c->a[2].step[2], channels);
    }
}

/* Each window's share of one image summed where the window was. What lies side by side in a row of it goes at once. */
LOOP FN(put_back)(const Call *c, const real *dcols, int64_t channels, int64_t row, real *image) {
    const Axis *h = &c->rows, *w = &c->columns;
    const int64_t pieces = w->dilation == 1 ? 1 : w->kernel, run = w->kernel / pieces * channels;
    const int64_t depth = h->kernel * w->kernel * channels, step = w->stride * channels;
    for (int64_t oh = 0; oh < h->out; oh++)
        for (int64_t i = 0; i < h->kernel; i++)
            for (int64_t j = 0; j < pieces; j++) {
                real *to = image + (oh * h->stride + i * h->dilation) * row + j * w->dilation * channels;
                const real *from = dcols + oh * w->out * depth + (i * pieces + j) * run;
                for (int64_t ow = 0; ow < w->out; ow++, to += step, from += depth) {
                    real *restrict sums = to;
                    const real *restrict share = from;
                    EACH(k, 0, run) sums[k] += share[k];
                }
            }
}

/* Otherwise the shares of all windows are a product, of as many images at once as there is room for. */
LOOP FN(scattered_images)(const Call *c, int64_t part, int64_t first, int64_t last) {
    const View *dx = &c->a[2], *padded = &c->a[4];
    const int64_t channels = SIZE(2, 3), places = c->rows.out * c->columns.out, depth = SIZE(1, 0);
    const int64_t high = c->rows.size + c->rows.before + c->rows.after, left = c->columns.before * channels;
    const int64_t slot = c->a[3].size / SHARES, at_once = slot / (places * depth);
    real *memory = DATA(3) + part * slot;
    for (int64_t n = first; n < last; n++) {
        if ((n - first) % at_once == 0) {
            const int64_t size = smaller(at_once, last - n) * places;
            FN(product)(FN(plain)(ROW(0, n * places), size, SIZE(0, 1), c->a[0].step[0]),
                        FN(transposed)(FN(matrix)(&c->a[1])), 0, FN(plain)(memory, size, depth, depth));
        }
        real *image = padded->data ? ROW(4, part) : ROW(2, n);
        const int64_t row = padded->data ? padded->step[1] : dx->step[1];
        FN(clear)(image, (padded->data ? high : dx->shape[1]) * row);
        FN(put_back)(c, memory + (n - first) % at_once * places * depth, channels, row, image);
        if (!padded->data) continue;
        for (int64_t h = 0; h < dx->shape[1]; h++)
            for (int64_t w = 0; w < dx->shape[2]; w++) {
                const real *restrict from = image + (c->rows.before + h) * row + left + w * channels;
                real *restrict to = ROW3(2, n, h) + w * dx->step[2];
                EACH(k, 0, channels) to[k] = from[k];
            }
    }
}

LOOP FN(input_gradient_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {
    (void)total;
    (FN(turns)(c) ? FN(turned_images) : FN(scattered_images))(c, part, low, high);
}

LOOP FN(input_gradient_begin)(const Call *c) {
    const FN(Rows) shape = FN(windows)(c, (FN(Image)){DATA(0), 0}, SIZE(0, 1), 1, 1);
    if (FN(turns)(c)) FN(pack_turned)(&shape, &c->a[1], SIZE(2, 3), DATA(3));
}

/* What is scattered goes through frames, which the gradient by the kernel uses, too. */
LOOP_OF(int64_t) FN(input_gradient_at_once)(const Call *c) { return FN(turns)(c); }

BY_IMAGES(input_gradient, SIZE(2, 0), FN(input_gradient_begin)(c), )
