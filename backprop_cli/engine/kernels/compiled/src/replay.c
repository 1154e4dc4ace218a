/* Replays a training step from a list of operations on memory that stays where it is, without Python.
 *
 * The list is written by engine/replay/ while a step is made call by call. It holds kernels with their arguments,
 * NumPy's own inner loops (PyUFuncGenericFunction of numpy/ufuncobject.h), copies, random numbers of NumPy's bit
 * generators, and arithmetic on single numbers such as a learning rate. Each number is stored before the next
 * operation reads it, so that no compiler joins two roundings in one. */
#include "bp.h"

#include <fenv.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum { AXES = 6, OPERANDS = 4, CORE = 8 };

/* As engine/replay/program.py counts them. */
enum {
    KERNEL, LOOP, COPY, DRAW, FEED, NEXT,                  /* a: what the struct below says */
    ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, NEGATE,        /* out, a, b: doubles */
    LESS, LESS_EQUAL, EQUAL,
    READ_F32, READ_F64, READ_I64, READ_U64, READ_BOOL,     /* out: double, a: memory */
    WRITE_F32, WRITE_F64, WRITE_I64,                       /* out: memory, a: double */
    IF, UNLESS,                                            /* go on only if a is not 0, or is 0 */
    CHAIN, NOTHING,                                        /* a: a chain of kernels; what is part of one */
    PASSES,                                                /* a: loops and copies that are made block by block */
};

typedef struct {
    int64_t kind;
    void *out;
    const void *a, *b;
} Operation;

/* An inner loop of NumPy over some outer axes. dims[0] is how many it does at once; those of a product follow. */
typedef struct {
    void (*function)(char **, const intptr_t *, const intptr_t *, void *);
    void *data;
    int64_t operands, axes, shape[AXES];
    intptr_t dims[CORE], steps[2 * CORE];
    char *at[OPERANDS];
    int64_t jump[OPERANDS][AXES];
} NumpyLoop;

typedef struct {
    char *to;
    const char *from;
    int64_t kind, axes, shape[AXES], to_step[AXES], from_step[AXES];
} Copy;

/* The `bitgen_t` of numpy/random/bitgen.h, whose functions the Python side hands over one by one. */
typedef struct {
    void *state;
    uint32_t (*next_32)(void *);
    double (*next_double)(void *);
    void *to;
    int64_t count, wide;
} Draw;

/* Rows of an epoch's order to where the batch reads them, and those of the batch after it. */
typedef struct {
    const int64_t *order;
    int64_t at, end, batch;
    int64_t *rows, *coming;
} Feed;

/* One number for each step. */
typedef struct {
    const double *next;
} Stream;

static void run_loop(const NumpyLoop *loop) {
    int64_t place[AXES] = {0};
    char *at[OPERANDS];
    memcpy(at, loop->at, sizeof at);
    for (;;) {
        char *now[OPERANDS];
        memcpy(now, at, sizeof now);
        loop->function(now, loop->dims, loop->steps, loop->data);
        int64_t axis = loop->axes - 1;
        for (; axis >= 0; axis--) {
            for (int64_t i = 0; i < loop->operands; i++) at[i] += loop->jump[i][axis];
            if (++place[axis] < loop->shape[axis]) break;
            for (int64_t i = 0; i < loop->operands; i++) at[i] -= loop->jump[i][axis] * loop->shape[axis];
            place[axis] = 0;
        }
        if (axis < 0) return;
    }
}

/* As engine/replay/program.py counts them. */
#define CASTS(X)                                                                                                    \
    X(0, uint8_t, uint8_t) X(1, uint32_t, uint32_t) X(2, uint64_t, uint64_t) X(3, uint8_t, float)                    \
    X(4, uint8_t, double) X(5, int64_t, float) X(6, int64_t, double) X(7, float, double) X(8, double, float)

#define LINE_OF(number, From, To)                                                                                   \
    case number:                                                                                                    \
        for (int64_t i = 0; i < count; i++, to += down, from += right) {                                            \
            From value;                                                                                             \
            memcpy(&value, from, sizeof value);                                                                     \
            const To made = (To)value;                                                                              \
            memcpy(to, &made, sizeof made);                                                                         \
        }                                                                                                           \
        break;

static void copy_line(int64_t kind, char *to, const char *from, int64_t count, int64_t down, int64_t right) {
    static const int64_t bytes[] = {1, 4, 8};
    if (kind < 3 && down == bytes[kind] && right == bytes[kind]) {
        memmove(to, from, (size_t)(count * bytes[kind]));
        return;
    }
    switch (kind) { CASTS(LINE_OF) }
}

static void copy_all(const Copy *copy) {
    int64_t place[AXES] = {0};
    char *to = copy->to;
    const char *from = copy->from;
    const int64_t last = copy->axes - 1;
    for (;;) {
        copy_line(copy->kind, to, from, copy->shape[last], copy->to_step[last], copy->from_step[last]);
        int64_t axis = last - 1;
        for (; axis >= 0; axis--) {
            to += copy->to_step[axis], from += copy->from_step[axis];
            if (++place[axis] < copy->shape[axis]) break;
            to -= copy->to_step[axis] * copy->shape[axis], from -= copy->from_step[axis] * copy->shape[axis];
            place[axis] = 0;
        }
        if (axis < 0) return;
    }
}

static void copy_share(const Call *c, int64_t part, int64_t parts) {
    Copy mine = *(const Copy *)c->work;
    int64_t low, high;
    cut(mine.shape[0], part, parts, &low, &high);
    if (low >= high) return;
    mine.to += low * mine.to_step[0], mine.from += low * mine.from_step[0];
    mine.shape[0] = high - low;
    copy_all(&mine);
}

static void run_copy(const Copy *copy) {
    int64_t numbers = 1;
    for (int64_t axis = 0; axis < copy->axes; axis++) numbers *= copy->shape[axis];
    const int64_t parts = free_shares_of(copy->shape[0], numbers);
    if (parts == 1) { /* a call takes longer to fill in than a few numbers to copy */
        copy_all(copy);
        return;
    }
    const Call mine = {.work = (void *)copy};
    bp_share(copy_share, &mine, parts);
}

enum { TOGETHER = 16, BLOCK = 2048 }; /* passes at most; numbers that stay in the cache from one pass to the next */

/* Loops and copies over as many numbers, each of which depends on those at its own place. */
typedef struct {
    int64_t count, size;
    struct {
        int64_t kind;
        const void *what;
    } pass[TOGETHER];
} Passes;

static void pass_block(const Passes *passes, int64_t number, int64_t low, int64_t count) {
    if (passes->pass[number].kind == COPY) {
        const Copy *copy = passes->pass[number].what;
        const int64_t down = copy->to_step[0], right = copy->from_step[0];
        copy_line(copy->kind, copy->to + low * down, copy->from + low * right, count, down, right);
        return;
    }
    const NumpyLoop *loop = passes->pass[number].what;
    char *at[OPERANDS];
    const intptr_t dims[] = {count};
    for (int64_t i = 0; i < loop->operands; i++) at[i] = loop->at[i] + low * loop->steps[i];
    loop->function(at, dims, loop->steps, loop->data);
}

static void passes_share(const Call *c, int64_t part, int64_t parts) {
    const Passes *passes = c->work;
    int64_t first, last;
    cut((passes->size + BLOCK - 1) / BLOCK, part, parts, &first, &last);
    for (int64_t block = first; block < last; block++) {
        const int64_t low = block * BLOCK, count = smaller(BLOCK, passes->size - low);
        for (int64_t number = 0; number < passes->count; number++) pass_block(passes, number, low, count);
    }
}

static void run_passes(const Passes *passes) {
    const Call mine = {.work = (void *)passes};
    bp_share(passes_share, &mine, free_shares_of((passes->size + BLOCK - 1) / BLOCK, passes->size * passes->count));
}

/* As `random` of numpy.random.Generator. */
static void run_draw(const Draw *draw) {
    for (int64_t i = 0; i < draw->count; i++)
        if (draw->wide)
            ((double *)draw->to)[i] = draw->next_double(draw->state);
        else
            ((float *)draw->to)[i] = (float)(draw->next_32(draw->state) >> 8) * (1.0f / 16777216.0f);
}

static void feed(Feed *feed) {
    for (int64_t i = 0; i < feed->batch; i++) {
        const int64_t place = feed->at + i, next = place + feed->batch;
        feed->rows[i] = feed->order[place];
        feed->coming[i] = feed->order[next < feed->end ? next : place];
    }
    feed->at += feed->batch;
}

/* 0, or 1 where the step must not go on. */
static int run(const Operation *op) {
    const double *a = op->a, *b = op->b;
    double *out = op->out;
    switch (op->kind) {
    case KERNEL: ((const Call *)op->a)->run(op->a); break;
    case LOOP: run_loop(op->a); break;
    case COPY: run_copy(op->a); break;
    case DRAW: run_draw(op->a); break;
    case FEED: feed(op->out); break;
    case NEXT: *out = *((Stream *)op->a)->next++; break;
    case ADD: *out = *a + *b; break;
    case SUBTRACT: *out = *a - *b; break;
    case MULTIPLY: *out = *a * *b; break;
    case DIVIDE: *out = *a / *b; break;
    case POWER: *out = pow(*a, *b); break;
    case NEGATE: *out = -*a; break;
    case LESS: *out = *a < *b; break;
    case LESS_EQUAL: *out = *a <= *b; break;
    case EQUAL: *out = *a == *b; break;
    case READ_F32: *out = *(const float *)op->a; break;
    case READ_F64: *out = *a; break;
    case READ_I64: *out = (double)*(const int64_t *)op->a; break;
    case READ_U64: *out = (double)*(const uint64_t *)op->a; break;
    case READ_BOOL: *out = *(const uint8_t *)op->a != 0; break;
    case WRITE_F32: *(float *)op->out = (float)*a; break;
    case WRITE_F64: *out = *a; break;
    case WRITE_I64: *(int64_t *)op->out = (int64_t)*a; break;
    case IF: return *a == 0;
    case UNLESS: return *a != 0;
    case CHAIN: bp_run_chain(op->a); break;
    case NOTHING: break;
    case PASSES: run_passes(op->a); break;
    }
    return 0;
}

static int64_t microseconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Operations from - count-1. Returns `count`, or the number of the one that did not let the step go on. */
static int64_t run_all(const Operation *operations, int64_t count, int64_t from) {
    while (from < count && !run(&operations[from])) from++;
    return from;
}

/* Make up to `steps` steps of operations from - count-1 (the first) and 0 - count-1 (the others), and stop after one
 * that ends later than `patience` microseconds from now. Returns `count`, or the number of the operation that did not
 * let the step go on. *made: whole steps. */
int64_t bp_replay(const Operation *operations, int64_t count, int64_t from, int64_t steps, int64_t patience,
                  int64_t *made) {
    const int64_t began = microseconds();
    int64_t at = from, passed = 0;
    for (*made = 0; *made < steps && passed >= 0 && passed <= patience;) { /* a clock may be set back */
        at = run_all(operations, count, at);
        if (at < count) break;
        passed = microseconds() - began;
        if (++*made < steps && passed >= 0 && passed <= patience) at = 0;
    }
    feclearexcept(FE_ALL_EXCEPT); /* Python warns of what it finds there */
    return at;
}

/* Numbers that are added up over an epoch. */
typedef struct {
    double *at;
    int64_t count;
} Total;

/* Make up to `epochs` epochs of `steps` steps each, and stop after one that ends later than `patience` microseconds
 * from now, or in a step that does not go on. At the end of each, its totals and the microseconds until then become the
 * next row of `rows`, and the totals are 0 again. Returns the number of whole epochs. */
int64_t bp_replay_epochs(const Operation *operations, int64_t count, int64_t steps, int64_t epochs, int64_t patience,
                         const Total *totals, int64_t parts, double *rows, int64_t *stopped) {
    const int64_t began = microseconds();
    int64_t made = 0, passed = 0;
    *stopped = 0;
    while (made < epochs && passed >= 0 && passed <= patience) {
        for (int64_t step = 0; step < steps && !*stopped; step++) *stopped = run_all(operations, count, 0) < count;
        if (*stopped) break;
        passed = microseconds() - began;
        for (int64_t part = 0; part < parts; part++) {
            const size_t bytes = (size_t)totals[part].count * sizeof(double);
            memcpy(rows, totals[part].at, bytes);
            memset(totals[part].at, 0, bytes);
            rows += totals[part].count;
        }
        *rows++ = (double)passed;
        made++;
    }
    feclearexcept(FE_ALL_EXCEPT);
    return made;
}
