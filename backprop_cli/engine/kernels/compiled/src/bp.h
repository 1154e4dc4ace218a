/* The kernels' own types: arrays as views of memory, a call with its arguments, work cut into shares.
 *
 * Nothing here knows Python. What `objects.c` reads of a NumPy array is its public C structure. */
#ifndef BP_H
#define BP_H

#include <stddef.h>
#include <stdint.h>

enum {
    RANK = 5,
    ARRAYS = 10,
    SHARES = 4,      /* as in engine/kernels/__init__.py: of what is summed; scratch memory comes in so many parts */
    MOST_SHARES = 16, /* as there: of what is not, such as rows that do not depend on each other */
    PANEL = 32,      /* columns of a panel of a product at most, of any type and processor; as there */
    GRAIN = 1 << 14, /* numbers of a pass over memory that make a share */
};

/* An array: numbers lie `step` numbers apart along each axis. data is NULL where None was given. */
typedef struct {
    void *data;
    int64_t size, shape[RANK], step[RANK];
} View;

/* A window along one axis: position o covers x[o*stride + i*dilation - before] for i < kernel. */
typedef struct {
    int64_t size, out, kernel, stride, dilation, before, after;
} Axis;

/* A kernel and its arguments, in the order of the reference without what only the reference needs. */
typedef struct Call Call;
typedef void Run(const Call *);
struct Call {
    Run *run;
    View a[ARRAYS];
    void *work; /* scratch memory */
    double f[4];
    int64_t flag;
    Axis rows, columns;
};

/* ---- work in shares (pool.c): cut by size alone, so that results do not depend on the number of threads ---- */

typedef void Share(const Call *, int64_t part, int64_t parts);
void bp_share(Share *work, const Call *call, int64_t parts);

/* ---- kernels that work image by image, of which several can follow each other on each (chain.c) ---- */

/* Images low to high - 1 of `total`, which are of this share of SHARES. */
typedef void Images(const Call *, int64_t part, int64_t low, int64_t high, int64_t total);

typedef struct {
    Run *begin, *end; /* before the first image and after the last, or NULL */
    Images *images;
    int64_t (*at_once)(const Call *); /* images that belong together, or 0 if this call cannot be cut; NULL: 1 */
} Link;

extern const Link *bp_links[2]; /* by kernel, float32 and float64; `images` is NULL where there is none */

typedef struct Chain Chain;
void bp_run_chain(const Chain *chain);

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Rows low to high - 1 of a share. */
static inline void cut(int64_t rows, int64_t part, int64_t parts, int64_t *low, int64_t *high) {
    const int64_t size = (rows + parts - 1) / parts;
    *low = smaller(part * size, rows);
    *high = smaller(*low + size, rows);
}

/* Into how many shares a pass over so many rows and numbers is cut. */
static inline int64_t shares_of(int64_t rows, int64_t numbers) {
    return larger(1, smaller(smaller(SHARES, rows), numbers / GRAIN));
}

/* The same where nothing is summed over shares. */
static inline int64_t free_shares_of(int64_t rows, int64_t numbers) {
    return larger(1, smaller(smaller(MOST_SHARES, rows), numbers / GRAIN));
}

/* ---- products (loops/tile.h) ---- */

/* A matrix or a transposed view of one. */
typedef struct {
    const void *data;
    int64_t rows, columns, row_step, column_step;
} Matrix;

enum {
    PACKED = 1 << 18,   /* bytes of the right operand that are packed at once: they stay in the cache */
    GATHERED = 1 << 20, /* bytes of the left operand that are gathered for several shares */
};
void *bp_packed(void);          /* memory of this thread for so many */
void *bp_memory(size_t bytes);  /* other memory of this thread, until it asks again; NULL if there is none */

/* ---- every kernel ---- */

#define KERNELS(X)                                                                                                  \
    X(add) X(copy) X(relu) X(relu_gradient)                                                                         \
    X(add_bias) X(add_bias_relu) X(bias_gradient) X(bias_relu_gradient)                                             \
    X(add_channels) X(add_channels_relu) X(sum_channels) X(channels_relu_gradient)                                  \
    X(sigmoid) X(sigmoid_gradient) X(tanh) X(tanh_gradient) X(silu) X(silu_gradient)                                \
    X(leaky_relu) X(leaky_relu_gradient)                                                                            \
    X(softmax) X(class_log) X(class_slope) X(gelu) X(gelu_gradient)                                                 \
    X(attention) X(attention_gradient)                                                                              \
    X(batch_statistics) X(batch_norm) X(batch_norm_gradient) X(group_norm) X(group_norm_gradient)                   \
    X(rms_norm) X(rms_norm_gradient)                                                                                \
    X(matmul) X(convolve) X(kernel_gradient) X(input_gradient)                                                      \
    X(max_pool) X(max_pool_gradient) X(avg_pool) X(avg_pool_gradient)                                               \
    X(lstm_walk) X(lstm_walk_back) X(gru_walk) X(gru_walk_back) X(gru_gates) X(gru_mix) X(gru_unmix)                \
    X(gather) X(gather_scaled) X(inner) X(right_classes) X(right_labels)                                            \
    X(scatter_rows) X(inner_rows) X(sgd_rows) X(adam_rows)                                                          \
    X(sgd_update) X(momentum_update) X(rmsprop_update) X(moments_update) X(adam_update)

#define NUMBER(name) ID_##name,
enum { KERNELS(NUMBER) COUNT };
#undef NUMBER

extern Run *const *bp_loops[2]; /* by kernel, float32 and float64; set by bp_start */

#endif
