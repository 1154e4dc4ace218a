"""Looks inside the network every so many steps; `bp doctor`, `bp plot` and `bp report` read what it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.errors import DivergedError
from backprop_cli.runs.metrics_log import MetricsLog, repair
from backprop_cli.training.divergence import first_nonfinite
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.measures import Layers, norms, outputs, ratio, trained

EVERY = 100  # steps; a look costs less than a step, even with a network of four units


class Diagnostics(Callback):
    """Measures every `every`-th step, and 1, 2, 4, 8, … before the first of them; hands each row to `write`.

    A row is {"epoch", "step", "loss", "learning_rate", "layers": {name: {"gradient_norm", "weight_norm",
    "gradient_ratio", "update_ratio", "dead", "saturated", "mean", "std"}}}, each number where it applies (see
    `measures`). Gradients are those of the batch, before clipping and weight decay. If training diverges, a last row
    says where: {"epoch", "step", "loss": null, "nonfinite": {"layer", "what"}, "layers"}.

    It only reads, so that training takes the same steps with it and without.
    """

    def __init__(self, write: Callable[[dict[str, Any]], None], every: int = EVERY) -> None:
        self.write, self.every = write, every
        self._row: dict[str, Any] | None = None
        self._before = np.zeros(0)  # the weights before the update

    def start(self, loop: Loop) -> None:
        self._trained = trained(loop.network)
        self.watch(loop)

    def watch(self, loop: Loop) -> None:
        """Look at updates from now on, until `leave` is called."""
        self.leave = loop.around_update(partial(self.update, loop), self.due)

    def due(self, step: int) -> int:
        """The first step from this one on that is looked at."""
        power = 1 << (step - 1).bit_length()
        return power if power < self.every else -(-step // self.every) * self.every

    def next_step(self, loop: Loop) -> float:
        return self.due(loop.step + 1)

    def update(self, loop: Loop, update: Callable[[], bool]) -> bool:
        """The optimizer's step, with measurements before and after it when they are due."""
        step = loop.step + 1
        if self.due(step) != step:
            return update()
        layers = self._look(loop)
        store = loop.network.store
        weights = store.values[: store.trainable]
        if self._before.shape != weights.shape:
            self._before = np.empty_like(weights)
        np.copyto(self._before, weights)
        updated = update()
        if updated:  # not while gradients accumulate
            change = norms(np.subtract(weights, self._before, out=self._before), self._trained)
            for name, length in change.items():
                layers[name]["update_ratio"] = ratio(length, layers[name]["weight_norm"])
        self._row = {"epoch": loop.epoch, "step": step, "loss": None, "layers": layers}
        return updated

    def _look(self, loop: Loop) -> Layers:
        store = loop.network.store
        gradients, weights = norms(store.gradients, self._trained), norms(store.values, self._trained)
        seen = outputs(loop.network)
        layers: Layers = {}
        for node in loop.network.nodes:
            name = node.name
            if name in self._trained:
                g, w = gradients[name], weights[name]
                layers[name] = {"gradient_norm": g, "weight_norm": w, "gradient_ratio": ratio(g, w)}
            if name in seen:
                layers.setdefault(name, {}).update(seen[name])
        return layers

    def step(self, loop: Loop, loss: float) -> None:
        if self._row is not None:
            row, self._row = self._row, None
            self.write({**row, "loss": loss, "learning_rate": loop.rate})

    def end(self, loop: Loop, error: BaseException | None) -> None:
        if isinstance(error, DivergedError):
            layer, what = first_nonfinite(loop.network)
            with np.errstate(over="ignore", invalid="ignore"):
                layers = self._look(loop)
            row = {"epoch": loop.epoch, "step": loop.step + 1, "loss": None}
            self.write({**row, "nonfinite": {"layer": layer, "what": what}, "layers": layers})
        self.leave()


class DiagnosticsLog(Diagnostics):
    """Diagnostics of a run, as diagnostics.jsonl beside its metrics. When the run goes on, the file is brought
    back to where the checkpoint left it. Has to come before what writes checkpoints."""

    def __init__(self, path: Path, every: int = EVERY) -> None:
        super().__init__(self._log_row, every)
        self.path = path
        self._log: MetricsLog | None = None
        self._tail, self._rows = b"", 0

    def start(self, loop: Loop) -> None:
        super().start(loop)
        repair(self.path, self._tail, self._rows)
        self._log = MetricsLog(self.path, self._tail, self._rows)

    def _log_row(self, row: dict[str, Any]) -> None:
        assert self._log is not None, "the log is opened at the start"
        self._log.write(row)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        if self._log is not None:
            super().end(loop, error)
            self._log.flush()
            self._tail, self._rows = self._log.tail, self._log.rows
            self._log.close()
            self._log = None

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        if self._log is None:
            return {}, {"tail": self._tail.decode(), "rows": self._rows}
        self._log.flush()
        return {}, {"tail": self._log.tail.decode(), "rows": self._log.rows}

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        self._tail, self._rows = values.get("tail", "").encode(), int(values.get("rows", 0))
