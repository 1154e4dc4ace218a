"""A training that is stepped by hand: forward, back in time, from the start."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.browser.play.history import History
from backprop_cli.commands.trained import config_of, learnt
from backprop_cli.config import Config, load_config
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.errors import DivergedError, UsageError
from backprop_cli.insight.trace.trace import example
from backprop_cli.model import build
from backprop_cli.model.model import load_weights
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.finding import find_run
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.training.measures import norms, trained
from backprop_cli.training.threads import limited

KEPT = 8_000  # losses that are kept for the curve; of more, every second one is dropped


@dataclass(frozen=True)
class ConfigOrRun:
    """A config, or a run with its trained weights; `overrides` as of --set."""

    name: str
    is_config: bool
    overrides: tuple[str, ...] = ()
    runs: Path = Path("runs")

    @property
    def run(self) -> RunDirectory | None:
        """The run that `name` stands for; None for a config. Raises UsageError, DamagedError."""
        return None if self.is_config else find_run(self.name, self.runs)

    def config(self) -> Config:
        """The config, read again each time: its layers belong to the network that is built from it."""
        run = self.run
        return load_config(self.name, self.overrides) if run is None else config_of(run, self.overrides)


class SteppedTraining(Callback):
    """The loop of a training, and a second network of the same weights in which one example can be looked at.

    `at` is how far the pass of that example is shown: calls of layers forward, the loss, calls backward; see `parts`.
    Raises what preparing a config does.
    """

    def __init__(self, source: ConfigOrRun, warn: build.Warn | None = None) -> None:
        self.source = source
        cfg, run = source.config(), source.run
        known = learnt(run) if run is not None else {}
        self.prepared = build.prepare(cfg, warn=warn, initial=True, **known)
        if run is not None and not source.overrides:
            load_weights(CheckpointFile(run.checkpoint("best")), self.prepared.network)
        self.loop, _ = build.training(self.prepared, [self])
        double = replace(source.config(), dtype="float64")
        self._glass = build.prepare(
            double, dataset=self.prepared.dataset, observe=True, input_gradient=True, kernels="numpy", **known
        )
        self._closing = ExitStack()
        self._closing.enter_context(limited(self.loop.network, self.loop.train.batch_size))
        self.norms: dict[str, float] = {}  # of each layer's gradient, in the batch of the last step
        self.losses: list[tuple[int, float]] = []
        self._stride = 1
        self.rows: list[Row] = []
        self.furthest = 0
        self.note = ""  # what happened last, in a sentence
        self.sample = 0
        self.own: tuple[Array, Array] | None = None  # the user's own input, in place of the sample
        self._trained = trained(self.loop.network)
        for callback in self.loop.callbacks:
            callback.start(self.loop)
        self._walk = self.loop.walk()
        self.history = History()
        self.history.note(self.loop)
        self.at = self.parts

    def close(self) -> None:
        """Release the threads."""
        self._walk.close()  # type: ignore[attr-defined]  # a generator
        self._closing.close()

    # ---- what the loop tells

    def start(self, loop: Loop) -> None:
        loop.around_update(self._look)

    def _look(self, update: Callable[[], bool]) -> bool:
        self.norms = norms(self.loop.network.store.gradients, self._trained)
        return update()

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step % self._stride == 0:
            self.losses.append((loop.step, loss))
        if len(self.losses) > KEPT:
            self._stride *= 2
            self.losses = [pair for pair in self.losses if pair[0] % self._stride == 0]

    def epoch(self, loop: Loop, row: Row) -> None:
        self.rows.append(dict(row))
        if len(self.rows) > KEPT:
            del self.rows[1::2]

    # ---- commands

    def advance(self) -> None:
        """Make one step of the training. Raises DivergedError; the state is then the one before the step."""
        before = self.loop.step
        try:
            next(self._walk)
            if self.loop.batch == self.loop.train.steps_per_epoch:
                next(self._walk, None)  # measures the epoch
                self._walk = self.loop.walk()
        except DivergedError as error:
            self._put_back(before)
            raise DivergedError(str(error)) from None
        self.history.note(self.loop)
        self.furthest = max(self.furthest, self.loop.step)
        self.at, self.note = self.parts, ""

    def go_to(self, step: int) -> None:
        """Go to the state after `step` steps: no earlier than `history` reaches, no later than the last step made."""
        step = min(max(step, self.history.oldest), self.furthest)
        if step < self.loop.step:
            self._put_back(step)
        while self.loop.step < step:
            self.advance()
        self.at, self.note = self.parts, ""

    def _put_back(self, step: int) -> None:
        snapshot = self.history.back_to(step)
        self.loop.load_state_dict(snapshot.arrays, snapshot.values)
        self._walk = self.loop.walk()
        self.losses = [pair for pair in self.losses if pair[0] <= snapshot.step]
        self.rows = [row for row in self.rows if row["step"] <= snapshot.step]
        while self.loop.step < step:
            self.advance()

    @property
    def parts(self) -> int:
        """How many parts a pass has: every layer forward, the loss, every layer backward."""
        return 2 * len(self.glass.nodes) + 1

    def forward(self) -> None:
        """Show one more layer of the forward pass; after the last layer the loss; then start the pass again."""
        self.at = self.at + 1 if self.at <= len(self.glass.nodes) else 1
        self.note = self._told()

    def backward(self) -> None:
        """Show one more layer of the backward pass; after the last layer make the step, on its batch."""
        if self.at == self.parts:
            self.advance()
            self.at, self.note = 0, "update: the weights have moved against the gradient of their batch"
            return
        self.at = max(self.at, len(self.glass.nodes)) + 1
        self.note = self._told()

    def _told(self) -> str:
        nodes = self.glass.nodes
        if self.at <= len(nodes):
            return f"forward: {nodes[self.at - 1].name} has written y"
        if self.at == len(nodes) + 1:
            return "loss: the output has been compared with the target"
        return f"backward: {nodes[self.parts - self.at].name} has δ, and from it its gradients"

    def take(self, other: SteppedTraining) -> bool:
        """Take over the weights of another session, if they all fit. Returns whether they do."""
        mine, theirs = self.loop.network.parameters, other.loop.network.parameters
        if {name: view.shape for name, view in mine.items()} != {name: view.shape for name, view in theirs.items()}:
            return False
        self.loop.network.load_parameters(theirs)
        self.history = History()
        self.history.note(self.loop)
        return True

    def choose(self, sample: int) -> None:
        """Look at another example of the training split. Raises UsageError."""
        before, self.sample, self.own = self.sample, sample, None
        try:
            self.example()
        except UsageError:
            self.sample = before
            raise

    def look(self, x: Any) -> None:
        """Look at an input of the user, raw as in the dataset; its target is the network's present answer.
        Raises UsageError for another shape."""
        data, reading = self.prepared.dataset, self.prepared.reading
        try:
            raw = np.asarray(x, np.float64)
        except (TypeError, ValueError):
            raw = np.empty(0)
        if raw.shape != data.input_shape or not np.isfinite(raw).all():
            raise UsageError(f"expected numbers of the shape {data.input_shape}, got {raw.shape or 'something else'}")
        rows = self.inputs(raw[None].astype(data.input_dtype))
        z = self.synced().forward(rows)
        target = example(self._glass, 0)[1]
        if reading.kind == "classes" and target.shape == z.shape:
            target = (np.arange(z.shape[-1]) == z.argmax(axis=-1, keepdims=True)).astype(target.dtype)
        elif reading.has_classes:
            target = reading.ids(z).reshape(target.shape).astype(target.dtype)
        else:
            target = z.reshape(target.shape).astype(target.dtype)
        self.own, self.at = (rows, target), self.parts
        self.note = f"an input of your own; the network answers {reading.answers(z)[0]}"

    # ---- what is shown

    @property
    def glass(self) -> Network:
        """The network that is looked into: in float64, no two layers sharing memory."""
        return self._glass.network

    def synced(self) -> Network:
        """The same network with the present weights, statistics and random numbers of the training."""
        glass, store = self.glass, self.loop.network.store
        np.copyto(glass.store.values, store.values)
        np.copyto(glass.store.state, store.state)
        glass.rng.bit_generator.state = self.loop.network.rng.bit_generator.state
        return glass

    def example(self) -> tuple[Array, Array]:
        """(x, y) of the example that is looked at, each with one row. Raises UsageError."""
        return self.own or example(self._glass, self.sample)

    def inputs(self, x: Array) -> Array:
        """Rows as the dataset has them, as the network gets them."""
        first = next(iter(self.prepared.dataset.splits.values()))
        y = np.broadcast_to(first.y[:1], (len(x), *first.y.shape[1:]))
        batches = Batches(Split(x, y), len(x), transforms=self._glass.transforms, shuffle=False, dtype="float64",
                       augment=False, prefetch=False)  # fmt: skip
        return np.array(next(iter(batches.epoch(0)))[0])
