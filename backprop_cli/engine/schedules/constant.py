from __future__ import annotations

from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("constant")
class Constant(Schedule):
    """factor = 1"""

    def at(self, step: int) -> float:
        return 1.0
