from __future__ import annotations

from math import cos, pi

from backprop_cli.engine.schedules.base import Final, Schedule, Steps, schedule


@schedule("cosine", "cosine_annealing", "cosine_annealing_lr", "cosine_decay")
class Cosine(Schedule):
    """Half a cosine from 1 down to `final`.

    scale = final + (1 − final) (1 + cos(π s / S)) / 2,   `final` from S on;   S = `steps`, or all that remain
    Keras's CosineDecay (alpha is `final`), PyTorch's CosineAnnealingLR up to its T_max.
    Loshchilov & Hutter 2017, arXiv:1608.03983
    """

    final: Final = 0.0
    steps: Steps = None

    def at(self, s: int) -> float:
        end = self.steps or self.total
        return self.final + (1 - self.final) * (1 + cos(pi * min(s, end) / end)) / 2
