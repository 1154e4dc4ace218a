"""NumPy's own inner loops: what a ufunc calls for each piece of its arrays, found in its public C structure.

The same loop on the same memory gives the same bits as the call from Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay.program import AXES, OPERANDS, CopyCall, NumpyLoop, address

#: from, to -> the number of the cast in src/replay.c; the first three by size alone
CASTS = {("?", "f"): 3, ("B", "f"): 3, ("?", "d"): 4, ("B", "d"): 4, ("l", "f"): 5, ("q", "f"): 5}
CASTS |= {("l", "d"): 6, ("q", "d"): 6, ("f", "d"): 7, ("d", "f"): 8}
SIZES = {1: 0, 4: 1, 8: 2}


class UnknownError(Exception):
    """Nothing that can be replayed, and why."""


class _Fields(ctypes.Structure):
    """PyUFuncObject of numpy/ufuncobject.h, after the header."""

    _fields_ = [
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    ]


def find(ufunc: np.ufunc, dtypes: Sequence[np.dtype[Any]]) -> tuple[int, int | None]:
    """(address of the loop, its data) for operands of these types."""
    fields = _Fields.from_address(id(ufunc) + object.__basicsize__)
    wanted = "".join(dtype.char for dtype in dtypes)
    types = [signature.replace("->", "") for signature in ufunc.types]
    if (fields.nin, fields.nout, fields.ntypes) != (ufunc.nin, ufunc.nout, len(types)) or wanted not in types:
        raise UnknownError(f"np.{ufunc.__name__} has no loop for {wanted}")
    index = types.index(wanted)
    function = fields.functions[index]
    if not function:
        raise UnknownError(f"np.{ufunc.__name__} has no loop for {wanted}")
    return function, fields.data[index] if fields.data else None


def merged(shape: Sequence[int], strides: Sequence[Sequence[int]], lead: int = -1) -> tuple[list[int], list[list[int]]]:
    """Axes in the order of one operand's strides, the largest first; those that lie one after the other in all
    operands made one. At least one axis."""
    first = strides[lead]
    order = [axis for axis in range(len(shape)) if shape[axis] != 1]
    order.sort(key=lambda axis: abs(first[axis]), reverse=True)
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis in order:
        size = shape[axis]
        if sizes and all(mine[-1] == theirs[axis] * size for mine, theirs in zip(steps, strides, strict=True)):
            sizes[-1] *= size
            for mine, theirs in zip(steps, strides, strict=True):
                mine[-1] = theirs[axis]
            continue
        sizes.append(size)
        for mine, theirs in zip(steps, strides, strict=True):
            mine.append(theirs[axis])
    return (sizes, steps) if sizes else ([1], [[0] for _ in strides])


def elementwise(ufunc: np.ufunc, operands: Sequence[Array], shape: Sequence[int], lead: int = -1) -> NumpyLoop:
    """The loop of a ufunc over operands of its types, which broadcast to this shape."""
    function, data = find(ufunc, [operand.dtype for operand in operands])
    strides = [np.broadcast_to(operand, shape).strides for operand in operands]
    sizes, steps = merged(shape, strides, lead)
    return _loop(function, data, operands, sizes, steps)


def product(operands: Sequence[Array]) -> NumpyLoop:
    """np.matmul of stacks of matrices: a, b, out."""
    function, data = find(np.matmul, [operand.dtype for operand in operands])
    stack = operands[-1].shape[:-2]
    strides = [np.broadcast_to(operand, (*stack, *operand.shape[-2:])).strides for operand in operands]
    sizes, steps = merged(stack, [stride[:-2] for stride in strides])
    core = [stride for strides_of_one in strides for stride in strides_of_one[-2:]]
    dims = [operands[0].shape[-2], operands[0].shape[-1], operands[1].shape[-1]]
    return _loop(function, data, operands, sizes, steps, dims, core)


def _loop(
    function: int,
    data: int | None,
    operands: Sequence[Array],
    sizes: list[int],
    steps: list[list[int]],
    core_dims: Sequence[int] = (),
    core_steps: Sequence[int] = (),
) -> NumpyLoop:
    if len(sizes) - 1 > AXES or len(operands) > OPERANDS:
        raise UnknownError("more axes or operands than a list of calls has room for")
    loop = NumpyLoop(function=function, data=data, operands=len(operands), axes=len(sizes) - 1)
    loop.shape[: len(sizes) - 1] = sizes[:-1]
    loop.dims[: 1 + len(core_dims)] = [sizes[-1], *core_dims]
    inner = [*(step[-1] for step in steps), *core_steps]
    loop.steps[: len(inner)] = inner
    for i, (array, jumps) in enumerate(zip(operands, steps, strict=True)):
        loop.at[i] = address(array)
        loop.jump[i][: len(jumps) - 1] = jumps[:-1]
    return loop


def copy(to: Array, source: Array) -> CopyCall:
    """`source`, which broadcasts, to `to`, cast to its type."""
    if to.dtype == source.dtype and to.itemsize in SIZES:
        kind = SIZES[to.itemsize]
    elif (source.dtype.char, to.dtype.char) in CASTS:
        kind = CASTS[source.dtype.char, to.dtype.char]
    else:
        raise UnknownError(f"a copy of {source.dtype} to {to.dtype}")
    sizes, steps = merged(to.shape, [to.strides, np.broadcast_to(source, to.shape).strides], 0)
    if len(sizes) > AXES:
        raise UnknownError("more axes than a list of calls has room for")
    operation = CopyCall(to=address(to), source=address(source), kind=kind, axes=len(sizes))
    operation.shape[: len(sizes)] = sizes
    operation.to_step[: len(sizes)], operation.from_step[: len(sizes)] = steps
    return operation


def tangled(a: Array, b: Array) -> bool:
    """Whether two arrays overlap without being the same: NumPy would work on a copy of one."""
    same = address(a) == address(b) and a.shape == b.shape and a.strides == b.strides
    return not same and bool(np.may_share_memory(a, b))
