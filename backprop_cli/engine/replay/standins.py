"""Replaces a network's arrays by ones that record what is done with them, and puts the originals back."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from backprop_cli.engine.replay.recorder import StepRecorder
from backprop_cli.engine.replay.traced import Traced
from backprop_cli.registry import Component


class Random:
    """In the place of a generator: of its methods only `random` is known."""

    def __init__(self, recorder: StepRecorder, rng: np.random.Generator) -> None:
        self._recorder, self._rng = recorder, rng

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Random numbers in [0, 1): recorded as a draw into `out`, or, without an `out` of this dtype, as a failure."""
        if out is None or np.dtype(dtype) != out.dtype:
            self._recorder.fail("random numbers into a new array")
            return self._rng.random(size, dtype, out)
        self._recorder.draw(self._rng, out)
        return out

    def __getattr__(self, name: str) -> Any:
        self._recorder.fail(f"random numbers by {name}")
        return getattr(self._rng, name)


class Standins:
    """One for each array, so that what was one array stays one."""

    def __init__(self, recorder: StepRecorder, kernels: SimpleNamespace) -> None:
        self._recorder, self._kernels = recorder, kernels
        self._recorded = recorder.kernels(kernels)
        self._made: dict[int, tuple[Any, Any]] = {}
        self._put: list[tuple[dict[str, Any], str, Any, Any]] = []  # attributes, name, what was there, what is

    def of(self, value: Any) -> Any:
        """The same with other arrays, kernels and generators; also of lists, dicts, and records of them."""
        if type(value) is np.ndarray:
            return self._once(value, lambda: value.view(Traced))
        if value is self._kernels:
            return self._recorded
        if isinstance(value, np.random.Generator):
            return self._once(value, lambda: Random(self._recorder, value))
        if type(value) in (list, tuple):
            items = [self.of(item) for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
        if type(value) is dict:
            return {key: self.of(item) for key, item in value.items()}
        if is_dataclass(value) and not isinstance(value, type | Component):
            return self._record(value)
        return value

    def _record(self, value: Any) -> Any:
        """A copy with other fields, where there are any."""
        given = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: new for name, old in given.items() if (new := self.of(old)) is not old}
        record = copy.copy(value) if changed else value
        for name, new in changed.items():
            object.__setattr__(record, name, new)  # some are frozen
        return record

    def put(self, owner: Any, **attributes: Any) -> None:
        """Into an object's attributes, all of them that hold arrays, or these."""
        own = vars(owner)
        for name, new in (attributes or {name: self.of(value) for name, value in own.items()}).items():
            old = own.get(name, self)
            if new is not old:
                self._put.append((own, name, old, new))
                own[name] = new

    def leave(self) -> None:
        """Everything as it was before, but what has got another value meanwhile."""
        for own, name, old, new in reversed(self._put):
            if own.get(name) is not new:
                continue
            if old is self:
                del own[name]
            else:
                own[name] = old
        self._put.clear()

    def _once(self, value: Any, make: Any) -> Any:
        if id(value) not in self._made:
            self._made[id(value)] = value, make()
        return self._made[id(value)][1]
