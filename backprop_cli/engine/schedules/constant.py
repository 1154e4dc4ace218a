from __future__ import annotations

from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("constant", "constant_lr")
class Constant(Schedule):
    """scale = 1"""

    def at(self, s: int) -> float:
        return 1.0

    def scales(self, step: int, steps: int) -> list[float]:
        return [1.0] * steps if step >= self._rise else super().scales(step, steps)
