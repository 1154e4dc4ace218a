"""Keeps the weights of the best epoch, and stops when no better one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.engine.parameters import ParameterStore
from backprop_cli.errors import UsageError, expected
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.training.options import EarlyStopping


class Best(Callback):
    """Watches one column of the metrics. Smaller is better, unless the metric says otherwise.

    `values` and `state` are copies of the network's vectors at the best epoch so far. `min_delta` is about stopping
    alone: patience begins again when `value` has left `reference` behind by more than that.
    """

    def __init__(
        self,
        monitor: str,
        store: ParameterStore,
        stopping: EarlyStopping | None = None,
        metrics: Sequence[Metric] = (),
    ) -> None:
        self.monitor, self.stopping = monitor, stopping
        self.sign = -1.0 if larger_is_better(monitor, metrics) else 1.0
        self.value: float | None = None
        self.reference: float | None = None
        self.epoch_number = self.step_number = self.waited = 0
        self.values: Array = np.zeros_like(store.values)
        self.state: Array = np.zeros_like(store.state)

    @property
    def summary(self) -> dict[str, float] | None:
        """{"epoch", "step", monitored name: value} of the best epoch, or None before the first."""
        if self.value is None:
            return None
        return {"epoch": self.epoch_number, "step": self.step_number, self.monitor: self.value}

    def epoch(self, loop: Loop, row: Row) -> None:
        if self.monitor not in row:
            known = expected(self.monitor, [name for name in row if "/" in name])
            raise UsageError(f"monitor: there is no {self.monitor!r} in an epoch's row; {known}")
        value = row[self.monitor]
        if self._better(value, self.value, 0.0):
            self.value, self.epoch_number, self.step_number = value, int(row["epoch"]), int(row["step"])
            self._copy(loop)
        if self.stopping is None:
            return
        if self._better(value, self.reference, self.stopping.min_delta):
            self.reference, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.stopping.patience:
            loop.stop_reason = f"{self.monitor} has not improved for {self.waited} epochs; " + (
                f"best {self.value:.6g} at epoch {self.epoch_number}" if self.value is not None else "never finite"
            )

    def _better(self, value: float, than: float | None, margin: float) -> bool:
        return isfinite(value) and (than is None or self.sign * value < self.sign * than - margin)

    def reset_patience(self) -> None:
        """Give a run that had stopped early its full patience again."""
        self.waited = 0

    def _copy(self, loop: Loop) -> None:
        store = loop.network.store
        with loop.optimizer.averaged():
            np.copyto(self.values, store.values)
        np.copyto(self.state, store.state)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        """Bring the best weights back, where early stopping asks for it. Checkpoints hold both: the last weights,
        from which training can go on, are in last.safetensors."""
        if error is None and self.stopping and self.stopping.restore_best and self.value is not None:
            np.copyto(loop.network.store.values, self.values)
            np.copyto(loop.network.store.state, self.state)

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        plain = {"value": self.value, "epoch": self.epoch_number, "step": self.step_number}
        plain |= {"reference": self.reference, "waited": self.waited}
        return {"values": self.values, "state": self.state}, plain

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        self.value, self.reference, self.waited = values["value"], values["reference"], int(values["waited"])
        self.epoch_number, self.step_number = int(values["epoch"]), int(values["step"])
        np.copyto(self.values, arrays["values"])
        np.copyto(self.state, arrays["state"])
