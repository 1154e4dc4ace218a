"""The operations that arrays record: ufuncs, sums and copies."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay import loops, numbers
from backprop_cli.engine.replay.loops import UnknownError
from backprop_cli.engine.replay.numbers import Number
from backprop_cli.engine.replay.program import Kind, Operation, address, cell
from backprop_cli.engine.replay.traced import Traced, plain

WRITING = {Kind.KERNEL, Kind.LOOP, Kind.COPY, Kind.DRAW}
DECIDING = {Kind.IF, Kind.UNLESS}
REDUCED = {"add", "maximum", "minimum", "logical_or", "logical_and"}


class Tape:
    """Operations in the order in which they were made. `why` says what could not be written down since `begin`; empty
    if nothing."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.keep: list[Any] = []
        self.why = ""
        self.decides_late = False  # since `begin`: on a number, after something was written
        self.wrote = False

    def __enter__(self) -> Tape:
        """From now on arrays tell it what is done with them."""
        Traced.tape = self
        return self

    def __exit__(self, *error: object) -> None:
        Traced.tape = None

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Inside, arrays tell nothing, and give plain ones and plain numbers."""
        Traced.tape = None
        try:
            yield
        finally:
            Traced.tape = self

    def begin(self) -> None:
        """Reset `why`, `decides_late` and `wrote`, so that they tell what comes from now on."""
        self.why, self.decides_late, self.wrote = "", False, False

    def fail(self, why: str) -> None:
        """Note why something could not be written down; the first reason since `begin` is kept."""
        self.why = self.why or why

    def add(self, kind: Kind, out: Any = None, a: Any = None, b: Any = None) -> None:
        """Append an operation on arrays, ctypes objects or integers, and keep its operands alive."""
        operands = [self._address(array) for array in (out, a, b)]
        self.operations.append(Operation(kind, *operands))
        self.wrote = self.wrote or kind in WRITING
        self.decides_late = self.decides_late or (self.wrote and kind in DECIDING)

    def _address(self, operand: Any) -> int | None:
        self.keep.append(operand)
        if operand is None or isinstance(operand, int):
            return operand
        return address(operand) if isinstance(operand, np.ndarray) else ctypes.addressof(operand)

    # ---- what arrays tell

    def fresh(self, array: Array) -> Array:
        """A view of a new array that records what is done with it; its memory is kept alive."""
        self.keep.append(array)
        return array.view(Traced)

    def read(self, memory: Array) -> Any:
        """The number in an array of one element, as one that records; a dtype that no operation reads is a failure."""
        return numbers.read(self, memory)

    def copy(self, to: Any, source: Any) -> None:
        """np.copyto"""
        to = plain(to)
        if isinstance(source, Number):
            if to.size == 1:
                numbers.write(self, source, to)
                return
            number = cell(0, to.dtype)
            numbers.write(self, source, number)
            source = number
        if not isinstance(source, np.ndarray):
            source = np.array(plain(source), to.dtype)
        source = plain(source)
        np.copyto(to, source, casting="unsafe")
        try:
            if self._tangled([source], to):
                raise UnknownError("arrays that overlap")
            if to.size:
                self.copy_in(to, source)
        except UnknownError as error:
            self.fail(str(error))

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The result of a method of a ufunc, computed now and recorded; what cannot be recorded is a failure."""
        outs = options.pop("out", (None,))
        outs = outs if isinstance(outs, tuple) else (outs,)
        given = {name: value for name, value in options.items() if value is not np._NoValue}
        plain_out = {"out": plain(outs)} if outs[0] is not None else {}
        if outs[0] is None and not any(isinstance(operand, np.ndarray) for operand in inputs):
            self.fail(f"np.{ufunc.__name__} of single numbers")
            return getattr(ufunc, method)(*plain(inputs), **plain(given))
        tangled, wrote = self._tangled(inputs, outs[0]), self.wrote
        result = getattr(ufunc, method)(*plain(inputs), **plain_out, **plain(given))
        if len(outs) != 1 or isinstance(result, tuple):
            self.fail(f"np.{ufunc.__name__} with several results")
            return result
        out = plain(outs[0]) if outs[0] is not None else np.array(result)
        try:
            if tangled:
                raise UnknownError("arrays that overlap")
            if method == "__call__":
                self._call(ufunc, inputs, out, given)
            elif method == "reduce":
                self._reduce(ufunc, inputs[0], out, given)
            else:
                raise UnknownError(f"np.{ufunc.__name__}.{method} is no list of calls")
        except (UnknownError, TypeError, ValueError) as error:  # of types that NumPy cannot be asked about
            self.fail(str(error))
        if outs[0] is not None:
            return outs[0]
        self.wrote = wrote  # only what is new
        return self.fresh(out) if isinstance(result, np.ndarray) else self.read(out)

    @staticmethod
    def _tangled(inputs: Sequence[Any], out: Any) -> bool:
        """Whether NumPy works on a copy because operands overlap."""
        arrays = [plain(operand) for operand in inputs if isinstance(operand, np.ndarray)]
        return out is not None and any(loops.tangled(array, plain(out)) for array in arrays)

    def _call(self, ufunc: np.ufunc, inputs: tuple[Any, ...], out: Array, options: dict[str, Any]) -> None:
        if options.pop("where", True) is not True or set(options) - {"casting", "subok", "order", "dtype"}:
            raise UnknownError(f"np.{ufunc.__name__} with where")
        asked: list[Any] = [_type_of(operand) for operand in inputs]
        dtypes = ufunc.resolve_dtypes((*asked, out.dtype if out.ndim or ufunc.signature else None), casting="unsafe")
        operands = [self._operand(operand, dtype) for operand, dtype in zip(inputs, dtypes, strict=False)]
        result = out if out.dtype == dtypes[-1] else np.empty(out.shape, dtypes[-1])
        if out.size:
            if ufunc is np.matmul:
                if min(operand.ndim for operand in (*operands, result)) < 2:
                    raise UnknownError("np.matmul with a vector")
                self._loop(loops.product([*operands, result]), operands, result)
            elif ufunc.signature:
                raise UnknownError(f"np.{ufunc.__name__} is no list of calls")
            else:
                self._loop(loops.elementwise(ufunc, [*operands, result], out.shape), operands, result)
        if result is not out:
            self.copy_in(out, result)

    def _reduce(self, ufunc: np.ufunc, x: Any, out: Array, options: dict[str, Any]) -> None:
        x = plain(x)
        axis, keep = options.pop("axis", 0), options.pop("keepdims", False)
        if options.pop("where", True) is not True or options.pop("initial", None) is not None or not x.size:
            raise UnknownError(f"np.{ufunc.__name__}.reduce with where or initial, or of nothing")
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
        axes = sorted(axis % x.ndim for axis in axes)
        dtypes = ufunc.resolve_dtypes((options.pop("dtype", None) or out.dtype, x.dtype, None), reduction=True)
        if ufunc.__name__ not in REDUCED or set(dtypes) != {out.dtype}:
            raise UnknownError(f"np.{ufunc.__name__}.reduce of {x.dtype} to {out.dtype}")
        source = self._operand(x, out.dtype)
        kept = out if keep else out.reshape([1 if i in axes else size for i, size in enumerate(x.shape)])
        kept = kept.reshape([1 if i in axes else size for i, size in enumerate(x.shape)])
        if not np.shares_memory(kept, out):
            raise UnknownError("a sum into an array with gaps")
        if ufunc is np.add:
            self.copy_in(kept, np.add.reduce(np.full(1, -0.0, out.dtype), keepdims=True))
        else:
            self.copy_in(kept, source[tuple(slice(0, 1) if i in axes else slice(None) for i in range(x.ndim))])
        self._loop(loops.elementwise(ufunc, [kept, source, kept], x.shape, 1), [source], kept)

    def copy_in(self, to: Array, source: Array) -> None:
        """An operation that copies, which is not made now."""
        self.keep += [to, source]
        self.add(Kind.COPY, None, loops.copy(to, source))

    def _operand(self, value: Any, dtype: np.dtype[Any]) -> Array:
        """The operand in the type of the loop."""
        if isinstance(value, Number):
            number = cell(0, dtype)
            numbers.write(self, value, number)
            return number.reshape(())
        if not isinstance(value, np.ndarray):
            return np.array(value, dtype)
        array: Array = plain(value)
        if array.dtype == dtype:
            return array
        converted = np.empty(array.shape, dtype)
        if converted.size:
            self.copy_in(converted, array)
        return converted

    def _loop(self, loop: Any, operands: list[Array], out: Array) -> None:
        self.keep += [*operands, out]
        self.add(Kind.LOOP, None, loop)


def _type_of(value: Any) -> Any:
    """How NumPy is asked for the type of a result."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype
    value = plain(value)
    return value.dtype if isinstance(value, np.generic) else type(value)
