/* What Python calls: one function for each kernel of reference/, with the same arguments in the same order.
 *
 * Each returns 0 when it is done, and 1, having done nothing, where the arrays are not as it wants them: the loader
 * then calls the reference. Windows come as seven numbers. */
#include "objects.h"

typedef const void *Object;

static _Thread_local Call *wanted; /* where the next call goes instead of being made, or NULL */

void bp_record(Call *call) { wanted = call; }

void bp_run(const Call *call) { call->run(call); }

int64_t bp_call_size(void) { return sizeof(Call); }

int64_t bp_call_numbers(void) { return offsetof(Call, f); }

static int go(Call *call, int id, int type) {
    if (!type) return 1;
    call->run = bp_loops[type == 'd'][id];
    if (wanted) {
        *wanted = *call;
        wanted = NULL;
        return 0;
    }
    call->run(call);
    return 0;
}

#define TAKE(words, ...) bp_take(&call, words, (Object[]){__VA_ARGS__})
#define SIMPLE(name, parameters, words, ...)                                                                        \
    int bp_##name parameters {                                                                                      \
        Call call;                                                                                                  \
        return go(&call, ID_##name, TAKE(words, __VA_ARGS__));                                                      \
    }

SIMPLE(add, (Object a, Object b, Object out), "^ ^ ^", a, b, out)
SIMPLE(copy, (Object x, Object out), "^ ^", x, out)
SIMPLE(relu, (Object x, Object y), "^ ^", x, y)

int bp_relu_gradient(Object y, Object dy, Object dx, Object positive) {
    Call call;
    (void)positive;
    return go(&call, ID_relu_gradient, TAKE("^ ^ ^", y, dy, dx));
}

SIMPLE(sigmoid, (Object x, Object y), "^ ^", x, y)
SIMPLE(tanh, (Object x, Object y), "^ ^", x, y)

int bp_sigmoid_gradient(Object y, Object dy, Object dx, Object slope) {
    Call call;
    (void)slope;
    return go(&call, ID_sigmoid_gradient, TAKE("^ ^ ^", y, dy, dx));
}

int bp_tanh_gradient(Object y, Object dy, Object dx, Object slope) {
    Call call;
    (void)slope;
    return go(&call, ID_tanh_gradient, TAKE("^ ^ ^", y, dy, dx));
}

int bp_silu(Object x, Object y, Object share) {
    Call call;
    (void)share;
    return go(&call, ID_silu, TAKE("^ ^", x, y));
}

int bp_silu_gradient(Object x, Object dy, Object dx, Object share, Object part) {
    Call call;
    (void)share, (void)part;
    return go(&call, ID_silu_gradient, TAKE("^ ^ ^", x, dy, dx));
}

int bp_leaky_relu(Object x, Object y, double slope, Object part) {
    Call call;
    (void)part;
    call.f[0] = slope;
    return go(&call, ID_leaky_relu, TAKE("^ ^", x, y));
}

int bp_leaky_relu_gradient(Object y, Object dy, Object dx, double slope, Object part) {
    Call call;
    (void)part;
    call.f[0] = slope;
    return go(&call, ID_leaky_relu_gradient, TAKE("^ ^ ^", y, dy, dx));
}

SIMPLE(add_bias, (Object z, Object b), "nk k", z, b)
SIMPLE(add_bias_relu, (Object z, Object b), "nk k", z, b)
SIMPLE(bias_gradient, (Object dz, Object db), "nk k", dz, db)

int bp_bias_relu_gradient(Object y, Object dy, Object db, Object positive) {
    Call call;
    (void)positive;
    return go(&call, ID_bias_relu_gradient, TAKE("nk nk k", y, dy, db));
}

int bp_add_channels(Object y, Object b, Object tile) {
    Call call;
    (void)tile;
    return go(&call, ID_add_channels, TAKE("nsk k", y, b));
}

int bp_add_channels_relu(Object y, Object b, Object tile) {
    Call call;
    (void)tile;
    return go(&call, ID_add_channels_relu, TAKE("nsk k", y, b));
}

SIMPLE(sum_channels, (Object y, Object out, Object tile), "nsk k sk", y, out, tile)

int bp_channels_relu_gradient(Object y, Object dy, Object db, Object tile, Object positive) {
    Call call;
    (void)positive;
    return go(&call, ID_channels_relu_gradient, TAKE("nsk nsk k sk", y, dy, db, tile));
}

int bp_softmax(Object x, Object y, Object row) {
    Call call;
    (void)row;
    const int type = TAKE("nk nk", x, y);
    return type && call.a[0].shape[1] > 0 ? go(&call, ID_softmax, type) : 1;
}

int bp_class_log(Object z, Object p, Object places, Object chosen, Object log, Object row) {
    Call call;
    (void)log, (void)row;
    const int type = TAKE("nk nk #n n", z, p, places, chosen);
    return type && call.a[0].shape[1] > 0 ? go(&call, ID_class_log, type) : 1;
}

int bp_class_slope(Object p, Object places, Object dz, Object chosen) {
    Call call;
    (void)chosen;
    const int type = TAKE("nk #n nk", p, places, dz);
    return type && call.a[0].size > 0 ? go(&call, ID_class_slope, type) : 1;
}

int bp_attention(Object q, Object k, Object v, Object p, Object o, Object future, Object penalty, Object noise,
                 Object dropped, Object row) {
    Call call;
    (void)row;
    const int type = TAKE("nhtd nhsd nhsd =nhts nhtd ?ts ?ns ?=nhts =nhts", q, k, v, p, o, future, penalty, noise, dropped);
    return type && call.a[3].size > 0 ? go(&call, ID_attention, type) : 1;
}

int bp_attention_gradient(Object q, Object k, Object v, Object p, Object d_o, Object dq, Object dk, Object dv,
                          Object noise, Object dp, Object row, double scale) {
    Call call;
    (void)row;
    call.f[0] = scale;
    const int type = TAKE("nhtd nhsd nhsd =nhts nhtd nhtd nhsd nhsd ?=nhts =nhts", q, k, v, p, d_o, dq, dk, dv, noise, dp);
    return type && call.a[3].size > 0 ? go(&call, ID_attention_gradient, type) : 1;
}

int bp_gelu(Object x, Object share, Object y, int64_t by_tanh, Object part, Object other, Object bell) {
    Call call;
    (void)part, (void)other, (void)bell;
    call.flag = by_tanh;
    return go(&call, ID_gelu, TAKE("^ ^ ^", x, share, y));
}

int bp_gelu_gradient(Object x, Object share, Object dy, Object dx, int64_t by_tanh, Object part, Object other) {
    Call call;
    (void)part, (void)other;
    call.flag = by_tanh;
    return go(&call, ID_gelu_gradient, TAKE("^ ^ ^ ^", x, share, dy, dx));
}

int bp_batch_statistics(Object x, Object mean, Object variance, Object tile, Object scratch) {
    Call call;
    (void)tile;
    const int type = TAKE("nsk k k =nsk", x, mean, variance, scratch);
    return type && call.a[0].size > 0 ? go(&call, ID_batch_statistics, type) : 1;
}

int bp_batch_norm(Object x, Object y, Object mean, Object scale, Object shift, Object tile) {
    Call call;
    (void)tile;
    return go(&call, ID_batch_norm, TAKE("nsk nsk k k k", x, y, mean, scale, shift));
}

/* The scratch memory of a gradient: as large as x, needed for two sums of `width` numbers at least. */
static int work(Call *call, const char *word, Object scratch, int64_t width) {
    Call other;
    const int type = bp_take(&other, word, (Object[]){scratch});
    call->work = other.a[0].data;
    return type && other.a[0].size >= 2 * width ? type : 0;
}

int bp_batch_norm_gradient(Object x, Object dy, Object dx, Object mean, Object inverse, Object scale, Object dgamma,
                           Object dbeta, Object tile, Object scratch, int64_t batch) {
    Call call;
    (void)tile;
    const int type = TAKE("nsk nsk ?nsk k k k k k", x, dy, dx, mean, inverse, scale, dgamma, dbeta);
    if (!type || work(&call, "=_s_", scratch, call.a[0].shape[2]) != type) return 1;
    call.flag = batch;
    return go(&call, ID_batch_norm_gradient, type);
}

int bp_group_norm(Object x, Object y, Object gamma, Object beta, Object mean, Object inverse, double epsilon,
                  Object scratch) {
    Call call;
    (void)scratch;
    call.f[0] = epsilon;
    const int type = TAKE("nsgk nsgk gk gk =n1g1 =n1g1", x, y, gamma, beta, mean, inverse);
    return type && call.a[0].size > 0 ? go(&call, ID_group_norm, type) : 1;
}

int bp_group_norm_gradient(Object x, Object dy, Object dx, Object gamma, Object mean, Object inverse, Object dgamma,
                           Object dbeta, Object tile, Object scratch, Object moment) {
    Call call;
    (void)tile, (void)moment;
    const int type = TAKE("nsgk nsgk ?nsgk gk =n1g1 =n1g1 =gk =gk", x, dy, dx, gamma, mean, inverse, dgamma, dbeta);
    if (!type || work(&call, "=____", scratch, call.a[3].size) != type) return 1;
    return go(&call, ID_group_norm_gradient, type);
}

int bp_rms_norm(Object x, Object y, Object gamma, Object inverse, double epsilon) {
    Call call;
    call.f[0] = epsilon;
    const int type = TAKE("mk mk k =m1", x, y, gamma, inverse);
    return type && call.a[0].size > 0 ? go(&call, ID_rms_norm, type) : 1;
}

int bp_rms_norm_gradient(Object x, Object dy, Object dx, Object gamma, Object inverse, Object dgamma, Object tile,
                         Object scratch, Object moment) {
    Call call;
    (void)tile, (void)moment;
    const int type = TAKE("mk mk ?mk k =m1 k", x, dy, dx, gamma, inverse, dgamma);
    if (!type || call.a[0].size == 0 || work(&call, "=__", scratch, 0) != type) return 1;
    return go(&call, ID_rms_norm_gradient, type);
}

int bp_matmul(Object a, Object b, Object out) {
    Call call;
    call.flag = 0;
    return go(&call, ID_matmul, TAKE("*nk *km nm", a, b, out));
}

int bp_add_matmul(Object a, Object b, Object out, Object scratch) {
    Call call;
    (void)scratch;
    call.flag = 1;
    return go(&call, ID_matmul, TAKE("*nk *km nm", a, b, out));
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* Columns of a matrix in panels, filled up; as in engine/kernels/__init__.py. */
static int64_t in_panels(int64_t columns) { return (columns + PANEL - 1) / PANEL * PANEL; }

static int windows(Call *call, const Axis *rows, const Axis *columns) {
    call->rows = *rows;
    call->columns = *columns;
    return 1;
}

/* Whether images x, matrices z of what comes out, and the scratch memory fit the windows: there must be room for the
 * kernel in panels, in each of the two ways, for frames of z, or for the windows of an image. */
static int fits(const Call *call, const View *x, const View *z, const View *W, const View *memory, const View *padded) {
    const Axis *rows = &call->rows, *columns = &call->columns;
    const int64_t places = rows->out * columns->out, taps = rows->kernel * columns->kernel;
    const int64_t channels = x->shape[3], filters = z->shape[1], depth = taps * channels;
    const int64_t high = rows->size + rows->before + rows->after, wide = columns->size + columns->before + columns->after;
    const int64_t frame = (rows->size + (rows->kernel - 1) * rows->dilation)
                          * (columns->size + (columns->kernel - 1) * columns->dilation) * filters;
    const int64_t there = depth * in_panels(filters), back = taps * filters * in_panels(channels) + SHARES * frame;
    if (x->shape[1] != rows->size || x->shape[2] != columns->size || z->shape[0] != x->shape[0] * places) return 0;
    if (W->shape[0] != depth || places * depth * filters == 0) return 0;
    if (memory->size < larger(larger(there, back), SHARES * places * depth)) return 0;
    if (padded->data)
        return padded->shape[0] >= SHARES && padded->shape[1] >= high && padded->shape[2] >= wide
               && padded->shape[3] == channels;
    return high == rows->size && wide == columns->size && (x->step[2] == channels || x->shape[2] <= 1)
           && (x->step[1] == x->shape[2] * channels || x->shape[1] <= 1);
}

int bp_convolve(Object x, Object W, Object z, Object patches, Object padded, const Axis *rows, const Axis *columns) {
    Call call;
    const int type = TAKE("nhwc ko po s ?f___", x, W, z, patches, padded);
    if (!type || !windows(&call, rows, columns)) return 1;
    View *a = call.a;
    return fits(&call, &a[0], &a[2], &a[1], &a[3], &a[4]) ? go(&call, ID_convolve, type) : 1;
}

int bp_kernel_gradient(Object x, Object delta, Object dW, Object patches, Object padded, Object partial,
                       const Axis *rows, const Axis *columns) {
    Call call;
    const int type = TAKE("nhwc po ko s ?f___ =qk_", x, delta, dW, patches, padded, partial);
    if (!type || !windows(&call, rows, columns)) return 1;
    View *a = call.a;
    if (!fits(&call, &a[0], &a[1], &a[2], &a[3], &a[4]) || a[0].shape[0] == 0) return 1;
    if (a[5].shape[0] < SHARES || a[5].shape[2] < a[2].shape[1]) return 1;
    return go(&call, ID_kernel_gradient, type);
}

int bp_input_gradient(Object delta, Object W, Object dx, Object patches, Object padded, const Axis *rows,
                      const Axis *columns) {
    Call call;
    const int type = TAKE("po ko nhwc s ?f___", delta, W, dx, patches, padded);
    if (!type || !windows(&call, rows, columns)) return 1;
    View *a = call.a;
    return fits(&call, &a[2], &a[0], &a[1], &a[3], &a[4]) ? go(&call, ID_input_gradient, type) : 1;
}

/* Whether x and y are the images before and after pooling. */
static int pooled(const Call *call, const View *x, const View *y) {
    return x->shape[1] == call->rows.size && x->shape[2] == call->columns.size && y->shape[1] == call->rows.out
           && y->shape[2] == call->columns.out;
}

int bp_max_pool(Object x, Object middle, Object y, const Axis *rows, const Axis *columns) {
    Call call;
    (void)middle;
    const int type = TAKE("nhwc nuvc", x, y);
    if (!type || !windows(&call, rows, columns) || !pooled(&call, &call.a[0], &call.a[1])) return 1;
    return go(&call, ID_max_pool, type);
}

int bp_max_pool_gradient(Object x, Object middle, Object y, Object dy, Object dx, Object dmiddle, Object part,
                         const Axis *rows, const Axis *columns) {
    Call call;
    (void)middle, (void)dmiddle, (void)part;
    const int type = TAKE("nhwc nuvc nuvc nhwc", x, y, dy, dx);
    if (!type || !windows(&call, rows, columns) || !pooled(&call, &call.a[0], &call.a[1])) return 1;
    return go(&call, ID_max_pool_gradient, type);
}

int bp_avg_pool(Object x, Object middle, Object y, Object scale, const Axis *rows, const Axis *columns) {
    Call call;
    (void)middle;
    const int type = TAKE("nhwc nuvc uv1", x, y, scale);
    if (!type || !windows(&call, rows, columns) || !pooled(&call, &call.a[0], &call.a[1])) return 1;
    return go(&call, ID_avg_pool, type);
}

int bp_avg_pool_gradient(Object dy, Object dx, Object dmiddle, Object scale, const Axis *rows, const Axis *columns) {
    Call call;
    (void)dmiddle;
    const int type = TAKE("nuvc nhwc uv1", dy, dx, scale);
    if (!type || !windows(&call, rows, columns) || !pooled(&call, &call.a[1], &call.a[0])) return 1;
    return go(&call, ID_avg_pool_gradient, type);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

int bp_lstm_walk(Object z, Object U, Object zh, Object h, Object c, Object tanh_c, int64_t from_zero) {
    Call call;
    const int type = TAKE("tnq kq nq snk snk tnk", z, U, zh, h, c, tanh_c);
    const View *a = call.a;
    if (!type || a[3].shape[0] != a[0].shape[0] + 1 || a[0].shape[2] != 4 * a[3].shape[2]) return 1;
    call.flag = from_zero;
    return go(&call, ID_lstm_walk, type);
}

int bp_lstm_walk_back(Object dys, Object dh, Object dc, Object z, Object c, Object tanh_c, Object Ut, Object work_,
                      Object slopes, int64_t from_zero) {
    Call call;
    (void)work_, (void)slopes;
    const int type = TAKE("?tnk nk nk tnq snk tnk *qk", dys, dh, dc, z, c, tanh_c, Ut);
    const View *a = call.a;
    if (!type || a[4].shape[0] < a[3].shape[0] || a[3].shape[2] != 4 * a[1].shape[1]) return 1;
    call.flag = from_zero;
    return go(&call, ID_lstm_walk_back, type);
}

int bp_gru_walk(Object z, Object U, Object bias, Object zh, Object h, Object gates, Object inner) {
    Call call;
    const int type = TAKE("tnq kq ?k nq snk t3nk tnk", z, U, bias, zh, h, gates, inner);
    const View *a = call.a;
    if (!type || a[4].shape[0] != a[0].shape[0] + 1 || a[0].shape[2] != 3 * a[4].shape[2] || a[5].shape[1] != 3) return 1;
    return go(&call, ID_gru_walk, type);
}

int bp_gru_walk_back(Object dys, Object dh, Object gates, Object h, Object inner, Object z, Object dzh, Object Ut,
                     Object product, Object dgates, Object work_) {
    Call call;
    (void)dgates, (void)work_;
    const int type = TAKE("?tnk nk t3nk snk tnk tnq tnq *qk nk", dys, dh, gates, h, inner, z, dzh, Ut, product);
    const View *a = call.a;
    if (!type || a[3].shape[0] < a[5].shape[0] || a[5].shape[2] != 3 * a[1].shape[1] || a[2].shape[1] != 3) return 1;
    return go(&call, ID_gru_walk_back, type);
}

int bp_gru_gates(Object zx, Object zh, Object gates) {
    Call call;
    const int type = TAKE("nq nr 2nk", zx, zh, gates);
    const View *a = call.a;
    if (!type || smaller(a[0].shape[1], a[1].shape[1]) < 2 * a[2].shape[2] || a[2].shape[0] != 2) return 1;
    return go(&call, ID_gru_gates, type);
}

SIMPLE(gru_mix, (Object z, Object candidate, Object before, Object h), "nk nk nk nk", z, candidate, before, h)

int bp_gru_unmix(Object dh, Object gates, Object before, Object dgates, Object work_) {
    Call call;
    (void)work_;
    const int type = TAKE("nk 3nk nk 3nk", dh, gates, before, dgates);
    return type && call.a[1].shape[0] == 3 ? go(&call, ID_gru_unmix, type) : 1;
}

/* ---- rows of a dataset ------------------------------------------------------------------------------------------- */

int bp_gather(Object source, Object rows, Object x) {
    Call call;
    const int type = TAKE("mk #n nk", source, rows, x);
    return type && call.a[0].size > 0 ? go(&call, ID_gather, type) : 1;
}

int bp_gather_scaled(Object source, Object rows, Object coming, double by, double offset, Object raw, Object x) {
    Call call;
    (void)raw;
    call.f[0] = by, call.f[1] = offset;
    const int type = TAKE("%mk #n #c nk", source, rows, coming, x);
    return type && call.a[0].size > 0 ? go(&call, ID_gather_scaled, type) : 1;
}

/* ---- rows of a table --------------------------------------------------------------------------------------------- */

/* Whether array i lists rows of array `table`. */
static int lists(const Call *call, int i, int table) {
    return call->a[i].shape[0] == 3 && call->a[i].shape[1] == call->a[table].shape[0] + 1;
}

int bp_scatter_rows(Object ids, Object rows, Object work_, Object table, Object touched) {
    Call call;
    (void)work_;
    const int type = TAKE("#m mk vk #3t", ids, rows, table, touched);
    return type && lists(&call, 3, 2) ? go(&call, ID_scatter_rows, type) : 1;
}

/* The sum of a b into *out. */
int bp_inner_rows(Object a, Object b, Object touched, double *out) {
    Call call;
    call.work = out;
    const int type = TAKE("vk vk #3t", a, b, touched);
    return type && lists(&call, 2, 0) ? go(&call, ID_inner_rows, type) : 1;
}

int bp_sgd_rows(Object w, Object g, Object touched, double rate) {
    Call call;
    call.f[0] = rate;
    const int type = TAKE("vk vk #3t", w, g, touched);
    return type && lists(&call, 2, 0) ? go(&call, ID_sgd_rows, type) : 1;
}

int bp_adam_rows(Object w, Object g, Object m, Object v, Object touched, double rate, double beta_1, double beta_2,
                 double epsilon) {
    Call call;
    call.f[0] = rate, call.f[1] = beta_1, call.f[2] = beta_2, call.f[3] = epsilon;
    const int type = TAKE("vk vk vk vk #3t", w, g, m, v, touched);
    return type && lists(&call, 4, 0) ? go(&call, ID_adam_rows, type) : 1;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

int bp_right_classes(Object y, Object ids, Object count) {
    Call call;
    const int type = TAKE("nk #n #1", y, ids, count);
    return type && call.a[0].size > 0 ? go(&call, ID_right_classes, type) : 1;
}

int bp_right_labels(Object y, Object t, double threshold, Object count) {
    Call call;
    call.f[0] = threshold;
    int type = TAKE("nk nk #1", y, t, count);
    call.flag = !type;
    if (!type) type = TAKE("nk #nk #1", y, t, count);
    return go(&call, ID_right_labels, type);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* The sum of a b into *out. */
int bp_inner(Object a, Object b, double *out) {
    Call call;
    call.work = out;
    return go(&call, ID_inner, TAKE("n n", a, b));
}

int bp_sgd_update(Object w, Object g, double rate, Object work_) {
    Call call;
    (void)work_;
    call.f[0] = rate;
    return go(&call, ID_sgd_update, TAKE("n n", w, g));
}

int bp_momentum_update(Object w, Object g, Object v, double rate, double momentum, int64_t nesterov, Object work_) {
    Call call;
    (void)work_;
    call.f[0] = rate, call.f[1] = momentum, call.flag = nesterov;
    return go(&call, ID_momentum_update, TAKE("n n n", w, g, v));
}

int bp_rmsprop_update(Object w, Object g, Object s, double rate, double rho, double epsilon, Object a, Object b) {
    Call call;
    (void)a, (void)b;
    call.f[0] = rate, call.f[1] = rho, call.f[2] = epsilon;
    return go(&call, ID_rmsprop_update, TAKE("n n n", w, g, s));
}

int bp_moments_update(Object g, Object m, Object v, double beta_1, double beta_2, Object work_) {
    Call call;
    (void)work_;
    call.f[0] = beta_1, call.f[1] = beta_2;
    return go(&call, ID_moments_update, TAKE("n n n", g, m, v));
}

int bp_adam_update(Object w, Object g, Object m, Object v, double rate, double beta_1, double beta_2, double epsilon,
                   Object a, Object b) {
    Call call;
    (void)a, (void)b;
    call.f[0] = rate, call.f[1] = beta_1, call.f[2] = beta_2, call.f[3] = epsilon;
    return go(&call, ID_adam_update, TAKE("n n n n", w, g, m, v));
}
