"""The input and the output of a sign: the case that it examines, and the suspicion that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.engine.graph import Node
from backprop_cli.engine.optimizers.base import Optimizer
from backprop_cli.insight.doctor.edits import Anatomy, Edit, Patient
from backprop_cli.insight.doctor.probe import Observed

SPIKE = 3.0  # times the first loss, in the second half of training
PEAK = 10.0  # times the first loss, ever


@dataclass
class Suspicion:
    """A disease that the evidence points to, and what might cure it, the likeliest first."""

    disease: str
    sentence: str
    edits: list[Edit]
    layer: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    certain: bool = False  # a verdict even where no edit is known or helps
    best_of_all: bool = False  # try every edit and take the best, rather than the first that helps
    may_pass: bool = False  # what training can get over by itself: look longer before saying it


@dataclass
class Case:
    """What the signs look at."""

    patient: Patient
    evidence: Observed
    anatomy: Anatomy

    @property
    def kernels(self) -> list[Node]:
        """Layers with a kernel that they train, in forward order."""
        trained = self.evidence.typical("gradient_ratio")
        return [
            node for node in self.evidence.network.nodes if node.name in self.evidence.kernels and node.name in trained
        ]

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer of the training that is examined."""
        own: Optimizer = self.evidence.config.optimizer
        return own


def given(*edits: Edit) -> list[Edit]:
    """The edits that change anything."""
    return [edit for edit in edits if edit.set]


def spiked(evidence: Observed) -> bool:
    """Whether the loss jumps high, or still jumps about late in training."""
    later = evidence.losses[len(evidence.losses) // 2 :]
    if not later:
        return False
    restless = max(later) > SPIKE * evidence.start or float(np.std(later)) > evidence.start / 4
    return restless or max(evidence.losses) > PEAK * evidence.start


def broke(evidence: Observed) -> str:
    """How training broke off, to be added to a sentence."""
    return f"; {evidence.error}" if evidence.error else ""
