from __future__ import annotations

from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("inverse_sqrt", "noam")
class InverseSqrt(Schedule):
    """scale = √(k / t),   t = warmup + s + 1,   k = max(1, warmup)

    With a warm-up it is the transformer's schedule, min(t / k, √(k / t)), highest (1) at t = k.
    Vaswani et al. 2017, arXiv:1706.03762, section 5.3
    """

    def at(self, s: int) -> float:
        return float((max(1, self.warmup) / (self.warmup + s + 1)) ** 0.5)
