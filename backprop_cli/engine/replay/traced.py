"""Arrays that write down what is done with them. While a step is recorded they stand in for the network's own, as
views of the same memory; everything is done as always, and the tape hears of it."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay.numbers import Number

#: functions of NumPy's that do all they do by ufuncs
BY_UFUNCS = {np.sum, np.max, np.min, np.amax, np.amin, np.clip, np.mean, np.any, np.all, np.prod}
#: methods that the tape cannot follow
UNKNOWN: tuple[str, ...] = (
    "argmax",
    "argmin",
    "argsort",
    "choose",
    "compress",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "flatten",
)
UNKNOWN += ("nonzero", "partition", "put", "repeat", "resize", "searchsorted", "sort", "take", "tobytes", "tolist")


class Tape(Protocol):
    """What arrays tell."""

    def fail(self, why: str) -> None: ...

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any: ...

    def copy(self, to: Array, source: Any) -> None: ...

    def fresh(self, array: Array) -> Array: ...

    def read(self, memory: Array) -> Any: ...


class Traced(np.ndarray):
    """An array whose operations go to `tape`."""

    tape: ClassVar[Tape | None] = None

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        if self.tape is None:
            return getattr(ufunc, method)(*plain(inputs), **plain(options))
        return self.tape.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        tape = self.tape
        if tape is None:
            return function(*plain(arguments), **plain(options))
        if function is np.copyto and len(arguments) == 2 and not set(options) - {"casting"}:
            return tape.copy(*arguments)
        if function in BY_UFUNCS:
            return function.__wrapped__(*arguments, **options)
        if function in (np.zeros_like, np.empty_like, np.ones_like, np.shape, np.ndim, np.size, np.may_share_memory):
            return function(*plain(arguments), **plain(options))
        tape.fail(f"np.{function.__name__} is no list of calls")
        return function(*plain(arguments), **plain(options))

    def __getitem__(self, key: Any) -> Any:
        chosen = plain(self)[key]
        if self.tape is None:
            return chosen
        if not isinstance(chosen, np.ndarray):  # one number
            return self.tape.read(plain(self)[_within(key)])
        if chosen.base is None:
            self.tape.fail("numbers picked by an array")
            return chosen
        return chosen.view(Traced)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.tape is None:
            plain(self)[key] = plain(value)
            return
        target = plain(self)[_within(key)] if _basic(key) else None
        if target is None:
            self.tape.fail("numbers picked by an array")
            plain(self)[key] = plain(value)
            return
        if target.base is None:
            target = np.asarray(target)
        self.tape.copy(target, value)

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    def fill(self, value: Any) -> None:
        self[...] = value

    def copy(self, order: Any = "C") -> Any:
        duplicate = np.empty(self.shape, self.dtype)
        if self.tape is not None:
            self.tape.copy(duplicate, self)
            return self.tape.fresh(duplicate)
        np.copyto(duplicate, plain(self))
        return duplicate

    def astype(  # type: ignore[override]  # for every type in one
        self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        cast = np.empty(self.shape, dtype)
        if self.tape is None:
            np.copyto(cast, plain(self), casting=casting)
            return cast
        self.tape.copy(cast, self)
        return self.tape.fresh(cast)

    def item(self, *index: Any) -> Any:
        if self.tape is None or index or self.size != 1:
            self._lost("item")
            return plain(self).item(*index)
        return self.tape.read(plain(self)).item()

    def __float__(self) -> float:
        self._lost("float")
        return float(plain(self))

    def __bool__(self) -> bool:
        self._lost("bool")
        return bool(plain(self))

    def __int__(self) -> int:
        self._lost("int")
        return int(plain(self))

    def _lost(self, name: str) -> None:
        if self.tape is not None:
            self.tape.fail(f"Python reads an array, by {name}")


def _unknown(name: str) -> Any:
    def method(self: Traced, *arguments: Any, **options: Any) -> Any:
        self._lost(name)
        return getattr(plain(self), name)(*plain(arguments), **plain(options))

    return method


for _name in UNKNOWN:
    setattr(Traced, _name, _unknown(_name))


def plain(value: Any) -> Any:
    """The same without traced arrays and numbers of the tape: their values."""
    if isinstance(value, Traced):
        return value.view(np.ndarray)
    if isinstance(value, Number):
        return value.value
    if type(value) in (tuple, list):
        return type(value)(plain(item) for item in value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def _basic(key: Any) -> bool:
    """Whether it stands for a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, int | np.integer | slice) for part in parts)


def _within(key: Any) -> Any:
    """The same place as a view, also where it is a single number."""
    parts = key if isinstance(key, tuple) else (key,)
    return parts if Ellipsis in [part for part in parts if not isinstance(part, slice)] else (*parts, Ellipsis)
