"""Memory that a loss or a metric keeps from one batch to the next, so that no step allocates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.registry import Component, slot


@dataclass(kw_only=True)
class Scratch(Component):
    """A component with arrays of its own, by name."""

    memory: dict[str, Array] = slot()
    views: dict[str, Array] = slot()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.memory, self.views = {}, {}

    def scratch(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array of this shape to write in. It holds what it held when last asked for in the same
        shape; a shorter batch gets a view of the same memory."""
        view = self.views.get(name)
        if view is not None and view.shape == shape and view.dtype == dtype:
            return view
        size, flat = int(np.prod(shape)), self.memory.get(name)
        if flat is None or flat.size < size or flat.dtype != dtype:
            flat = self.memory[name] = np.zeros(size, dtype)
        self.views[name] = flat[:size].reshape(shape)
        return self.views[name]
