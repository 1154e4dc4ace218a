"""Runs steps without Python: one is recorded while it runs call by call, the ones after it are replayed in C.

A step is a row of stages: the batch, each layer forward, the loss, metrics, each layer backward, the check that
gradients are finite, the update. A stage that is no list of calls on memory that stays where it is (a plugin's layer,
a metric without a kernel) is made by Python, between the others. Before anything is replayed one step is made both
ways from the same state; unless all it leaves is equal to the last bit, everything stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay import chains, passes
from backprop_cli.engine.replay.epochs import Epochs
from backprop_cli.engine.replay.numbers import Number
from backprop_cli.engine.replay.program import Kind, Operation, Program
from backprop_cli.engine.replay.recorder import StepRecorder
from backprop_cli.engine.replay.snapshot import digest, snapshot
from backprop_cli.engine.replay.stages import Stage, foreign
from backprop_cli.engine.replay.standins import Standins
from backprop_cli.engine.replay.tape import DECIDING
from backprop_cli.errors import BpError

WARM = 2  # steps before one is recorded: what is made at its first use is there then


class Replay(Epochs):
    """The steps of one training."""

    def go(self, until: float) -> float:
        """Make some steps, one at least, and none after step `until`; the loss of the last."""
        self._settle()
        if self._checked:
            self._some(until)
        else:
            self._learn()
        return float(self._loss)

    # ---- learning

    def _learn(self) -> None:
        """One step: call by call at first, then written down, then both ways."""
        training, optimizer = self.training, self.training.optimizer
        self._seen += 1
        special = training.next_around(training.step + 1) <= training.step + 1 or optimizer.until_flush == 0
        if self._seen <= WARM or special:
            for stage in self.stages:
                stage.call()
        elif self._program is None:
            self._record()
        else:
            self._check()
        training.count(1)

    def _record(self) -> None:
        """Write a step down while it is made. Where that fails, it is made again, and nothing is replayed."""
        recorder, restore = StepRecorder(), snapshot(self.training)
        own = vars(self.training.network)
        before = dict(own)
        standins = Standins(recorder, self.training.network.kernels)
        self._fill()  # the rows
        try:
            with recorder:
                self._put(recorder, standins)
        except BpError:
            raise
        except Exception as error:  # whatever code does with arrays that are not quite NumPy's
            standins.leave()
            own.update(before)
            restore()
            self.off = f"a step cannot be recorded: {type(error).__name__}: {error}"
            for stage in self.stages:
                stage.call()
            return
        finally:
            standins.leave()
            own.update(before)  # what the last loss has left there
        self._finish(recorder)

    def _put(self, recorder: StepRecorder, standins: Standins) -> None:
        """Make a step with arrays that write down what is done with them."""
        training, network = self.training, self.training.network
        assert self._bound is not None and self._feed is not None, "asked where there are both"
        owners: list[Any] = [part for node in network.nodes for _, part in node.layer.walk()]
        if network.head is not None:
            owners += [part for _, part in network.head.walk()]
        owners += [network.loss_function, *training.metrics, training.optimizer]
        for owner in [*(owner for owner in owners if not foreign(owner)), network.store, network.wiring]:
            standins.put(owner)
        y, bound = standins.of(self._y), standins.of(self._bound)
        standins.put(network, _bound=bound, kernels=recorder.kernels(network.kernels))
        standins.put(training.sums)
        standins.put(training, update=partial(self._recorded_update, recorder))
        rows, coming, raw = (standins.of(part) for part in (self._rows, self._coming, self._raw))
        fill = partial(self._feed.fill, network.kernels, rows, coming, raw, bound.input, y)
        for stage, other in zip(self.stages, self._listed(bound, y, fill), strict=True):
            self._record_stage(recorder, stage, other)

    def _record_stage(self, recorder: StepRecorder, stage: Stage, other: Stage) -> None:
        """`other` is the stage with arrays that write down what is done with them."""
        network = self.training.network
        stage.first = len(recorder.operations)
        recorder.begin()
        if stage.name == "batch":
            recorder.add(Kind.FEED, self._given)
        if foreign(stage.owner):
            stage.why = "it is a plugin's"
            with recorder.deaf():
                other.call()
            return
        other.call()
        late = recorder.decides_late and not any(stage.owner is part for part in (network.loss_function, network))
        stage.why = recorder.why or ("it decides on a number in the middle" if late else "")
        if stage.why:
            del recorder.operations[stage.first :]

    def _recorded_update(self, recorder: StepRecorder) -> None:
        training, optimizer = self.training, self.training.optimizer
        training.rate = optimizer.current_rate
        if optimizer.accumulate > 1:
            recorder.fail("gradients are accumulated")
            optimizer.step(training.network.counted)
            return
        scale = recorder.number(optimizer.schedule.scale(optimizer.iteration))
        optimizer.passed(1)
        count = recorder.number(optimizer.iteration)
        recorder.add(Kind.NEXT, scale.place, self._scales)
        recorder.add(Kind.NEXT, count.place, self._counts)
        optimizer.apply(scale, count)  # type: ignore[arg-type]  # numbers that are written down

    def _finish(self, recorder: StepRecorder) -> None:
        """Make a program of what was recorded."""
        starts = [*(stage.first for stage in self.stages), len(recorder.operations)]
        self._recorded = [recorder.operations[a:b] for a, b in pairwise(starts)]
        self._keep, self._linked = recorder.keep, recorder.linked
        self._number = self._loss if isinstance(self._loss, Number) else None
        if self._number is not None:
            self._loss = self._number.value
        self._assemble()

    def _assemble(self) -> None:
        """The operations of all stages, without those of an owner that has a stage which could not be recorded."""
        partly = {id(stage.owner): stage.why for stage in self.stages if stage.why}
        operations: list[Operation] = []
        cuts: set[int] = set()  # where a stage by Python comes, or one begins or ends that may stop
        for stage, own in zip(self.stages, self._recorded, strict=True):
            stage.why = stage.why or partly.get(id(stage.owner), "")
            stage.first = len(operations)
            operations += [] if stage.why else own
            if stage.why or any(operation.kind in DECIDING for operation in own):
                cuts |= {stage.first, len(operations)}
        replayed = {id(stage.owner) for stage in self.stages if not stage.why}
        self._held = [(metric, metric.totals) for metric in self.training.metrics if id(metric) in replayed]
        known = not next(stage for stage in self.stages if stage.name == "loss").why
        self._loss_place = self._number.place if self._number is not None and known else None
        cuts.add(self.stages[-1].first)  # which Python may be asked to make
        joined, kept = chains.join(operations, cuts, self._linked)
        joined, more = passes.join(joined, cuts)
        self._program = Program(joined, [*self._keep, *kept, *more])
        if not operations:
            self.off = f"no part of a step can be recorded: {self.stages[0].why}"

    def _check(self) -> None:
        """Make the step in both ways from the same state, and compare all that they leave."""
        restore = snapshot(self.training)
        self._single(hand=None)
        replayed = {name: digest(array) for name, array in self._results()}
        restore()
        for stage in self.stages:
            stage.call()
        wrong = [name for name, array in self._results() if digest(array) != replayed[name]]
        for index, metric in enumerate(self.training.metrics):
            if f"metric/{index}" in wrong:  # nothing depends on it
                wrong.remove(f"metric/{index}")
                next(stage for stage in self.stages if stage.owner is metric).why = "a replay of it leaves other bits"
                self._assemble()
        if wrong:
            self.off = f"a replayed step leaves other bits in {wrong[0]}"
        self._checked = True

    def _results(self) -> Iterator[tuple[str, Array]]:
        network, bound = self.training.network, self._bound
        assert bound is not None, "asked after a step"
        yield from ((f"the output of {name}", array) for name, array in bound.values.items())
        yield "the output", bound.output
        yield "the targets", self._y
        yield "the loss", np.array(self._loss)
        yield from ((f"the gradient of {name}'s output", array) for name, array in bound.deltas.items())
        yield from ((f"the gradient of {name}", array) for name, array in network.gradients.items())
        yield from network.parameters.items()
        yield from network.states.items()
        yield from self.training.optimizer.memory.items()
        yield from self.training.sums.arrays().items()
