"""What `bp check` and `bp gradcheck` find out about a config."""

from __future__ import annotations

import itertools
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import registry
from backprop_cli.config import Config, load_config
from backprop_cli.config.plugin_files import load_plugin
from backprop_cli.data.progress import Show
from backprop_cli.engine import battery, gradcheck
from backprop_cli.errors import BpError, ConfigError, DataError, Problem, UsageError, expected
from backprop_cli.model import build
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.training.remarks import remarks
from backprop_cli.training.threads import limited
from backprop_cli.untrusted.regular import real

SAMPLES = 4  # examples of the data that a network is grad-checked on
DERIVATIVES = 512  # of a network's gradients, shared out over its parameters; each takes four forward passes
MOVED = 0.01  # standard deviation of what is added to its parameters
STEPS, SECONDS = 3, 0.5  # how long a config is tried


def check_config(path: Path, overrides: Sequence[str], **options: Any) -> tuple[dict[str, Any], ConfigError | None]:
    """Everything `bp check --json` prints; and the error, if the config would not train, rather than raising it.

    Among `options` may be `warn`, which is told what is under `warnings`, too.
    """
    cfg = None
    try:
        cfg = load_config(path, overrides)
        return _described(build.prepare(cfg, **options), options.get("warn")), None
    except (BpError, MemoryError) as error:
        located = error if isinstance(error, ConfigError) else _placed(cfg, error)
        problems = [problem.as_dict() for problem in located.problems]
        return {"valid": False, "errors": problems, "warnings": [], "layers": [], "parameters": 0, "bytes": 0}, located


def _placed(cfg: Config | None, error: BpError | MemoryError) -> ConfigError:
    """An error of data, or of the first steps, with the line of the config that it goes back to."""
    message = f"out of memory: {error}" if isinstance(error, MemoryError) else str(error)
    path = ("dataset",) if isinstance(error, DataError) else ()
    placed = ConfigError([cfg.problem(path, message) if cfg else Problem(None, None, None, "", message)])
    placed.exit_code = error.exit_code if isinstance(error, BpError) else 1
    placed.__cause__ = error
    return placed


def _described(prepared: build.Prepared, warn: build.Warn | None) -> dict[str, Any]:
    network = prepared.network
    loop, best = build.training(prepared)
    warnings = remarks(loop)
    if warn is not None:
        for remark in warnings:
            warn(remark)
    seconds = _try(loop)
    return {
        "valid": True,
        "errors": [],
        "warnings": warnings,
        "layers": [_layer(node, network.store) for node in network.nodes],
        "parameters": network.store.count,
        "bytes": network.bytes
        + sum(held.nbytes for held in (*loop.optimizer.memory.values(), best.values, best.state)),
        "batch_size": loop.train.batch_size,
        "steps_per_epoch": loop.train.steps_per_epoch,
        "seconds_per_epoch": seconds,
    }


def _layer(node: Any, store: Any) -> dict[str, Any]:
    return {
        "name": node.name,
        "type": node.layer.type_name,
        "inputs": list(node.inputs),
        "output_shape": list(node.shape),
        "parameters": store.count_of(name for name in store.entries if name.startswith(f"{node.name}.")),
        "flops": node.layer.flops(*node.input_shapes),
    }


class _Few:
    """The first batches of a split, at most `STEPS` and about half a second of them."""

    def __init__(self, batches: Any) -> None:
        self.steps_per_epoch: int = batches.steps_per_epoch
        self.samples: int = batches.samples
        self.batch_size: int = batches.batch_size
        self.times: list[float] = []
        self._batches = batches

    @property
    def weight(self) -> Any:
        """That of the rows of the last batch."""
        return self._batches.weight

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        for x, y in itertools.islice(self._batches.epoch(epoch), STEPS):
            began = time.perf_counter()
            try:
                yield x, y
            finally:  # nobody asks for what comes after the last batch
                self.times.append(time.perf_counter() - began)
            if sum(self.times) > SECONDS:
                return

    @property
    def seconds(self) -> float:
        """What a whole epoch would take: the first batch pays for touching the memory, so the fastest counts."""
        fastest: float = min(self.times) if self.times else 0.0
        return self.steps_per_epoch * fastest


class _Stop(Callback):
    def epoch(self, loop: Loop, row: Row) -> None:
        loop.stop_reason = "it was only to be tried"


def _try(loop: Loop) -> float:
    """Train and validate on a few batches, as training itself does; the estimated seconds of an epoch."""
    train, validation = _Few(loop.train), loop.validation and _Few(loop.validation)
    loop.train, loop.validation = train, validation
    loop.callbacks = [_Stop()]
    with limited(loop.network, train.batch_size):
        loop.run()
    return train.seconds + (validation.seconds if validation else 0.0)


def config_gradients(path: Path, overrides: Sequence[str], only: str | None = None, **options: Any) -> dict[str, Any]:
    """Grad-check the very network of a config, or one layer in it, in float64, on a few examples of its own data.
    Raises UsageError for a layer without parameters of its own.

    Its parameters are moved a little: where an image is blank, a bias of 0 puts a ReLU on its kink, and there
    no difference is a derivative.
    """
    cfg = load_config(path, [*overrides, "dtype=float64"])
    prepared = build.prepare(cfg, **options)
    trained = [name for name, entry in prepared.network.store.entries.items() if not entry.frozen]
    layers = list(dict.fromkeys(name.partition(".")[0] for name in trained))
    if only is not None and only not in layers:
        raise UsageError(f"no layer {only!r} with trained parameters in {path}; {expected(only, layers)}")
    x, y = next(iter(prepared.batches("train").epoch(1)))
    x, y = x[:SAMPLES].copy(), y[:SAMPLES].copy()
    values = prepared.network.store.values
    values += MOVED * np.random.default_rng(0).normal(size=values.shape)
    elements = min(gradcheck.ELEMENTS, max(4, DERIVATIVES // max(len(prepared.network.parameters), 1)))
    with limited(prepared.network, SAMPLES):
        checks = [
            gradcheck.check_network(
                prepared.network,
                x,
                y,
                name=only or cfg.name,
                case=case,
                training=training,
                elements=elements,
                layer=only,
            )
            for case, training in (("training", True), ("inference", False))
        ]
    return _result(checks)


def registered_gradients(
    only: str | None = None, plugin: Path | None = None, progress: Show | None = None
) -> dict[str, Any]:
    """The whole battery, or one layer or loss of it, or what a plugin file defines. Raises UsageError."""
    plugin = plugin and real(plugin)
    if plugin is None:
        if only is not None and not registry.find("loss", only):
            registry.get("layer", only)
        names = [only] if only else list(dict.fromkeys([*registry.classes("layer"), *registry.classes("loss")]))
        checks: list[gradcheck.Check] = []
        for i, name in enumerate(names, start=1):
            checks += battery.run(name)
            if progress is not None:
                progress("checking gradients", i, len(names))
        return _result(checks)
    before = {kind: set(registry.classes(kind)) for kind in ("layer", "loss")}
    load_plugin(plugin, given=True)
    new = [(kind, name) for kind, known in before.items() for name in registry.classes(kind) if name not in known]
    if not new:
        raise UsageError(f"{plugin} defines no layer and no loss, so there is no gradient to check")
    if only is not None and only not in [name for _, name in new]:
        raise UsageError(f"{plugin} defines no {only!r}; {expected(only, [name for _, name in new])}")
    return _result([check for kind, name in new if only in (None, name) for check in _battery(kind, name, plugin)])


def _battery(kind: str, name: str, plugin: Path) -> list[gradcheck.Check]:
    """The battery over a class of a plugin; where its code raises, that is the finding."""
    cls: Any = registry.get(kind, name)
    worst = "it brings no `examples` to be checked on; see docs/plugins.md"
    try:
        if cls.examples:
            return list(battery.check_layer(cls) if kind == "layer" else battery.check_loss(cls))
    except Exception as error:  # anything its author may have done
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == plugin]
        worst = f"{plugin.name}:{lines[-1] if lines else '?'}: {type(error).__name__}: {error}"
    return [gradcheck.Check(name, "examples", float("inf"), worst, False)]


def _result(checks: list[gradcheck.Check]) -> dict[str, Any]:
    return {
        "passed": all(check.passed for check in checks),
        "tolerance": gradcheck.TOLERANCE,
        "checks": [vars(check) for check in checks],
    }
