"""From a Config to everything that runs. The only file that knows every room.

Config → `prepare` (dataset, batches, network) → `training` (the loop) → `train` (the run directory).
`eval`, `check` and `gradcheck` start from the same `prepare`.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli import config as configs
from backprop_cli.config import Config
from backprop_cli.config.checks import monitors
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.pipeline import fit_transforms, load_transforms_state, transforms_state
from backprop_cli.data.transform import Transform
from backprop_cli.engine.graph import Network
from backprop_cli.engine.losses.base import Reading
from backprop_cli.engine.metrics.base import class_ids, counted
from backprop_cli.engine.metrics.report import class_report
from backprop_cli.errors import BuildError, ConfigError, DataError, UsageError
from backprop_cli.expand import Expander
from backprop_cli.runs.checkpoint import Checkpoint
from backprop_cli.runs.directory import RunDirectory, find_run, now
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.callbacks.recorder import Recorder
from backprop_cli.training.callbacks.signals import Signals
from backprop_cli.training.loop import Callback, Loop, evaluate
from backprop_cli.training.threads import limited

Array = npt.NDArray[Any]
Warn = Callable[[str], None]
TRANSFORMS = "transforms/"  # prefix of what transforms learned, in a checkpoint


@dataclass
class Prepared:
    """A config's data and network, ready to run."""

    config: Config
    dataset: Dataset
    transforms: list[Transform]
    network: Network
    reading: Reading  # how its outputs are to be read

    def batches(self, split: str, *, training: bool = False) -> Batches:
        """Batches of a split; shuffled and augmented for training, in order otherwise. Raises UsageError."""
        options, splits = self.config.trainer, self.dataset.splits
        if split not in splits:
            raise UsageError(f"the dataset has no split {split!r}; expected one of {', '.join(splits)}")
        data = splits[split]
        size = len(data) if options.batch_size == "full" else options.batch_size
        return Batches(
            data,
            size if training else max(size, min(len(data), 256)),
            transforms=self.transforms,
            seed=self.config.seed,
            shuffle=options.shuffle and training and size < len(data),
            drop_last=options.drop_last and training,
            dtype=self.network.dtype,
            balanced=options.balanced and training,
            augment=training,
        )


def prepare(
    cfg: Config,
    *,
    warn: Warn | None = None,
    progress: Any = None,
    learned: Mapping[str, Array] | None = None,
    **network_options: Any,
) -> Prepared:
    """Load the data and build the network. Raises ConfigError, DataError.

    `learned` is a checkpoint's arrays: transforms then take what they learned from there.
    """
    dataset = load_dataset(cfg.dataset, cfg.seed, cfg.folder, warn=warn, progress=progress)
    wrong = [cfg.problem(*each) for each in monitors(cfg.trainer, cfg.optimizer, cfg.places, dataset.splits)]
    if wrong:
        raise ConfigError(wrong)
    transforms = list(cfg.dataset.transforms or [])
    first = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    dtype = np.dtype(cfg.dtype)
    try:
        if learned is None:
            fit_transforms(transforms, first, dtype)
        else:
            own = {k.removeprefix(TRANSFORMS): v for k, v in learned.items() if k.startswith(TRANSFORMS)}
            load_transforms_state(transforms, own)
        sample = Batches(first, 1, transforms=transforms, dtype=dtype, augment=False, prefetch=False)
    except BuildError as error:
        raise ConfigError([cfg.problem(("dataset", "transforms"), str(error))]) from None
    built = _network(cfg, sample, dataset, **network_options)
    reading = cfg.loss.reading
    if dataset.classes and sample.target_shape == built.output_shape:  # one-hot rows: one class is right
        reading = replace(reading, independent=False)
    for index, metric in enumerate(cfg.trainer.metrics):
        metric.reading = reading
        try:
            metric.check(built.output_shape, sample.target_shape)
        except BuildError as error:
            raise ConfigError([cfg.problem(("trainer", "metrics", index), str(error))]) from None
    return Prepared(cfg, dataset, transforms, built, reading)


def network(cfg: Config, **options: Any) -> Network:
    """The network a config describes, with its first (or given) weights."""
    return prepare(cfg, **options).network


def _network(cfg: Config, sample: Batches, dataset: Dataset, **options: Any) -> Network:
    expander = Expander(sample.input_shape)
    try:
        expander.expand(cfg.architecture)
        settings: dict[str, Any] = {"seed": cfg.seed, "dtype": cfg.dtype, **options}
        settings.setdefault("integer_input", sample.input_dtype.kind in "iu")
        settings.setdefault("kernels", kernels(cfg))
        built = Network(expander.nodes, sample.input_shape, cfg.loss, **settings)
    except BuildError as error:
        source = expander.sources.get(error.node or "", ("architecture",))
        raise ConfigError([cfg.problem(source, str(error))]) from None
    classes = len(dataset.classes) if dataset.classes else None
    try:
        cfg.loss.check(built.output_shape, sample.target_shape, sample.target_dtype, classes)
        cfg.loss.check_activation(built.last_activation)
    except BuildError as error:
        raise ConfigError([cfg.problem(("loss",), str(error))]) from None
    _load_given(cfg, built)
    return built


def _load_given(cfg: Config, built: Network) -> None:
    """The weights written in the config."""
    problems = []
    for name, value in cfg.parameters.items():
        try:
            built.load_parameters({name: value})
        except (BuildError, ValueError) as error:
            problems.append(cfg.problem(("parameters", name), str(error)))
    if problems:
        raise ConfigError(problems)


def kernels(cfg: Config) -> str:
    """Which set of kernels a config runs with."""
    return "numpy" if cfg.trainer.kernels == "auto" else str(cfg.trainer.kernels)


def training(prepared: Prepared, callbacks: Sequence[Callback] = ()) -> tuple[Loop, Best]:
    """The loop over a prepared config, with the watcher of its best epoch."""
    cfg = prepared.config
    train = prepared.batches("train", training=True)
    validation = prepared.batches("validation") if "validation" in prepared.dataset.splits else None
    optimizer = cfg.optimizer
    options = cfg.trainer
    stopping = options.early_stopping
    default = "validation/loss" if validation is not None else "train/loss"
    best = Best((stopping and stopping.monitor) or options.checkpoint.monitor or default, stopping, options.metrics)
    try:
        loop = Loop(prepared.network, optimizer, train, validation, options, [best, *callbacks])
    except BuildError as error:
        raise ConfigError([cfg.problem(("optimizer", "groups"), str(error))]) from None
    prepared.network.reserve(max(train.batch_size, validation.batch_size if validation else 0))
    return loop, best


def train(
    cfg: Config,
    *,
    runs: Path = Path("runs"),
    run_dir: Path | None = None,
    warn: Warn | None = None,
    progress: Any = None,
    callbacks: Sequence[Callback] = (),
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Train from the start, into a new run directory; what `bp train --json` prints.

    Raises ConfigError and DataError before anything is written; DivergedError and
    InterruptedRunError after the run directory says so.
    """
    prepared = prepare(cfg, warn=warn, progress=progress)
    loop, best = training(prepared)
    run = RunDirectory.create(
        cfg.name, configs.dump(cfg), _about(prepared, command), runs=runs, exact=run_dir, plugins=cfg.plugins
    )
    return _run(prepared, loop, best, run, callbacks)


def resume(
    run: RunDirectory, *, warn: Warn | None = None, progress: Any = None, callbacks: Sequence[Callback] = ()
) -> dict[str, Any]:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped."""
    checkpoint = Checkpoint.read(run.checkpoints / "last.safetensors")
    cfg = config_of(run)
    prepared = prepare(cfg, warn=warn, progress=progress, learned=checkpoint.arrays)
    loop, best = training(prepared)
    loop.load_state_dict(checkpoint.arrays, checkpoint.values)
    run.update(status="running", resumed_from={"epoch": loop.epoch, "step": loop.step, "at": now()})
    return _run(prepared, loop, best, run, callbacks)


def _run(
    prepared: Prepared, loop: Loop, best: Best, run: RunDirectory, callbacks: Sequence[Callback]
) -> dict[str, Any]:
    learned = {f"{TRANSFORMS}{name}": array for name, array in transforms_state(prepared.transforms).items()}
    loop.callbacks += [Signals(), Recorder(run, best, dict(learned)), *callbacks]
    with limited(prepared.network, loop.train.batch_size):
        loop.run()
    return {
        "run_id": run.id,
        "run_dir": str(run.path),
        "status": run.info["status"],
        "epochs": loop.epoch - 1,
        "steps": loop.step,
        "seconds": round(loop.seconds, 3),
        "metrics": loop.row,
        "best": best.summary,
    }


def _about(prepared: Prepared, command: Sequence[str]) -> dict[str, Any]:
    """What run.json says about where a run comes from."""
    cfg, dataset = prepared.config, prepared.dataset
    packages = ("backprop-cli", "numpy", "safetensors")
    return {
        "name": cfg.name,
        "started": now(),
        "ended": None,
        "command": list(command),
        "overrides": list(cfg.overrides),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count(), "pid": os.getpid()},
        "seed": cfg.seed,
        "kernels": prepared.network.kernels.which,
        "dataset": {
            "source": dataset.source,
            "name": dataset.name,
            "sizes": {name: len(split) for name, split in dataset.splits.items()},
            "fingerprint": fingerprint(dataset),
            **dataset.origin,
        },
        "parameters": prepared.network.store.count,
        "metrics": {},
        "best": None,
        "resumed_from": None,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except Exception:  # not installed as a distribution: run from a source tree
        return "unknown"


def config_of(run: RunDirectory) -> Config:
    """The config of a run. If it was trained on its fallback, that is its dataset from then on."""
    cfg = configs.load(run.config)
    if "fallback" in run.info.get("dataset", {}) and cfg.dataset.fallback is not None:
        return replace(cfg, dataset=replace(cfg.dataset.fallback, transforms=cfg.dataset.transforms))
    return cfg


def load_run(
    run: RunDirectory, checkpoint: str = "best", *, warn: Warn | None = None, progress: Any = None
) -> tuple[Prepared, Path]:
    """A run's network with the weights of a checkpoint: `best`, `last` or a file. Raises CheckpointError."""
    path = run.checkpoints / f"{checkpoint}.safetensors" if checkpoint in ("best", "last") else Path(checkpoint)
    if checkpoint == "best" and not path.exists():
        path = run.checkpoints / "last.safetensors"
    found = Checkpoint.read(path)
    cfg = config_of(run)
    prepared = prepare(cfg, warn=warn, progress=progress, learned=found.arrays)
    store, built = prepared.network.store, prepared.network
    try:
        store.load({k: found.arrays[k] for k in built.parameters if k in found.arrays}, built.parameters, complete=True)
        store.load({k: found.arrays[k] for k in built.states if k in found.arrays}, built.states, complete=True)
    except BuildError as error:
        raise DataError(f"{path} does not fit the network of {run.config}: {error}") from None
    if "optimizer/average" in found.arrays:  # trained with `ema`, whose weights are the ones to use
        store.values[: store.trainable] = found.arrays["optimizer/average"]
    return prepared, path


def default_split(dataset: Dataset) -> str:
    """The split `bp eval` measures: test, else validation, else train."""
    return next(name for name in ("test", "validation", *dataset.splits) if name in dataset.splits)


def evaluate_run(
    run: RunDirectory, split: str | None = None, checkpoint: str = "best", **options: Any
) -> dict[str, Any]:
    """Loss and metrics of a run on a split, with a confusion matrix for classes; what `bp eval --json` prints."""
    prepared, path = load_run(run, checkpoint, **options)
    split = split or default_split(prepared.dataset)
    batches, network = prepared.batches(split), prepared.network
    reading = prepared.reading
    predicted: list[Array] = []
    truth: list[Array] = []

    def watched() -> Iterator[tuple[Array, Array]]:
        for x, y in batches.epoch(0):
            yield x, y
            if prepared.dataset.classes:
                ids = class_ids(*counted(network.output, y, network.output_mask), reading)
                predicted.append(ids[0])
                truth.append(ids[1])

    with limited(network, batches.batch_size):
        measured = evaluate(network, watched(), prepared.config.trainer.metrics)
    result = {
        "run_id": run.id,
        "split": split,
        "checkpoint": str(path),
        "samples": batches.samples,
        "metrics": measured,
    }
    return result | class_report(predicted, truth, prepared.dataset.classes)


def find(name: str, runs: Path) -> RunDirectory:
    """A run by path, id or `latest`."""
    return find_run(name, runs)


def command_line() -> list[str]:
    """How this process was called."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
