/* Pooling in one pass over the image, and its gradient in another. Images (n, H, W, C); loops run over channels. */

#define AT(i, n, h, w) (ROW3(i, n, h) + (w)*c->a[i].step[2])
#define EVERY_CELL(n)                                                                                               \
    for (int64_t oh = 0; oh < c->rows.out; oh++)                                                                    \
        for (int64_t ow = 0; ow < c->columns.out; ow++)                                                             \
            for (int64_t i = 0; i < c->rows.kernel; i++)                                                            \
                for (int64_t j = 0; j < c->columns.kernel; j++)                                                     \
                    if (FN(inside)(&c->rows, oh, i) && FN(inside)(&c->columns, ow, j))
#define CELL_H (oh * c->rows.stride + i * c->rows.dilation - c->rows.before)
#define CELL_W (ow * c->columns.stride + j * c->columns.dilation - c->columns.before)

SMALL int FN(inside)(const Axis *axis, int64_t o, int64_t i) {
    const int64_t place = o * axis->stride + i * axis->dilation - axis->before;
    return place >= 0 && place < axis->size;
}

/* Windows of 2 x 2 side by side, the most common of all. */
SMALL int FN(by_two)(const Axis *axis) {
    return axis->kernel == 2 && axis->stride == 2 && axis->dilation == 1 && axis->before == 0
           && axis->out == axis->size / 2;
}

SMALL real FN(winner)(real a, real b) {
    const real most = a >= b ? a : b;
    return a != a ? a : most; /* NaN stays */
}

/* x, y */
BY_ROWS(max_pool, SIZE(0, 0), c->a[0].size) {
    const int64_t channels = SIZE(0, 3);
    if (FN(by_two)(&c->rows) && FN(by_two)(&c->columns)) {
        for (int64_t n = low; n < high; n++)
            for (int64_t oh = 0; oh < c->rows.out; oh++)
                for (int64_t ow = 0; ow < c->columns.out; ow++) {
                    const real *restrict p = AT(0, n, 2 * oh, 2 * ow), *restrict q = p + c->a[0].step[2];
                    const real *restrict r = p + c->a[0].step[1], *restrict s = r + c->a[0].step[2];
                    real *restrict y = AT(1, n, oh, ow);
                    int64_t whole = 0;
                    for (; whole + LANES <= channels; whole += LANES)
                        STORE(y + whole) = FN(winners)(FN(winners)(LOAD(p + whole), LOAD(q + whole)),
                                                       FN(winners)(LOAD(r + whole), LOAD(s + whole)));
                    for (int64_t k = whole; k < channels; k++)
                        y[k] = FN(winner)(FN(winner)(p[k], q[k]), FN(winner)(r[k], s[k]));
                }
        return;
    }
    for (int64_t n = low; n < high; n++) {
        for (int64_t oh = 0; oh < c->rows.out; oh++)
            for (int64_t ow = 0; ow < c->columns.out; ow++) {
                real *y = AT(1, n, oh, ow);
                EACH(k, 0, channels) y[k] = -(real)INFINITY;
            }
        EVERY_CELL(n) {
            const real *restrict x = AT(0, n, CELL_H, CELL_W);
            real *restrict y = AT(1, n, oh, ow);
            EACH(k, 0, channels) y[k] = FN(winner)(y[k], x[k]);
        }
    }
}

LOOP FN(one_of_four)(const Call *c, int64_t low, int64_t high) {
    const int64_t channels = SIZE(0, 3), right = c->a[3].step[2], down = c->a[3].step[1];
    for (int64_t n = low; n < high; n++) {
        if (SIZE(3, 1) % 2)
            for (int64_t w = 0; w < SIZE(3, 2); w++) FN(clear)(AT(3, n, SIZE(3, 1) - 1, w), channels);
        if (SIZE(3, 2) % 2)
            for (int64_t h = 0; h < SIZE(3, 1); h++) FN(clear)(AT(3, n, h, SIZE(3, 2) - 1), channels);
        for (int64_t oh = 0; oh < c->rows.out; oh++)
            for (int64_t ow = 0; ow < c->columns.out; ow++) {
                const real *restrict best = AT(1, n, oh, ow), *restrict dy = AT(2, n, oh, ow);
                const real *restrict p = AT(0, n, 2 * oh, 2 * ow), *restrict q = p + c->a[0].step[2];
                const real *restrict r = p + c->a[0].step[1];
                real *restrict dp = AT(3, n, 2 * oh, 2 * ow), *restrict dq = dp + right;
                real *restrict dr = dp + down, *restrict ds = dr + right;
                int64_t whole = 0;
                for (; whole + LANES <= channels; whole += LANES) {
                    const FN(Vector) most = LOAD(best + whole), given = LOAD(dy + whole);
                    const FN(Mask) in_p = LOAD(p + whole) == most, in_q = LOAD(q + whole) == most;
                    const FN(Mask) in_r = LOAD(r + whole) == most;
                    const FN(Vector) but_p = FN(except)(in_p, given), but_q = FN(except)(in_q, but_p);
                    STORE(dp + whole) = FN(where)(in_p, given);
                    STORE(dq + whole) = FN(where)(in_q, but_p);
                    STORE(dr + whole) = FN(where)(in_r, but_q);
                    STORE(ds + whole) = FN(except)(in_r, but_q);
                }
                for (int64_t k = whole; k < channels; k++) {
                    const real from_p = p[k] == best[k] ? dy[k] : R(0), but_p = p[k] == best[k] ? R(0) : dy[k];
                    const real from_q = q[k] == best[k] ? but_p : R(0), but_q = q[k] == best[k] ? R(0) : but_p;
                    dp[k] = from_p;
                    dq[k] = from_q;
                    dr[k] = r[k] == best[k] ? but_q : R(0);
                    ds[k] = r[k] == best[k] ? R(0) : but_q;
                }
            }
    }
}

/* x, y, dy (consumed), dx: dy goes to the first cell of each window that equals y */
BY_ROWS(max_pool_gradient, SIZE(0, 0), c->a[0].size) {
    const int64_t channels = SIZE(0, 3);
    if (FN(by_two)(&c->rows) && FN(by_two)(&c->columns)) {
        FN(one_of_four)(c, low, high);
        return;
    }
    for (int64_t n = low; n < high; n++) {
        for (int64_t h = 0; h < SIZE(3, 1); h++)
            for (int64_t w = 0; w < SIZE(3, 2); w++) FN(clear)(AT(3, n, h, w), channels);
        EVERY_CELL(n) {
            const real *restrict x = AT(0, n, CELL_H, CELL_W), *restrict best = AT(1, n, oh, ow);
            real *restrict left = AT(2, n, oh, ow), *restrict dx = AT(3, n, CELL_H, CELL_W);
            EACH(k, 0, channels) {
                const real taken = x[k] == best[k] ? left[k] : R(0);
                dx[k] += taken;
                left[k] = x[k] == best[k] ? R(0) : left[k];
            }
        }
    }
}

/* x, y, scale (oh, ow, 1) */
BY_ROWS(avg_pool, SIZE(0, 0), c->a[0].size) {
    const int64_t channels = SIZE(0, 3);
    for (int64_t n = low; n < high; n++) {
        for (int64_t oh = 0; oh < c->rows.out; oh++)
            for (int64_t ow = 0; ow < c->columns.out; ow++) FN(clear)(AT(1, n, oh, ow), channels);
        EVERY_CELL(n) {
            const real *restrict x = AT(0, n, CELL_H, CELL_W);
            real *restrict y = AT(1, n, oh, ow);
            EACH(k, 0, channels) y[k] += x[k];
        }
        for (int64_t oh = 0; oh < c->rows.out; oh++)
            for (int64_t ow = 0; ow < c->columns.out; ow++) {
                const real scale = *ROW3(2, oh, ow);
                real *restrict y = AT(1, n, oh, ow);
                EACH(k, 0, channels) y[k] *= scale;
            }
    }
}

/* dy, dx, scale */
BY_ROWS(avg_pool_gradient, SIZE(0, 0), c->a[1].size) {
    const int64_t channels = SIZE(0, 3);
    for (int64_t n = low; n < high; n++) {
        for (int64_t h = 0; h < SIZE(1, 1); h++)
            for (int64_t w = 0; w < SIZE(1, 2); w++) FN(clear)(AT(1, n, h, w), channels);
        EVERY_CELL(n) {
            const real scale = *ROW3(2, oh, ow);
            const real *restrict dy = AT(0, n, oh, ow);
            real *restrict dx = AT(1, n, CELL_H, CELL_W);
            EACH(k, 0, channels) dx[k] += dy[k] * scale;
        }
    }
}
