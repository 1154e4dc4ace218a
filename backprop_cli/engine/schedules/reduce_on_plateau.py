from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval

from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc, slot


@schedule("reduce_on_plateau", "reduce_lr_on_plateau")
class ReduceOnPlateau(Schedule):
    """Multiply by `factor` once the monitored metric has stopped improving.

    scale ← max(scale · factor, min)  after more than `patience` epochs in a row without an improvement of
    more than `min_delta`; then `cooldown` epochs in which none is counted. `min` is relative to learning_rate.
    `mode` auto: smaller is better, unless the metric says otherwise, as accuracy does. NaN and infinity are
    no improvement.
    PyTorch's ReduceLROnPlateau with threshold_mode abs (Keras's counts one epoch less of patience).
    """

    monitor: Annotated[str, Doc("the column of metrics.jsonl to watch")] = "validation/loss"
    factor: Annotated[float, Interval(gt=0, lt=1), Doc("on the rate, each time")] = 0.1
    patience: Annotated[int, Ge(0), Doc("epochs without improvement before the rate is reduced")] = 10
    min_delta: Annotated[NonNegative, Doc("least change that is an improvement, in the units of the metric")] = 1e-4
    cooldown: Annotated[int, Ge(0), Doc("epochs after a reduction that are not counted")] = 0
    min: Annotated[NonNegative, Doc("smallest factor on the learning rate")] = 0.0
    mode: Annotated[Literal["auto", "min", "max"], Doc("whether smaller or larger is better; auto asks the metric")] = (
        "auto"
    )

    larger_is_better: bool = slot()  # as the metric has it; the training loop says so
    best: float | None = slot()
    bad_epochs: int = slot()
    cooling: int = slot()  # epochs of the cooldown that remain
    current: float = slot()

    def bind(self, total_steps: int, steps_per_epoch: int = 1) -> None:
        super().bind(total_steps, steps_per_epoch)
        self.load_state_dict({"best": None, "bad_epochs": 0, "cooling": 0, "current": 1.0})

    @property
    def watches(self) -> str | None:
        return self.monitor

    @property
    def rising(self) -> bool:
        """Whether larger values of the metric are better."""
        return self.mode == "max" or (self.mode == "auto" and bool(self.larger_is_better))

    def hear(self, larger_is_better: bool) -> None:
        self.larger_is_better = larger_is_better

    def at(self, s: int) -> float:
        return self.current

    def observe(self, value: float) -> None:
        best, least = self.best, self.min_delta
        better = best is None or (value > best + least if self.rising else value < best - least)
        if better and isfinite(value):
            self.best, self.bad_epochs = value, 0
        else:
            self.bad_epochs += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.bad_epochs = 0
        if self.bad_epochs > self.patience:
            self.current = max(self.current * self.factor, self.min)
            self.cooling, self.bad_epochs = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("best", "bad_epochs", "cooling", "current")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best = state["best"]
        self.bad_epochs, self.cooling = int(state["bad_epochs"]), int(state["cooling"])
        self.current = float(state["current"])
