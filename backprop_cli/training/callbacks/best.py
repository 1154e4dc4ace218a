"""Keeps the weights of the best epoch, and stops when no better one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.engine.parameters import ParameterStore
from backprop_cli.errors import UsageError, expected
from backprop_cli.runs.rows import Row, Rows
from backprop_cli.training.loop import Callback, Loop
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
        since: int = 1,
    ) -> None:
        """`since`: the first epoch that counts."""
        self.monitor, self.stopping, self.since = monitor, stopping, since
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
        self.many_epochs(loop, Rows.of(row))

    def at_once(self, loop: Loop, rows: Rows) -> int:
        """Up to the best of them, whose weights are copied, or to where training stops."""
        if self.monitor not in rows.columns:  # which `many_epochs` refuses
            return len(rows)
        stop = self._stop(rows)[2]
        return self._best(rows[: stop or len(rows)]) or stop or len(rows)

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        """The weights are those of the last of these rows, so no other may be the best."""
        if self.monitor not in rows.columns:
            known = expected(self.monitor, [name for name in rows.columns if "/" in name])
            raise UsageError(f"monitor: there is no {self.monitor!r} in an epoch's row; {known}")
        number = self._best(rows)
        if number:
            row = rows[number - 1]
            self.value, self.epoch_number, self.step_number = row[self.monitor], int(row["epoch"]), int(row["step"])
            self._copy(loop)
        self.reference, self.waited, stop = self._stop(rows)
        if stop:
            loop.stop_reason = f"{self.monitor} has not improved for {self.waited} epochs; " + (
                f"best {self.value:.6g} at epoch {self.epoch_number}" if self.value is not None else "never finite"
            )

    def _best(self, rows: Rows) -> int:
        """The number, from 1, of the best row; 0 where none is better than all before."""
        early = max(0, self.since - int(rows.columns["epoch"][0]))
        choices = rows.columns[self.monitor][early:]
        if not choices:
            return 0
        if not isfinite(sum(choices)):
            choices = [value if isfinite(value) else inf * self.sign for value in choices]
        best = min(choices) if self.sign > 0 else max(choices)
        better = self.sign * best < (inf if self.value is None else self.sign * self.value)
        return early + choices.index(best) + 1 if better else 0

    def _stop(self, rows: Rows) -> tuple[float | None, int, int]:
        """`reference` and `waited` after these rows, or after the one that ends training, with its number; 0 if none
        does."""
        reference, waited = self.reference, self.waited
        if self.stopping is None:
            return reference, waited, 0
        for number, told in enumerate(rows.columns[self.monitor], 1):
            value = self.sign * told
            if isfinite(value) and (reference is None or value < self.sign * reference - self.stopping.min_delta):
                reference, waited = self.sign * value, 0
                continue
            waited += 1
            if waited >= self.stopping.patience:
                return reference, waited, number
        return reference, waited, 0

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
