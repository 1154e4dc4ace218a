"""Where the time of a training step goes: what `bp profile` prints."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.config import load_config
from backprop_cli.engine.graph import Network, Node
from backprop_cli.model import build
from backprop_cli.training.loop import Loop
from backprop_cli.training.threads import limited

WARM, STEPS, SECONDS = 3, 200, 3.0
PEAK_SIZE = 1024


class Stopwatch:
    """Seconds of each call that it stands around, step by step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._now: dict[str, float] = defaultdict(float)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that calls `function` and adds the seconds of each call to `name` in the present step."""

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self._now[name] += time.perf_counter() - began

        return timed

    def step(self, whole: float) -> None:
        """End a step that took `whole` seconds: what was measured since the last one is added to `steps`."""
        self.steps.append({**self._now, "step": whole})
        self._now.clear()

    def forget(self) -> None:
        """Drop what was measured since the last step, as of a step that does not compare."""
        self._now.clear()

    def least(self, name: str) -> float:
        """The seconds of `name` in the fastest of the steps: what else the machine did is then left out."""
        return min(step.get(name, 0.0) for step in self.steps)


def profile_config(path: Path, overrides: Sequence[str], **options: Any) -> dict[str, Any]:
    """Train for a few steps and say what each part of one takes. Raises ConfigError, DataError."""
    prepared = build.prepare(load_config(path, overrides), **options)
    loop, _ = build.training(prepared)
    network, batch = prepared.network, loop.train.batch_size
    with limited(network, batch):
        replayed = replay_of(build.training(prepared)[0])
        before = peak_flops(network)
        watch = _watched(loop)
        peak = max(before, peak_flops(network))
    step = watch.least("step")
    layers = [_layer(node, network, watch, batch, step) | {"bytes": network.bytes_of(node)} for node in network.nodes]
    # a product of the layers' own shapes can be faster than the large one, above all while the machine is busy
    peak = max(peak, *(1e9 * layer["gflops"] for layer in layers))
    others = {name: 1e6 * watch.least(name) for name in ("batch", "loss", "update")}
    known = sum(layer["forward_us"] + layer["backward_us"] for layer in layers) + sum(others.values())
    result = {
        "batch_size": batch,
        "kernels": network.kernels.which,
        "step_us": 1e6 * step,
        "examples_per_second": batch / step,
        "layers": layers,
        "others_us": others | {"rest": max(0.0, 1e6 * step - known)},
        "peak_gflops": peak / 1e9,
        "bytes": network.bytes + sum(vector.nbytes for vector in loop.optimizer.memory.values()),
    }
    return result | {"replay": replayed, "costs": costs(result)}


def replay_of(loop: Loop) -> dict[str, Any]:
    """Train as a training does, and say what of a step is replayed in C (see engine/replay): `step_us` of one, `off`
    why nothing is, `by_python` what is made by Python between the others, and why."""
    least, began, replay = float("inf"), time.perf_counter(), loop.replay
    while not replay.off and loop.step < 5 * STEPS and time.perf_counter() - began < SECONDS / 2:
        start, before = time.perf_counter(), loop.step
        for _ in loop.steps():
            if replay.learned:
                least = min(least, (time.perf_counter() - start) / (loop.step - before))
            start, before = time.perf_counter(), loop.step
        loop.batch, loop.epoch = 0, loop.epoch + 1
    by_python = [{"part": stage.name, "why": stage.why} for stage in replay.stages if stage.why and not replay.off]
    return {"step_us": 1e6 * least if replay.learned else None, "off": replay.off or None, "by_python": by_python}


def _watched(loop: Loop) -> Stopwatch:
    """Some hundred steps of training with a watch around every part."""
    network, watch = loop.network, Stopwatch()
    for x, y in itertools.islice(_forever(loop), WARM):
        loop.train_step(x, y)
    network.input_buffer(loop.train.batch_size)  # the last batch may have been a short one
    for owner in (network.loss_function, *([network.head] if network.head else [])):
        for name in ("forward", "backward"):
            setattr(owner, name, watch.around("loss", getattr(owner, name)))

    def layer(node: Node, way: str, call: Callable[[], None]) -> None:
        watch.around(f"{node.name} {way}", call)()

    leave = loop.around_update(lambda update: bool(watch.around("update", update)()))
    batches, began = _forever(loop), time.perf_counter()
    take = watch.around("batch", lambda: next(batches))
    with network.calls(layer):
        while len(watch.steps) < STEPS and time.perf_counter() - began < SECONDS:
            start = time.perf_counter()
            x, y = take()
            loop.train_step(x, y)
            if len(x) == loop.train.batch_size:
                watch.step(time.perf_counter() - start)
            else:
                watch.forget()
    leave()
    network.input_buffer(loop.train.batch_size)
    return watch


def _forever(loop: Loop) -> Any:
    return itertools.chain.from_iterable(loop.train.epoch(epoch) for epoch in itertools.count(1))


def _layer(node: Node, network: Network, watch: Stopwatch, batch: int, step: float) -> dict[str, Any]:
    forward, backward = (watch.least(f"{node.name} {way}") for way in ("forward", "backward"))
    flops = batch * node.layer.flops(*node.input_shapes)
    first = not any(_reaches_gradient(network, name) for name in node.inputs)
    passes = 1 + (1 if first else 2)  # forward; then dW, and dx where somebody wants it
    seconds = forward + backward
    return {
        "name": node.name,
        "type": node.layer.type_name,
        "forward_us": 1e6 * forward,
        "backward_us": 1e6 * backward,
        "share": seconds / step,
        "flops": flops,
        "gflops": passes * flops / seconds / 1e9 if seconds else 0.0,
    }


def _reaches_gradient(network: Network, name: str) -> bool:
    return any(node.name == name and node.needs_gradient for node in network.nodes)


def peak_flops(network: Network) -> float:
    """Floating-point operations a second of a large matrix product, by the network's kernels and the threads that
    are allowed now."""
    a, b, c = (np.ones((PEAK_SIZE, PEAK_SIZE), network.dtype) for _ in range(3))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        network.kernels.matmul(a, b, c)
        best = min(best, time.perf_counter() - began)
    return float(2 * PEAK_SIZE**3 / best)


def costs(result: dict[str, Any]) -> list[str]:
    """The three largest costs, in words."""
    step, peak = result["step_us"], result["peak_gflops"]
    shares = [(us, f"the {name}" if name != "rest" else "everything else") for name, us in result["others_us"].items()]
    for layer in result["layers"]:
        shares += [(layer[f"{way}_us"], f"{layer['name']} {way}") for way in ("forward", "backward")]
    speeds = {layer["name"]: layer for layer in result["layers"]}
    lines = []
    for us, what in sorted(shares, reverse=True)[:3]:
        layer = speeds.get(what.partition(" ")[0])
        rate = f"; the layer reaches {100 * layer['gflops'] / peak:.0f} % of a matrix product's speed" if layer else ""
        lines.append(f"{what} takes {us:.0f} µs, {100 * us / step:.0f} % of a step{rate}")
    return lines
