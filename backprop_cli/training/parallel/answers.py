"""What all ranks have answered to a batch, brought to rank 0, which measures it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.engine.ranks import Ranks
from backprop_cli.training.sums import Gathered, Sums


class Answers:
    """Outputs of this rank's parts of one batch; `measure` puts those of all together, in the batch's order."""

    def __init__(self, network: Network, metrics: Sequence[Metric]) -> None:
        self._network, self._metrics = network, metrics
        logits = [metric.wants_logits and network.gives_logits for metric in metrics]
        self._kept: dict[str, list[Array]] = {}
        if not all(logits):
            self._kept["output"] = []
        if any(logits):
            self._kept["logits"] = []
        if metrics and network.nodes[-1].mask is not None:
            self._kept["output_mask"] = []

    def take(self, copy: bool) -> None:
        """Keep what the network has just answered; a copy, where another pass follows."""
        for name, parts in self._kept.items():
            answer: Array = getattr(self._network, name)
            parts.append(answer.copy() if copy else answer)

    def measure(self, target: Array, counts: Sequence[int], ranks: Ranks) -> None:
        """Count the batch in every metric, at rank 0. `counts`: the rows of each rank."""
        if not self._metrics:
            return
        network = self._network
        whole = {name: ranks.gather(self._joined(name, parts), counts) for name, parts in self._kept.items()}
        target = ranks.gather(target, counts)
        if ranks.rank == 0:
            output, logits = whole.get("output"), whole.get("logits")
            either = output if output is not None else logits
            assert either is not None, "every metric wants one or the other"
            gathered = Gathered(
                network.counted,
                network.gives_logits,
                either,
                either if logits is None else logits,
                whole.get("output_mask"),
            )
            for metric in self._metrics:
                Sums.measure(metric, gathered, target)

    def _joined(self, name: str, parts: Sequence[Array]) -> Array:
        if not parts:
            shape = self._network.output_shape
            mask = name == "output_mask"
            return np.empty((0, *(shape[:1] if mask else shape)), bool if mask else self._network.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
