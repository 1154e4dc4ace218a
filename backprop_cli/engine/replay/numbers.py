"""Numbers of a step that are not arrays: a loss, a learning rate, how often something was right.

While a step is recorded they stand in for Python's floats. They have the value of this step, and remember by which
arithmetic it came about, for the steps to come.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay.program import Kind, cell


class Tape(Protocol):
    """Where operations are written."""

    def add(self, kind: Kind, out: Array | None = None, a: Any = None, b: Any = None) -> None: ...

    def fail(self, why: str) -> None: ...

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any: ...


class Number:
    """A float (int, bool) of this step. Where Python itself has to know it, the step cannot be recorded."""

    __hash__ = None  # type: ignore[assignment]  # equality is a number, too

    def __init__(self, tape: Tape, value: Any, array: Array | None = None) -> None:
        self.tape, self.value = tape, value
        self.place = cell() if array is None else array  # where it will be in later steps

    def _made(self, kind: Kind, function: Callable[..., Any], *operands: Any) -> Any:
        values = [operand.value if isinstance(operand, Number) else operand for operand in operands]
        result = function(*values)
        if not all(isinstance(value, float | int | np.float64 | np.bool_) for value in values):
            self.tape.fail(f"arithmetic with a {type(values[0]).__name__} and a {type(values[-1]).__name__}")
            return result
        places = [operand.place if isinstance(operand, Number) else cell(operand) for operand in operands]
        number = Number(self.tape, result)
        self.tape.add(kind, number.place, *places)
        return number

    def __add__(self, other: Any) -> Any:
        return self._made(Kind.ADD, operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._made(Kind.ADD, operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._made(Kind.SUBTRACT, operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._made(Kind.SUBTRACT, operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._made(Kind.MULTIPLY, operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._made(Kind.MULTIPLY, operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._made(Kind.DIVIDE, operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._made(Kind.DIVIDE, operator.truediv, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._made(Kind.POWER, operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._made(Kind.POWER, operator.pow, other, self)

    def __neg__(self) -> Any:
        return self._made(Kind.NEGATE, operator.neg, self)

    def __lt__(self, other: Any) -> Any:
        return self._made(Kind.LESS, operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return self._made(Kind.LESS_EQUAL, operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return self._made(Kind.LESS, lambda a, b: b > a, other, self)

    def __ge__(self, other: Any) -> Any:
        return self._made(Kind.LESS_EQUAL, lambda a, b: b >= a, other, self)

    def __eq__(self, other: object) -> Any:
        return self._made(Kind.EQUAL, operator.eq, self, other)

    def __bool__(self) -> bool:
        """The way that this step took: a later one that would take another is not replayed."""
        self.tape.add(Kind.IF if self.value else Kind.UNLESS, None, self.place)
        return bool(self.value)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return self.tape.ufunc(ufunc, method, inputs, options)

    def item(self) -> Number:
        """As NumPy's scalars have it."""
        return Number(self.tape, self.value.item() if hasattr(self.value, "item") else self.value, self.place)

    def __float__(self) -> float:
        self.tape.fail("Python asks for the value of a number")
        return float(self.value)

    def __index__(self) -> int:
        self.tape.fail("Python asks for the value of a number")
        return int(self.value)

    def __int__(self) -> int:
        return self.__index__()


READS = {"f": Kind.READ_F32, "d": Kind.READ_F64, "l": Kind.READ_I64, "q": Kind.READ_I64, "L": Kind.READ_U64}
READS |= {"Q": Kind.READ_U64, "?": Kind.READ_BOOL}
WRITES = {"f": Kind.WRITE_F32, "d": Kind.WRITE_F64, "l": Kind.WRITE_I64, "q": Kind.WRITE_I64}


def read(tape: Tape, memory: Array) -> Any:
    """The number in an array of one."""
    value = memory.reshape(-1)[0]
    kind = READS.get(memory.dtype.char)
    if kind is None:
        tape.fail(f"a number of type {memory.dtype}")
        return value
    number = Number(tape, value)
    tape.add(kind, number.place, memory)
    return number if memory.dtype.kind == "f" else number.item()


def write(tape: Tape, number: Number, memory: Array) -> None:
    """A number into an array of one."""
    memory[...] = number.value
    kind = WRITES.get(memory.dtype.char)
    if kind is None:
        tape.fail(f"a number becomes {memory.dtype}")
    else:
        tape.add(kind, memory, number.place)
