/* The walks of an LSTM and a GRU through time, and the gates of a GRU for one step. Rows of the batch do not depend on each other: each share
 * of them walks on its own. An LSTM's gates, in the order i, f, g, o, take the places of their arguments. */

#define FEWEST_ROWS (2 * TALL) /* of a share */
#define WORTH 1000000          /* multiplications of a walk from which threads pay */

SMALL void FN(add_row)(const real *restrict more, real *restrict sum, int64_t size) {
    EACH(k, 0, size) sum[k] += more[k];
}

LOOP FN(pack_share)(const Call *c, int64_t part, int64_t parts) {
    const Matrix b = FN(matrix)(&c->a[0]);
    int64_t low, high;
    FN(cut_tiles)(b.columns, WIDTH, part, parts, &low, &high);
    for (int64_t k = 0, count; low < high && k < b.rows; k += count) {
        count = smaller(DEPTH, b.rows - k);
        FN(pack)(FN(columns_of)(FN(rows_of)(b, k, k + count), low, high), count * WIDTH,
                 (real *)c->work + (k * FN(panels)(b.columns) + low / WIDTH * count) * WIDTH);
    }
}

/* The recurrent weights, packed once for all steps and shares, as pack_all does; NULL if there is no memory. */
SMALL void *FN(walk_weights)(View U) {
    const int64_t panels = FN(panels)(U.shape[1]);
    const Call pack = {.a = {U}, .work = bp_memory((size_t)(U.shape[0] * panels * WIDTH) * sizeof(real))};
    if (pack.work) bp_share(FN(pack_share), &pack, shares_of(panels, U.size));
    return pack.work;
}

/* out = rows low to high - 1 of a times the weights. */
SMALL void FN(walk_product)(const Call *c, Matrix a, Matrix b, Matrix out) {
    const FN(Rows) rows = FN(rows_of_matrix)(a);
    if (c->work && a.columns > 0)
        FN(multiply)(&rows, 0, out.rows, c->work, (real *)out.data, out.row_step, out.columns);
    else
        FN(product)(a, b, 0, out);
}

SMALL int64_t FN(walk_parts)(int64_t steps, int64_t rows, int64_t weights) {
    return steps * rows * weights >= WORTH ? larger(1, smaller(SHARES, rows / FEWEST_ROWS)) : 1;
}

/* z (T, N, 4H), which becomes the gates, U, zh (N, 4H), h (T + 1, N, H), c, tanh c (T, N, H); flag: h[0] is zero */
LOOP FN(lstm_step)(const Call *c, int64_t t, int64_t n) {
    const int64_t width = SIZE(3, 2);
    const real *restrict zh = ROW(2, n), *restrict before = ROW3(4, t, n);
    real *restrict i = ROW3(0, t, n), *restrict f = i + width, *restrict g = f + width, *restrict o = g + width;
    real *restrict cell = ROW3(4, t + 1, n), *restrict squashed = ROW3(5, t, n), *restrict h = ROW3(3, t + 1, n);
    FN(sigmoids)(i, zh, i, width);
    FN(sigmoids)(f, zh + width, f, width);
    EACH(k, 0, width) g[k] += zh[2 * width + k];
    FN(tanhs)(g, width);
    FN(sigmoids)(o, zh + 3 * width, o, width);
    EACH(k, 0, width) cell[k] = squashed[k] = f[k] * before[k] + i[k] * g[k];
    FN(tanhs)(squashed, width);
    EACH(k, 0, width) h[k] = o[k] * squashed[k];
}

LOOP FN(lstm_walk_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(2, 0), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix zh = FN(rows_of)(FN(matrix)(&c->a[2]), low, high), U = FN(matrix)(&c->a[1]);
    for (int64_t t = 0; t < SIZE(0, 0); t++) {
        if (t == 0 && c->flag)
            for (int64_t n = low; n < high; n++) FN(clear)(ROW(2, n), SIZE(2, 1));
        else
            FN(walk_product)(c, FN(plain)(ROW3(3, t, low), high - low, SIZE(3, 2), c->a[3].step[1]), U, zh);
        for (int64_t n = low; n < high; n++) FN(lstm_step)(c, t, n);
    }
}

LOOP FN(lstm_walk)(const Call *c) {
    Call mine = *c;
    mine.work = FN(walk_weights)(c->a[1]);
    bp_share(FN(lstm_walk_share), &mine, FN(walk_parts)(SIZE(0, 0), SIZE(2, 0), c->a[1].size));
}

/* dys (T, N, H) or NULL, dh (N, H), dc, z (T, N, 4H), which turns from gates to dz, c, tanh c, U^T (4H, H); flag: h[0] is
 * zero */
LOOP FN(lstm_step_back)(const Call *c, int64_t t, int64_t n) {
    const int64_t width = SIZE(1, 1);
    const real *restrict before = ROW3(4, t, n), *restrict squashed = ROW3(5, t, n), *restrict dh = ROW(1, n);
    real *restrict cell = ROW(2, n), *restrict input = ROW3(3, t, n), *restrict forget = input + width;
    real *restrict candidate = forget + width, *restrict output = candidate + width;
    EACH(k, 0, width) {
        const real i = input[k], f = forget[k], g = candidate[k], o = output[k];
        const real slope = cell[k] + dh[k] * o * (1 - squashed[k] * squashed[k]);
        output[k] = dh[k] * squashed[k] * (o - o * o);
        input[k] = slope * g * (i - i * i);
        candidate[k] = slope * i * (1 - g * g);
        forget[k] = slope * before[k] * (f - f * f);
        cell[k] = slope * f;
    }
}

LOOP FN(lstm_walk_back_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(1, 0), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix dh = FN(rows_of)(FN(matrix)(&c->a[1]), low, high), Ut = FN(matrix)(&c->a[6]);
    for (int64_t t = SIZE(3, 0) - 1; t >= 0; t--) {
        for (int64_t n = low; n < high; n++) {
            if (c->a[0].data) FN(add_row)(ROW3(0, t, n), ROW(1, n), SIZE(1, 1));
            FN(lstm_step_back)(c, t, n);
        }
        if (t > 0 || !c->flag)
            FN(walk_product)(c, FN(plain)(ROW3(3, t, low), high - low, SIZE(3, 2), c->a[3].step[1]), Ut, dh);
    }
}

LOOP FN(lstm_walk_back)(const Call *c) {
    Call mine = *c;
    mine.work = FN(walk_weights)(c->a[6]);
    bp_share(FN(lstm_walk_back_share), &mine, FN(walk_parts)(SIZE(3, 0), SIZE(1, 0), c->a[6].size));
}

/* z (T, N, 3H), U, bias or NULL, zh (N, 3H), h (T + 1, N, H), gates (T, 3, N, H) in the order z, r, n, inner (T, N, H) */
LOOP FN(gru_step)(const Call *c, int64_t t, int64_t n) {
    const int64_t width = SIZE(4, 2);
    const real *restrict zx = ROW3(0, t, n), *restrict zh = ROW(3, n), *restrict before = ROW3(4, t, n);
    const real *restrict bias = DATA(2);
    real *restrict z = ROW3(5, t, 0) + n * c->a[5].step[2], *restrict r = z + c->a[5].step[1];
    real *restrict candidate = r + c->a[5].step[1], *restrict inner = ROW3(6, t, n), *restrict h = ROW3(4, t + 1, n);
    FN(sigmoids)(zx, zh, z, width);
    FN(sigmoids)(zx + width, zh + width, r, width);
    EACH(k, 0, width) inner[k] = zh[2 * width + k];
    if (bias) EACH(k, 0, width) inner[k] += bias[k];
    EACH(k, 0, width) candidate[k] = zx[2 * width + k] + r[k] * inner[k];
    FN(tanhs)(candidate, width);
    EACH(k, 0, width) h[k] = (before[k] - candidate[k]) * z[k] + candidate[k];
}

LOOP FN(gru_walk_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(3, 0), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix zh = FN(rows_of)(FN(matrix)(&c->a[3]), low, high), U = FN(matrix)(&c->a[1]);
    for (int64_t t = 0; t < SIZE(0, 0); t++) {
        FN(walk_product)(c, FN(plain)(ROW3(4, t, low), high - low, SIZE(4, 2), c->a[4].step[1]), U, zh);
        for (int64_t n = low; n < high; n++) FN(gru_step)(c, t, n);
    }
}

LOOP FN(gru_walk)(const Call *c) {
    Call mine = *c;
    mine.work = FN(walk_weights)(c->a[1]);
    bp_share(FN(gru_walk_share), &mine, FN(walk_parts)(SIZE(0, 0), SIZE(3, 0), c->a[1].size));
}

/* dys (T, N, H) or NULL, dh (N, H), gates, h, inner, dz (T, N, 3H), dzh (T, N, 3H), U^T (3H, H), product (N, H) */
LOOP FN(gru_step_back)(const Call *c, int64_t t, int64_t n) {
    const int64_t width = SIZE(1, 1);
    const real *restrict z = ROW3(2, t, 0) + n * c->a[2].step[2], *restrict r = z + c->a[2].step[1];
    const real *restrict candidate = r + c->a[2].step[1], *restrict before = ROW3(3, t, n), *restrict inner = ROW3(4, t, n);
    real *restrict dh = ROW(1, n), *restrict dz = ROW3(5, t, n), *restrict dzh = ROW3(6, t, n);
    EACH(k, 0, width) {
        const real dn = (1 - z[k]) * dh[k] * (1 - candidate[k] * candidate[k]);
        const real du = (before[k] - candidate[k]) * dh[k] * (z[k] - z[k] * z[k]), dr = dn * inner[k] * (r[k] - r[k] * r[k]);
        dz[k] = du;
        dz[width + k] = dr;
        dz[2 * width + k] = dn;
        dzh[k] = du;
        dzh[width + k] = dr;
        dzh[2 * width + k] = dn * r[k];
        dh[k] *= z[k];
    }
}

LOOP FN(gru_walk_back_share)(const Call *c, int64_t part, int64_t parts) {
    int64_t low, high;
    cut(SIZE(1, 0), part, parts, &low, &high);
    if (low >= high) return;
    const Matrix product = FN(rows_of)(FN(matrix)(&c->a[8]), low, high), Ut = FN(matrix)(&c->a[7]);
    for (int64_t t = SIZE(5, 0) - 1; t >= 0; t--) {
        for (int64_t n = low; n < high; n++) {
            if (c->a[0].data) FN(add_row)(ROW3(0, t, n), ROW(1, n), SIZE(1, 1));
            FN(gru_step_back)(c, t, n);
        }
        FN(walk_product)(c, FN(plain)(ROW3(6, t, low), high - low, SIZE(6, 2), c->a[6].step[1]), Ut, product);
        for (int64_t n = low; n < high; n++) FN(add_row)(ROW(8, n), ROW(1, n), SIZE(1, 1));
    }
}

LOOP FN(gru_walk_back)(const Call *c) {
    Call mine = *c;
    mine.work = FN(walk_weights)(c->a[7]);
    bp_share(FN(gru_walk_back_share), &mine, FN(walk_parts)(SIZE(5, 0), SIZE(1, 0), c->a[7].size));
}

/* zx (N, 3H), zh (N, 3H), gates (2, N, H) */
BY_ROWS(gru_gates, SIZE(0, 0), 16 * c->a[2].size) {
    const int64_t width = SIZE(2, 2);
    for (int64_t n = low; n < high; n++)
        for (int64_t gate = 0; gate < 2; gate++)
            FN(sigmoids)(ROW(0, n) + gate * width, ROW(1, n) + gate * width, ROW3(2, gate, n), width);
}

/* z (N, H), candidate, h before, h */
BY_ROWS(gru_mix, SIZE(0, 0), 8 * c->a[0].size) {
    for (int64_t n = low; n < high; n++) {
        const real *restrict z = ROW(0, n), *restrict before = ROW(2, n);
        real *restrict candidate = ROW(1, n), *restrict h = ROW(3, n);
        FN(tanhs)(candidate, SIZE(0, 1));
        EACH(k, 0, SIZE(0, 1)) h[k] = (before[k] - candidate[k]) * z[k] + candidate[k];
    }
}

/* dh (N, H), gates (3, N, H), h before, dgates (3, N, H) */
BY_ROWS(gru_unmix, SIZE(0, 0), 4 * c->a[0].size) {
    for (int64_t n = low; n < high; n++) {
        const real *restrict z = ROW3(1, 0, n), *restrict candidate = ROW3(1, 2, n), *restrict before = ROW(2, n);
        real *restrict dh = ROW(0, n), *restrict dz = ROW3(3, 0, n), *restrict dcandidate = ROW3(3, 2, n);
        EACH(k, 0, SIZE(0, 1)) {
            dz[k] = (before[k] - candidate[k]) * dh[k] * (z[k] - z[k] * z[k]);
            dcandidate[k] = (1 - z[k]) * dh[k] * (1 - candidate[k] * candidate[k]);
            dh[k] *= z[k];
        }
    }
}

#undef FEWEST_ROWS
#undef WORTH
