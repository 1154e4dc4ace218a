"""What `bp check` and `bp gradcheck` find out about a config."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import build, registry
from backprop_cli import config as configs
from backprop_cli.engine import battery, gradcheck
from backprop_cli.errors import ConfigError
from backprop_cli.training.threads import limited

SAMPLES = 4  # examples of the data that a network is grad-checked on
DERIVATIVES = 512  # of a network's gradients, shared out over its parameters; each takes four forward passes


def config(path: Path, overrides: Sequence[str], **options: Any) -> dict[str, Any]:
    """Everything `bp check --json` prints; a config that is wrong gives its errors rather than raising."""
    try:
        prepared = build.prepare(configs.load(path, overrides), **options)
    except ConfigError as error:
        problems = [problem.as_dict() for problem in error.problems]
        messages = [str(problem) for problem in error.problems]
        return {"valid": False, "errors": problems, "messages": messages, "layers": [], "parameters": 0, "bytes": 0}
    network = prepared.network
    loop, _ = build.training(prepared)
    seconds = _step_seconds(prepared)
    layers = [
        {
            "name": node.name,
            "type": node.layer.type_name,
            "inputs": list(node.inputs),
            "output_shape": list(node.shape),
            "parameters": sum(
                int(np.prod(spec.shape)) for _, part in node.layer.walk() for spec in part.needs.parameters
            )
            if node.layer.shared is None
            else 0,
            "flops": node.layer.flops(*node.input_shapes),
        }
        for node in network.nodes
    ]
    return {
        "valid": True,
        "errors": [],
        "layers": layers,
        "parameters": network.store.count,
        "bytes": network.bytes,
        "batch_size": loop.train.batch_size,
        "steps_per_epoch": loop.train.steps_per_epoch,
        "seconds_per_epoch": seconds * loop.train.steps_per_epoch,
    }


def _step_seconds(prepared: build.Prepared) -> float:
    """One batch forward and backward, the faster of two: the first pays for touching the memory."""
    network, batches = prepared.network, prepared.batches("train", training=True)
    with limited(network, batches.batch_size):
        times = []
        for _ in range(2):
            began = time.perf_counter()
            x, y = next(iter(batches.epoch(1)))
            network.loss(network.forward(x, training=True, copy=False), y)
            network.backward()
            times.append(time.perf_counter() - began)
    return min(times)


def config_gradients(path: Path, overrides: Sequence[str], **options: Any) -> dict[str, Any]:
    """Grad-check the very network of a config, in float64, on a few examples of its own data."""
    cfg = configs.load(path, [*overrides, "dtype=float64"])
    prepared = build.prepare(cfg, **options)
    x, y = next(iter(prepared.batches("train").epoch(1)))
    x, y = x[:SAMPLES].copy(), y[:SAMPLES].copy()
    elements = min(gradcheck.ELEMENTS, max(4, DERIVATIVES // max(len(prepared.network.parameters), 1)))
    with limited(prepared.network, SAMPLES):
        checks = [
            gradcheck.check_network(
                prepared.network, x, y, name=cfg.name, case=case, training=training, elements=elements
            )
            for case, training in (("training", True), ("inference", False))
        ]
    return _result(checks)


def registered_gradients(only: str | None = None, plugin: Path | None = None) -> dict[str, Any]:
    """The whole battery, or one layer or loss of it, or what a plugin file defines."""
    if plugin is None:
        if only is not None and only not in registry.names("loss"):
            registry.get("layer", only)
        return _result(list(battery.run(only)))
    before = {kind: set(registry.classes(kind)) for kind in ("layer", "loss")}
    registry.load_plugin(plugin)
    new = [name for kind, known in before.items() for name in registry.classes(kind) if name not in known]
    return _result([check for name in new if only in (None, name) for check in battery.run(name)])


def _result(checks: list[gradcheck.Check]) -> dict[str, Any]:
    return {
        "passed": all(check.passed for check in checks),
        "tolerance": gradcheck.TOLERANCE,
        "checks": [vars(check) for check in checks],
    }
