/* Matrix products by the BLAS that NumPy has loaded; the loader says where its functions are.
 *
 * On processors with AVX-512, OpenBLAS reads the operands of a product of up to a million multiplications where they
 * are; those of a larger one it packs first, which costs up to a third of the time where one side is short. Some rows
 * at a time are then faster than all at once, unless b is a transposed view.
 * https://github.com/OpenMathLib/OpenBLAS, kernel/x86_64/sgemm_small_kernel_permit_skylakex.c */
#include "bp.h"

#include <stddef.h>

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
enum { UNPACKED = 1000000, FEWEST = 8 }; /* multiplications of a product that is not packed; rows worth a call */

/* cblas_sgemm and cblas_dgemm, with integers of 32 or 64 bits */
#define GEMM(name, real, integer)                                                                                   \
    typedef void name(int, int, int, integer, integer, integer, real, const real *, integer, const real *, integer, \
                      real, real *, integer)
GEMM(Single32, float, int32_t);
GEMM(Single64, float, int64_t);
GEMM(Double32, double, int32_t);
GEMM(Double64, double, int64_t);

static void *single, *twice;
static int64_t wide, in_place;

void bp_use_blas(void *sgemm, void *dgemm, int64_t integer_bits, int64_t reads_in_place) {
    single = sgemm;
    twice = dgemm;
    wide = integer_bits == 64;
    in_place = reads_in_place;
}

/* Numbers from one row (of the transposed matrix, if it is one) to the next; BLAS wants at least the width. */
static int64_t leading(Matrix m, int flat) {
    return flat ? larger(larger(m.row_step, m.columns), 1) : larger(larger(m.column_step, m.rows), 1);
}

static int is_flat(Matrix m) { return m.column_step == 1 || m.columns <= 1; }

static int64_t rows_at_once(Matrix a, Matrix b, Matrix out) {
    if (!in_place || !is_flat(b)) return out.rows;
    const int64_t fit = UNPACKED / larger(out.columns * a.columns, 1) / 4 * 4;
    return fit >= FEWEST ? fit : out.rows;
}

#define PRODUCT(name, real, function, Narrow, Wide)                                                                 \
    void name(Matrix a, Matrix b, real beta, Matrix out) {                                                          \
        if (out.rows == 0 || out.columns == 0) return;                                                              \
        if (a.columns == 0) {                                                                                       \
            for (int64_t i = 0; beta == 0 && i < out.rows; i++)                                                     \
                for (int64_t j = 0; j < out.columns; j++) ((real *)out.data)[i * out.row_step + j] = 0;             \
            return;                                                                                                 \
        }                                                                                                           \
        const int flat_a = is_flat(a), flat_b = is_flat(b);                                                         \
        const int of_a = flat_a ? PLAIN : TRANSPOSED, of_b = flat_b ? PLAIN : TRANSPOSED;                           \
        const int64_t lda = leading(a, flat_a), ldb = leading(b, flat_b), ldc = leading(out, 1);                    \
        const int64_t step = rows_at_once(a, b, out), n = out.columns, k = a.columns;                               \
        for (int64_t low = 0; low < out.rows; low += step) {                                                        \
            const int64_t m = smaller(step, out.rows - low);                                                        \
            const real *first = (const real *)a.data + low * a.row_step;                                            \
            real *to = (real *)out.data + low * out.row_step;                                                       \
            if (wide)                                                                                               \
                ((Wide *)function)(ROW_MAJOR, of_a, of_b, m, n, k, 1, first, lda, b.data, ldb, beta, to, ldc);      \
            else                                                                                                    \
                ((Narrow *)function)(ROW_MAJOR, of_a, of_b, (int32_t)m, (int32_t)n, (int32_t)k, 1, first,           \
                                     (int32_t)lda, b.data, (int32_t)ldb, beta, to, (int32_t)ldc);                   \
        }                                                                                                           \
    }

PRODUCT(bp_product_f32, float, single, Single32, Single64)
PRODUCT(bp_product_f64, double, twice, Double32, Double64)
