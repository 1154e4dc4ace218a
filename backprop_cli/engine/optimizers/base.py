"""The base of every optimizer: walks the flat vector block by block and updates it in place.

A block (16,384 numbers) stays in the cache while its gradient and slots are worked through, so a
rule of ten NumPy calls reads memory once. Adding a rule is `slots` and a few lines of `update`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Gt

from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.parameters import ParameterStore, aligned_zeros
from backprop_cli.registry import Component, Registered, register, slot

Array = npt.NDArray[Any]
BLOCK = 16_384
FLUSH_EVERY = 200  # steps between two sweeps for denormal numbers, which are up to 100 times slower


def optimizer(name: str, *aliases: str) -> Any:
    """Class decorator: files an optimizer under its names."""
    return register("optimizer", name, *aliases)


@dataclass(kw_only=True)
class Optimizer(Component):
    """w ← w + Δw, once a step. The options below are common to all.

    Order within a step: L2 decay is added to the gradient (g ← g + weight_decay·w), the gradient is
    clipped (clip_value, then clip_norm over all parameters), the rule is applied with
    η = learning_rate · schedule(step).
    """

    learning_rate: NonNegative = 1e-3
    schedule: Annotated[Any, Registered("schedule")] = "constant"
    clip_norm: Annotated[float, Gt(0)] | None = None
    clip_value: Annotated[float, Gt(0)] | None = None
    weight_decay: NonNegative = 0.0

    slots: ClassVar[tuple[str, ...]] = ()  # vectors it remembers, by name
    scratch: ClassVar[int] = 2  # blocks of temporary memory `update` may use
    decoupled: ClassVar[bool] = False  # decay the weights themselves, not through the gradient

    store: ParameterStore = slot()
    memory: dict[str, Array] = slot()
    iteration: int = slot()  # updates made so far

    def bind(self, store: ParameterStore, total_steps: int) -> None:
        """Take a network's parameters; `total_steps` is the length of the training, for schedules."""
        self.store, self.iteration = store, 0
        self.memory = {name: aligned_zeros(store.trainable, store.values.dtype) for name in self.slots}
        self._work = [aligned_zeros(BLOCK, store.values.dtype) for _ in range(self.scratch)]
        self.schedule.bind(total_steps)

    @property
    def current_rate(self) -> float:
        """η of the next update."""
        return float(self.learning_rate * self.schedule.factor(self.iteration))

    def step(self) -> None:
        """One update from the gradients in the store."""
        store, rate = self.store, self.current_rate
        g = store.gradients[: store.trainable]
        self._decay_and_clip(g, rate)
        self.iteration += 1
        for start in range(0, store.trainable, BLOCK):
            span = slice(start, min(start + BLOCK, store.trainable))
            size = span.stop - span.start
            memory = [self.memory[name][span] for name in self.slots]
            self.update(store.values[span], g[span], memory, rate, self.iteration, [w[:size] for w in self._work])
        if self.iteration % FLUSH_EVERY == 0:
            self._flush_denormals()

    def _decay_and_clip(self, g: Array, rate: float) -> None:
        decayed = slice(0, self.store.decayed)
        if self.weight_decay and self.decoupled:
            self.store.values[decayed] *= 1 - rate * self.weight_decay
        elif self.weight_decay:
            g[decayed] += self.weight_decay * self.store.values[decayed]
        if self.clip_value is not None:
            np.clip(g, -self.clip_value, self.clip_value, out=g)
        if self.clip_norm is not None:
            norm = float(np.sqrt(np.vdot(g, g)))
            if norm > self.clip_norm:
                np.multiply(g, self.clip_norm / norm, out=g)

    def _flush_denormals(self) -> None:
        """Set what has decayed to nearly nothing to zero: below 1e-30 no update can see it."""
        for vector in self.memory.values():
            vector[np.abs(vector) < 1e-30] = 0

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        """Change the block w in place. `memory` follows `slots`; t counts updates from 1; g may be overwritten."""
        raise NotImplementedError
