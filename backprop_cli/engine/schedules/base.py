"""The base of every learning-rate schedule: a pure function of the update's number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.registry import Component, Doc, register, slot


def schedule(name: str, *aliases: str) -> Any:
    """Class decorator: registers a schedule under its names."""
    return register("schedule", name, *aliases)


Final = Annotated[float, Interval(ge=0, le=1), Doc("factor on the learning rate at the end")]
Steps = Annotated[PositiveInt | None, Doc("units until the end of the curve; by default the whole training")]


@dataclass(kw_only=True)
class Schedule(Component):
    """η(s) = learning_rate · scale(s), s counted from 0.

    `unit` says what s and every option in it count: updates (`accumulate` batches make one), or epochs, as
    users of PyTorch's schedulers often do (η then changes between epochs only).

    `warmup` of those in front of any schedule rise linearly, step by step, scale = (step + 1) / warmup steps;
    the schedule proper starts after them and spans what remains. Goyal et al. 2017, arXiv:1706.02677
    """

    warmup: Annotated[
        int, Ge(0), Doc("units over which the rate first rises from near 0; helps Adam and large batches")
    ] = 0
    unit: Annotated[Literal["step", "epoch"], Doc("what warmup and the other options count: updates or epochs")] = (
        "step"
    )

    total: int = slot()  # what the schedule proper spans, in `unit`s

    def bind(self, total_steps: int, steps_per_epoch: int = 1) -> None:
        """Tell the schedule how long the training and an epoch are, in optimizer steps."""
        self._per_unit = steps_per_epoch if self.unit == "epoch" else 1
        self._rise = self.warmup * self._per_unit
        self.total = max(1, -(-(total_steps - self._rise) // self._per_unit))

    def scale(self, step: int) -> float:
        """What the learning rate is multiplied by at this step."""
        if step < self._rise:
            return (step + 1) / self._rise
        return self.at((step - self._rise) // self._per_unit)

    def scales(self, step: int, steps: int) -> list[float]:
        """`scale` of so many steps, from this one on."""
        return [*map(self.scale, range(step, step + steps))]

    @property
    def spans_training(self) -> bool:
        """Whether its curve is as long as the training: more epochs then stretch what is left of it."""
        return getattr(self, "steps", 0) is None

    def at(self, s: int) -> float:
        """The scale after the warm-up."""
        raise NotImplementedError  # every schedule has its own curve

    @property
    def watches(self) -> str | None:
        """The metric this schedule wants to `observe` after each epoch, if any."""
        return None

    def hear(self, larger_is_better: bool) -> None:
        """Hear whether the watched metric should rise."""

    def observe(self, value: float) -> None:
        """Take in the watched metric of the epoch that has ended."""

    def state_dict(self) -> dict[str, Any]:
        """What is not a function of the step; JSON can hold it."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` gave."""
