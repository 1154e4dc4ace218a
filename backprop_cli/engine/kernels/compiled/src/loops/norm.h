/* Batch, group and root-mean-square normalisation. Sums over examples are cut into shares, each with a part of the
 * scratch memory; centred first, so that large means cancel nothing. */

/* ---- batch: x (n, S, C) channel by channel --------------------------------------------------------------------- */

SMALL int64_t FN(batch_parts)(const Call *c) { return shares_of(SIZE(0, 0), c->a[0].size); }

/* x, mean, variance, scratch: the sums of a share, of x or of (x - mean)^2 */
LOOP FN(batch_sum_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    real *restrict sums = DATA(3) + part * SIZE(0, 2);
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(sums, SIZE(0, 2));
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict x = ROW3(0, n, s);
            EACH(k, 0, SIZE(0, 2)) sums[k] += x[k];
        }
}

LOOP FN(batch_square_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    real *restrict sums = DATA(3) + part * SIZE(0, 2);
    const real *restrict mean = DATA(1);
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(sums, SIZE(0, 2));
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict x = ROW3(0, n, s);
            EACH(k, 0, SIZE(0, 2)) sums[k] += (x[k] - mean[k]) * (x[k] - mean[k]);
        }
}

LOOP FN(batch_statistics)(const Call *c) {
    const int64_t parts = FN(batch_parts)(c), width = SIZE(0, 2);
    const real share = R(1.0 / (double)(SIZE(0, 0) * SIZE(0, 1)));
    bp_share(FN(batch_sum_share), c, parts);
    FN(add_up)(DATA(3), width, parts, DATA(1), width);
    EACH(k, 0, width) DATA(1)[k] *= share;
    bp_share(FN(batch_square_share), c, parts);
    FN(add_up)(DATA(3), width, parts, DATA(2), width);
    EACH(k, 0, width) DATA(2)[k] *= share;
}

/* x, y, mean, scale, shift */
BY_ROWS(batch_norm, SIZE(0, 0), c->a[0].size) {
    const real *restrict mean = DATA(2), *restrict scale = DATA(3), *restrict shift = DATA(4);
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *x = ROW3(0, n, s);
            real *y = ROW3(1, n, s);
            EACH(k, 0, SIZE(0, 2)) y[k] = (x[k] - mean[k]) * scale[k] + shift[k];
        }
}

/* x, dy, dx or NULL, mean, inverse, scale, dgamma, dbeta; `work` holds two sums a share */
LOOP FN(batch_slopes_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    const int64_t width = SIZE(0, 2);
    real *restrict along = (real *)c->work + 2 * part * width, *restrict level = along + width;
    const real *restrict mean = DATA(3);
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(along, 2 * width);
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict x = ROW3(0, n, s), *restrict dy = ROW3(1, n, s);
            EACH(k, 0, width) {
                level[k] += dy[k];
                along[k] += dy[k] * (x[k] - mean[k]);
            }
        }
}

LOOP FN(batch_norm_gradient_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {
    const int64_t width = SIZE(0, 2);
    const real *restrict along = (real *)c->work, *restrict level = along + width;
    const real *restrict mean = DATA(3), *restrict scale = DATA(5);
    (void)part, (void)total;
    for (int64_t n = low; n < high; n++)
        for (int64_t s = 0; s < SIZE(0, 1); s++) {
            const real *restrict x = ROW3(0, n, s), *restrict dy = ROW3(1, n, s);
            real *restrict dx = ROW3(2, n, s);
            EACH(k, 0, width) dx[k] = scale[k] * (dy[k] - level[k] - (x[k] - mean[k]) * along[k]);
        }
}

LOOP FN(batch_input_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(batch_norm_gradient_images)(c, part, low, high, SIZE(0, 0));
}

/* The sums over all images. */
LOOP FN(batch_norm_gradient_begin)(const Call *c) {
    const int64_t width = SIZE(0, 2);
    const int64_t parts = smaller(FN(batch_parts)(c), larger(1, SIZE(0, 0) * SIZE(0, 1) / 2));
    const real *inverse = DATA(4), share = c->flag ? R(1.0 / (double)(SIZE(0, 0) * SIZE(0, 1))) : R(0);
    real *dgamma = DATA(6), *dbeta = DATA(7), *along = c->work, *level = along + width;
    bp_share(FN(batch_slopes_share), c, parts);
    FN(add_up)(along, 2 * width, parts, dgamma, width);
    FN(add_up)(level, 2 * width, parts, dbeta, width);
    EACH(k, 0, width) {
        dgamma[k] *= inverse[k];
        along[k] = dgamma[k] * inverse[k] * share;
        level[k] = dbeta[k] * share;
    }
}

LOOP_OF(int64_t) FN(batch_norm_gradient_at_once)(const Call *c) { return c->a[2].data != NULL; }

LOOP FN(batch_norm_gradient)(const Call *c) {
    FN(batch_norm_gradient_begin)(c);
    if (c->a[2].data) bp_share(FN(batch_input_share), c, shares_of(SIZE(0, 0), c->a[0].size));
}

/* ---- groups: x (n, S, G, C), each group of each example by itself ------------------------------------------------ */

#define CELL(i, n, s, g) (ROW3(i, n, s) + (g)*c->a[i].step[2])

/* x, y, gamma (G, C), beta, mean (n, 1, G, 1), inverse */
BY_ROWS(group_norm, SIZE(0, 0), 2 * c->a[0].size) {
    const int64_t places = SIZE(0, 1), groups = SIZE(0, 2), width = SIZE(0, 3);
    const real epsilon = R(c->f[0]), share = R(1.0 / (double)(places * width));
    for (int64_t n = low; n < high; n++)
        for (int64_t g = 0; g < groups; g++) {
            real total = 0, squares = 0;
            for (int64_t s = 0; s < places; s++) {
                const real *restrict x = CELL(0, n, s, g);
                SUM(sum, k, width, x[k])
                total += sum;
            }
            const real mean = total * share;
            for (int64_t s = 0; s < places; s++) {
                const real *restrict x = CELL(0, n, s, g);
                SUM(sum, k, width, (x[k] - mean) * (x[k] - mean))
                squares += sum;
            }
            const real inverse = R(1) / SQRT(squares * share + epsilon);
            DATA(4)[n * groups + g] = mean;
            DATA(5)[n * groups + g] = inverse;
            const real *restrict gamma = ROW(2, g), *restrict beta = ROW(3, g);
            for (int64_t s = 0; s < places; s++) {
                const real *x = CELL(0, n, s, g);
                real *y = CELL(1, n, s, g);
                EACH(k, 0, width) y[k] = (x[k] - mean) * inverse * gamma[k] + beta[k];
            }
        }
}

/* x, dy, dx or NULL, gamma (G, C), mean (n, 1, G, 1), inverse, dgamma (G, C), dbeta */
LOOP FN(group_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    const int64_t places = SIZE(0, 1), groups = SIZE(0, 2), width = SIZE(0, 3), all = groups * width;
    const real share = R(1.0 / (double)(places * width));
    real *restrict dgamma = (real *)c->work + 2 * part * all, *restrict dbeta = dgamma + all;
    int64_t low, high;
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(dgamma, 2 * all);
    for (int64_t n = low; n < high; n++)
        for (int64_t g = 0; g < groups; g++) {
            const real mean = DATA(4)[n * groups + g], inverse = DATA(5)[n * groups + g];
            const real *restrict gamma = ROW(3, g);
            real *restrict dweight = dgamma + g * width, *restrict dshift = dbeta + g * width;
            real along = 0, level = 0; /* sums of g (x - mean) and of g = gamma dy */
            for (int64_t s = 0; s < places; s++) {
                const real *restrict x = CELL(0, n, s, g), *restrict dy = CELL(1, n, s, g);
                EACH(k, 0, width) {
                    dweight[k] += dy[k] * (x[k] - mean) * inverse;
                    dshift[k] += dy[k];
                }
                SUM(slopes, k, width, dy[k] * gamma[k])
                SUM(moments, k, width, dy[k] * gamma[k] * (x[k] - mean))
                level += slopes;
                along += moments;
            }
            if (!c->a[2].data) continue;
            level *= share;
            along *= share * inverse * inverse;
            for (int64_t s = 0; s < places; s++) {
                const real *restrict x = CELL(0, n, s, g), *restrict dy = CELL(1, n, s, g);
                real *restrict dx = CELL(2, n, s, g);
                EACH(k, 0, width) dx[k] = inverse * (dy[k] * gamma[k] - level - (x[k] - mean) * along);
            }
        }
}

LOOP FN(group_norm_gradient)(const Call *c) {
    const int64_t all = SIZE(0, 2) * SIZE(0, 3);
    const int64_t parts = smaller(shares_of(SIZE(0, 0), 2 * c->a[0].size), larger(1, SIZE(0, 0) * SIZE(0, 1) / 2));
    bp_share(FN(group_gradient_share), c, parts);
    FN(add_up)((real *)c->work, 2 * all, parts, DATA(6), all);
    FN(add_up)((real *)c->work + all, 2 * all, parts, DATA(7), all);
}

/* ---- rows by their root mean square: x (M, F) ------------------------------------------------------------------- */

/* x, y, gamma (F,), inverse (M, 1) */
BY_ROWS(rms_norm, SIZE(0, 0), 2 * c->a[0].size) {
    const real *restrict gamma = DATA(2);
    const int64_t width = SIZE(0, 1);
    for (int64_t n = low; n < high; n++) {
        const real *x = ROW(0, n);
        real *y = ROW(1, n);
        SUM(squares, k, width, x[k] * x[k])
        const real inverse = R(1) / SQRT(squares / R(width) + R(c->f[0]));
        DATA(3)[n] = inverse;
        EACH(k, 0, width) y[k] = x[k] * inverse * gamma[k];
    }
}

/* x, dy, dx or NULL, gamma, inverse, dgamma */
LOOP FN(rms_gradient_share)(const Call *c, int64_t part, int64_t parts) {
    const int64_t width = SIZE(0, 1);
    const real *restrict gamma = DATA(3);
    real *restrict dgamma = (real *)c->work + part * width;
    int64_t low, high;
    cut(SIZE(0, 0), part, parts, &low, &high);
    FN(clear)(dgamma, width);
    for (int64_t n = low; n < high; n++) {
        const real *restrict x = ROW(0, n), *restrict dy = ROW(1, n);
        const real inverse = DATA(4)[n];
        EACH(k, 0, width) dgamma[k] += dy[k] * x[k] * inverse;
        if (!c->a[2].data) continue;
        SUM(sum, k, width, dy[k] * gamma[k] * x[k])
        const real along = sum * inverse * inverse / R(width);
        real *restrict dx = ROW(2, n);
        EACH(k, 0, width) dx[k] = inverse * (dy[k] * gamma[k] - x[k] * along);
    }
}

LOOP FN(rms_norm_gradient)(const Call *c) {
    const int64_t parts = shares_of(SIZE(0, 0), 2 * c->a[0].size);
    bp_share(FN(rms_gradient_share), c, parts);
    FN(add_up)((real *)c->work, SIZE(0, 1), parts, DATA(5), SIZE(0, 1));
}
