"""Matrix products inside compiled loops, by SciPy's BLAS, and one product cut into shares.

On processors with AVX-512, OpenBLAS reads the operands of a product of up to a million multiplications where they
are; those of a larger one it packs first, which costs up to a third of the time where one side is short. Some rows
at a time are then faster than all at once, unless b is a transposed view.
https://github.com/OpenMathLib/OpenBLAS, kernel/x86_64/sgemm_small_kernel_permit_skylakex.c
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import scipy.linalg.cython_blas  # noqa: F401  loaded now, so that its own threads can be limited before the first call
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils as untyped
from numba.extending import intrinsic
from threadpoolctl import threadpool_info

from backprop_cli.engine.kernels.compiled import SHARES, compiled, parallel

__all__ = ["matmul"]

LEAST = 750_000  # multiplications that make a share worth another thread
NARROW = 32  # columns below which BLAS is slow
UNPACKED, FEWEST = 1_000_000, 8  # multiplications of a product that is not packed; rows that are worth a call
Array = npt.NDArray[Any]
builders: Any = untyped


def _reads_in_place() -> bool:
    kinds = [info.get("architecture") for info in threadpool_info() if info.get("internal_api") == "openblas"]
    return bool(kinds) and all(kind in ("SkylakeX", "Cooperlake", "SapphireRapids") for kind in kinds)


READS_IN_PLACE = _reads_in_place()


@intrinsic
def gemm(typing: Any, a: Any, b: Any, beta: Any, out: Any) -> Any:
    """out = a b + beta out. Each is a matrix whose numbers lie side by side along its last axis; a and b may also be
    transposed views of such matrices."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        char, word, pointer = ir.IntType(8), ir.IntType(64), ir.IntType(8).as_pointer()
        parameters = [char] * 3 + [word] * 3 + [pointer, pointer, word, pointer, word, pointer, pointer, word]
        function = builders.get_or_insert_function(
            builder.module, ir.FunctionType(ir.IntType(32), parameters), "numba_xxgemm"
        )
        dtype = signature.args[0].dtype
        A, B, C = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1, 3))

        def element(pair: Any, i: int) -> Any:
            return builder.extract_value(pair, i)

        def layout(array: Any) -> tuple[Any, Any]:
            """('n' or 't', numbers from a row to the next); BLAS wants that distance also where there is one row."""
            size = ir.Constant(word, dtype.bitwidth // 8)
            rows, columns = element(array.strides, 0), element(array.strides, 1)
            plain = builder.icmp_signed("==", columns, size)
            distance = builder.sdiv(builder.select(plain, rows, columns), size)
            width = builder.select(plain, element(array.shape, 1), element(array.shape, 0))
            least = builder.select(builder.icmp_signed(">", distance, width), distance, width)
            return builder.select(plain, ir.Constant(char, ord("n")), ir.Constant(char, ord("t"))), least

        def number(value: Any) -> Any:
            return builder.bitcast(builders.alloca_once_value(builder, value), pointer)

        (of_a, wide_a), (of_b, wide_b), (_, wide_c) = layout(A), layout(B), layout(C)
        data_a, data_b, data_c = (builder.bitcast(array.data, pointer) for array in (A, B, C))
        one, scale = context.get_constant(dtype, 1), context.cast(builder, arguments[2], signature.args[2], dtype)
        kind = ir.Constant(char, ord("s" if dtype.bitwidth == 32 else "d"))
        m, n, k = element(C.shape, 0), element(C.shape, 1), element(A.shape, 1)
        # BLAS counts columns first: outᵀ = bᵀ aᵀ
        order = (number(one), data_b, wide_b, data_a, wide_a, number(scale), data_c, wide_c)
        builder.call(function, (kind, of_b, of_a, n, m, k, *order))
        return context.get_dummy_value()

    return types.void(a, b, beta, out), generate


@compiled
def product(a: Array, b: Array, beta: float, out: Array) -> None:
    """out = a b + beta out, some rows at a time where BLAS is faster so."""
    step = rows = out.shape[0]
    if READS_IN_PLACE and b.strides[1] == b.itemsize:
        fit = UNPACKED // max(out.shape[1] * a.shape[1], 1) // 4 * 4
        step = fit if fit >= FEWEST else rows
    for low in range(0, rows, step):
        high = min(low + step, rows)
        gemm(a[low:high], b, beta, out[low:high])  # type: ignore[call-arg]  # Numba fills in `typing`


@parallel
def _rows(a: Array, b: Array, out: Array, shares: int) -> None:
    size = -(-out.shape[0] // shares)
    for share in prange(shares):
        low, high = share * size, min((share + 1) * size, out.shape[0])
        if low < high:
            product(a[low:high], b, 0, out[low:high])


@parallel
def _columns(a: Array, b: Array, out: Array, shares: int) -> None:
    size = -(-out.shape[1] // shares)
    for share in prange(shares):
        low, high = share * size, min((share + 1) * size, out.shape[1])
        if low < high:
            product(a, b[:, low:high], 0, out[:, low:high])


def matmul(a: Array, b: Array, out: Array) -> None:
    """The longer side of `out` is cut."""
    rows, columns = out.shape
    shares = min(SHARES, rows * columns * a.shape[1] // LEAST, max(rows, columns) // NARROW)
    if a.shape[1] == 0:
        out[...] = 0
    elif shares <= 1:
        product(a, b, 0, out)
    elif rows >= columns:
        _rows(a, b, out, shares)
    else:
        _columns(a, b, out, shares)
