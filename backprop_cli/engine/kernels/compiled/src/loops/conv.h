/* Convolution by windows laid out as a matrix, a few images at a time so that it stays in the cache.
 *
 * The batch is cut into SHARES, each with a part of the scratch memory of its own. Images are (n, H, W, C); z and
 * delta are matrices (n*oh*ow, O), W is (kh*kw*C, O). With `padded` images go through frames: with zeros around them,
 * or some of the channels side by side. */

/* What belongs to one share of one call. */
typedef struct {
    int64_t channels, places, depth; /* positions of an image; numbers of a window */
    int64_t first, last, at_once;    /* images of this share; images laid out at once */
    int64_t pieces, run, hop;        /* of a window's row: pieces that lie together, their length, from one to the next */
    real *memory, *frame;            /* for windows; for one image, or NULL */
    int64_t frame_row;
} FN(Plan);

SMALL FN(Plan) FN(plan)(const Call *c, const View *images, const View *patches, const View *padded, int64_t part) {
    FN(Plan) p;
    const Axis *w = &c->columns;
    const int64_t n = images->shape[0], share = (n + SHARES - 1) / SHARES, slot = patches->size / SHARES;
    p.channels = images->shape[3];
    p.places = c->rows.out * w->out;
    p.depth = c->rows.kernel * w->kernel * p.channels;
    p.first = smaller(part * share, n);
    p.last = smaller(p.first + share, n);
    p.at_once = slot / (p.places * p.depth);
    p.pieces = w->dilation == 1 ? 1 : w->kernel;
    p.run = w->dilation == 1 ? w->kernel * p.channels : p.channels;
    p.hop = w->dilation * p.channels;
    p.memory = (real *)patches->data + part * slot;
    p.frame = padded->data ? (real *)padded->data + part * padded->step[0] : NULL;
    p.frame_row = padded->step[1];
    return p;
}

/* One image into the frame, zeros around it. */
SMALL void FN(into_frame)(const Call *c, const FN(Plan) *p, const View *x, int64_t n) {
    const real *image = (const real *)x->data + n * x->step[0];
    const int64_t left = c->columns.before * p->channels, row = p->frame_row;
    const int64_t height = c->rows.size + c->rows.before + c->rows.after;
    FN(clear)(p->frame, height * row);
    for (int64_t h = 0; h < x->shape[1]; h++)
        for (int64_t w = 0; w < x->shape[2]; w++) {
            const real *restrict from = image + h * x->step[1] + w * x->step[2];
            real *restrict to = p->frame + (c->rows.before + h) * row + left + w * p->channels;
            EACH(k, 0, p->channels) to[k] = from[k];
        }
}

SMALL void FN(out_of_frame)(const Call *c, const FN(Plan) *p, const View *x, int64_t n) {
    real *image = (real *)x->data + n * x->step[0];
    const int64_t left = c->columns.before * p->channels, row = p->frame_row;
    for (int64_t h = 0; h < x->shape[1]; h++)
        for (int64_t w = 0; w < x->shape[2]; w++) {
            const real *restrict from = p->frame + (c->rows.before + h) * row + left + w * p->channels;
            real *restrict to = image + h * x->step[1] + w * x->step[2];
            EACH(k, 0, p->channels) to[k] = from[k];
        }
}

/* The windows of one image as rows of cols. */
SMALL void FN(lay_out)(const Call *c, const FN(Plan) *p, const real *image, int64_t row, real *cols) {
    const int64_t step = c->columns.stride * p->channels, run = p->run, depth = p->depth;
    for (int64_t oh = 0; oh < c->rows.out; oh++)
        for (int64_t i = 0; i < c->rows.kernel; i++)
            for (int64_t j = 0; j < p->pieces; j++) {
                const real *restrict from = image + (oh * c->rows.stride + i * c->rows.dilation) * row + j * p->hop;
                real *restrict to = cols + oh * c->columns.out * depth + (i * p->pieces + j) * run;
                for (int64_t ow = 0; ow < c->columns.out; ow++, from += step, to += depth)
                    EACH(k, 0, run) to[k] = from[k];
            }
}

/* Each window's share summed where the window was. */
SMALL void FN(put_back)(const Call *c, const FN(Plan) *p, const real *dcols, int64_t row, real *image) {
    const int64_t step = c->columns.stride * p->channels, run = p->run, depth = p->depth;
    for (int64_t oh = 0; oh < c->rows.out; oh++)
        for (int64_t i = 0; i < c->rows.kernel; i++)
            for (int64_t j = 0; j < p->pieces; j++) {
                real *to = image + (oh * c->rows.stride + i * c->rows.dilation) * row + j * p->hop;
                const real *from = dcols + oh * c->columns.out * depth + (i * p->pieces + j) * run;
                for (int64_t ow = 0; ow < c->columns.out; ow++, to += step, from += depth) {
                    real *restrict sums = to;
                    const real *restrict share = from;
                    EACH(k, 0, run) sums[k] += share[k];
                }
            }
}

LOOP FN(windows)(const Call *c, const FN(Plan) *p, const View *x, int64_t first, int64_t last, real *cols) {
    for (int64_t n = first; n < last; n++, cols += p->places * p->depth) {
        if (p->frame) FN(into_frame)(c, p, x, n);
        const real *image = p->frame ? p->frame : (const real *)x->data + n * x->step[0];
        FN(lay_out)(c, p, image, p->frame ? p->frame_row : x->step[1], cols);
    }
}

SMALL Matrix FN(plain)(const real *data, int64_t rows, int64_t columns, int64_t step) {
    return (Matrix){data, rows, columns, step, 1};
}

SMALL Matrix FN(transposed)(Matrix m) { return (Matrix){m.data, m.columns, m.rows, m.column_step, m.row_step}; }

/* x, W, z, patches, kept or NULL, padded or NULL */
LOOP FN(convolve_share)(const Call *c, int64_t part, int64_t parts) {
    const FN(Plan) p = FN(plan)(c, &c->a[0], &c->a[3], &c->a[5], part);
    (void)parts;
    for (int64_t first = p.first; first < p.last; first += p.at_once) {
        const int64_t last = smaller(first + p.at_once, p.last), size = (last - first) * p.places;
        real *memory = c->a[4].data ? DATA(4) + first * p.places * p.depth : p.memory;
        FN(windows)(c, &p, &c->a[0], first, last, memory);
        PRODUCT(FN(plain)(memory, size, p.depth, p.depth), FN(matrix)(&c->a[1]), 0,
                FN(plain)(ROW(2, first * p.places), size, SIZE(2, 1), c->a[2].step[0]));
    }
}

LOOP FN(convolve)(const Call *c) { bp_share(FN(convolve_share), c, SHARES); }

/* x, delta, dW, patches, kept or NULL, padded or NULL, partial (SHARES, depth, O) */
LOOP FN(kernel_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    const FN(Plan) p = FN(plan)(c, &c->a[0], &c->a[3], &c->a[5], part);
    const Matrix sums = FN(plain)(ROW(6, part), p.depth, SIZE(2, 1), c->a[6].step[1]);
    (void)parts;
    for (int64_t first = p.first; first < p.last; first += p.at_once) {
        const int64_t last = smaller(first + p.at_once, p.last), size = (last - first) * p.places;
        real *memory = c->a[4].data ? DATA(4) + first * p.places * p.depth : p.memory;
        if (!c->a[4].data) FN(windows)(c, &p, &c->a[0], first, last, memory);
        PRODUCT(FN(transposed)(FN(plain)(memory, size, p.depth, p.depth)),
                FN(plain)(ROW(1, first * p.places), size, SIZE(2, 1), c->a[1].step[0]), first == p.first ? 0 : 1, sums);
    }
}

LOOP FN(kernel_gradient)(const Call *c) {
    const int64_t n = SIZE(0, 0), share = (n + SHARES - 1) / SHARES;
    bp_share(FN(kernel_gradient_share), c, SHARES);
    for (int64_t i = 0; i < SIZE(2, 0); i++)
        FN(add_up)(DATA(6) + i * c->a[6].step[1], c->a[6].step[0], n ? (n + share - 1) / share : 0, ROW(2, i), SIZE(2, 1));
}

/* delta, W, dx, patches, padded or NULL */
LOOP FN(input_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    const View *dx = &c->a[2];
    const FN(Plan) p = FN(plan)(c, dx, &c->a[3], &c->a[4], part);
    const int64_t height = c->rows.size + c->rows.before + c->rows.after;
    (void)parts;
    for (int64_t first = p.first; first < p.last; first += p.at_once) {
        const int64_t last = smaller(first + p.at_once, p.last), size = (last - first) * p.places;
        PRODUCT(FN(plain)(ROW(0, first * p.places), size, SIZE(0, 1), c->a[0].step[0]),
                FN(transposed)(FN(matrix)(&c->a[1])), 0, FN(plain)(p.memory, size, p.depth, p.depth));
        for (int64_t n = first; n < last; n++) {
            real *image = p.frame ? p.frame : ROW(2, n);
            const int64_t row = p.frame ? p.frame_row : dx->step[1];
            FN(clear)(image, (p.frame ? height : dx->shape[1]) * row);
            FN(put_back)(c, &p, p.memory + (n - first) * p.places * p.depth, row, image);
            if (p.frame) FN(out_of_frame)(c, &p, dx, n);
        }
    }
}

LOOP FN(input_gradient)(const Call *c) { bp_share(FN(input_gradient_share), c, SHARES); }
