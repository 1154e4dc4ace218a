/* Rows of a table that a batch looks up. touched (3, V + 1): how many this batch has looked up, or -1, and which; where
 * each row is in that list; how many the batch before has looked up, and which. */

/* ids (m,), rows (m, D), table (V, D): each id's rows added in order, zeros where there are none; touched */
LOOP FN(scatter_rows)(const Call *c) {
    const int64_t *ids = c->a[0].data, width = SIZE(2, 1), step = c->a[3].step[0];
    int64_t *now = c->a[3].data, *places = now + step, *before = places + step;
    const int listed = now[0] >= 0;
    for (int64_t v = 0; !listed && v < SIZE(2, 0); v++) FN(clear)(ROW(2, v), width);
    for (int64_t i = 0; listed && i <= now[0]; i++) {
        before[i] = now[i];
        if (i) FN(clear)(ROW(2, now[i]), width);
    }
    if (listed) now[0] = 0;
    for (int64_t m = 0; m < SIZE(1, 0); m++) {
        const int64_t id = ids[m];
        if (id < 0 || id >= SIZE(2, 0)) continue;
        if (listed && (places[id] < 1 || places[id] > now[0] || now[places[id]] != id)) {
            places[id] = ++now[0];
            now[now[0]] = id;
        }
        const real *restrict row = ROW(1, m);
        real *restrict sum = ROW(2, id);
        EACH(k, 0, width) sum[k] += row[k];
    }
}

/* a, b (V, D), touched; work: the sum, a double. Rows of this batch, then those of the one before, part by part, into a[3]
 * of a copy of the call. */
LOOP FN(inner_rows_share)(const Call *c, int64_t part, int64_t parts) {
    const int64_t *now = c->a[2].data, *before = now + 2 * c->a[2].step[0], width = SIZE(0, 1);
    int64_t low, high;
    cut(now[0] + before[0], part, parts, &low, &high);
    FN(Vector) sums = {0};
    real total = 0;
    for (int64_t i = low; i < high; i++) {
        const int64_t row = i < now[0] ? now[i + 1] : before[i - now[0] + 1];
        const real *a = ROW(0, row), *b = ROW(1, row);
        int64_t k = 0;
        for (; k + LANES <= width; k += LANES) sums += *(const FN(Vector) *)(a + k) * *(const FN(Vector) *)(b + k);
        for (; k < width; k++) total += a[k] * b[k];
    }
    for (int64_t i = 0; i < LANES; i++) total += sums[i];
    ((double *)c->a[3].data)[part] = (double)total;
}

LOOP FN(inner_rows)(const Call *c) {
    const int64_t *now = c->a[2].data, rows = now[0] + now[2 * c->a[2].step[0]];
    double sums[SHARES] = {0}, total = 0;
    Call mine = *c;
    mine.a[3].data = sums;
    bp_share(FN(inner_rows_share), &mine, shares_of(rows, rows * SIZE(0, 1)));
    for (int i = 0; i < SHARES; i++) total += sums[i];
    *(double *)c->work = total;
}

/* Row number i of those that this batch has looked up. */
#define LISTED(array, i) ROW(array, touched[i])

/* w, g (V, D), touched; f: the rate */
BY_ROWS(sgd_rows, *(const int64_t *)c->a[2].data, *(const int64_t *)c->a[2].data * SIZE(0, 1)) {
    const int64_t *touched = c->a[2].data;
    const real rate = R(c->f[0]);
    for (int64_t i = low + 1; i <= high; i++) {
        real *restrict w = LISTED(0, i);
        const real *restrict g = LISTED(1, i);
        EACH(k, 0, SIZE(0, 1)) w[k] -= rate * g[k];
    }
}

/* w, g, m, v (V, D), touched; f: rate, beta 1 and 2, epsilon */
BY_ROWS(adam_rows, *(const int64_t *)c->a[4].data, *(const int64_t *)c->a[4].data * SIZE(0, 1)) {
    const int64_t *touched = c->a[4].data;
    for (int64_t i = low + 1; i <= high; i++)
        FN(adam_step)(c, LISTED(0, i), LISTED(1, i), LISTED(2, i), LISTED(3, i), 0, SIZE(0, 1));
}

#undef LISTED
