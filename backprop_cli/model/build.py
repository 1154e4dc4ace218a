"""From a Config to everything that runs: where data, engine, training and runs meet. Commands and insight start here.

Config → `prepare` (dataset, batches, network) → `training` (the loop) → `commands.train` (the run directory).
`evaluation`, `check` and `gradcheck` start from the same `prepare`. The steps are in one file because each needs what
the one before found out about the data.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.config import Config
from backprop_cli.config.checks import monitors
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.finite import check_range
from backprop_cli.data.kept import check_kept, keep
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.pipeline import class_names, fit_transforms, load_transforms_state
from backprop_cli.data.schema import Schema
from backprop_cli.data.settled import schema_of
from backprop_cli.data.transform import Transform
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.column_reader import tell_columns
from backprop_cli.engine.graph import Network
from backprop_cli.engine.layers.masking import Masking
from backprop_cli.engine.losses.combined import tell_outputs, tell_parts
from backprop_cli.engine.metrics.base import tell
from backprop_cli.engine.ranks import ALONE, Ranks
from backprop_cli.engine.reading import Reading
from backprop_cli.engine.targets import read
from backprop_cli.engine.written import unwritten
from backprop_cli.errors import BuildError, ConfigError, UnknownNameError, UsageError
from backprop_cli.model.description import TRANSFORMS, Description
from backprop_cli.model.expand import Expander
from backprop_cli.model.targets import targets_of
from backprop_cli.model.weights.load import load_first
from backprop_cli.training.callbacks.base import NamedCallback
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.callbacks.pruning import Pruning
from backprop_cli.training.callbacks.threads import Threads
from backprop_cli.training.kernels import chosen
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.options import Trainer
from backprop_cli.training.parallel.check import unshared
from backprop_cli.training.parallel.loop import SharedLoop
from backprop_cli.training.remarks import too_few_rows

Warn = Callable[[str], None]


@dataclass
class Prepared:
    """A config's data and network, ready to run."""

    config: Config
    dataset: Dataset
    transforms: list[Transform]
    network: Network
    reading: Reading  # how its outputs are to be read
    schema: Schema  # what the model knows of its data

    @property
    def description(self) -> Description:
        """What a checkpoint says of its model, so that nothing else is needed to use it."""
        return Description.of(self.config, self.transforms, self.reading, self.schema)

    @property
    def measured_split(self) -> str:
        """The split that a finished run is measured on: test, else validation, else train."""
        return next(name for name in ("test", "validation", *self.dataset.splits) if name in self.dataset.splits)

    def batches(self, split: str, *, training: bool = False, **where: Any) -> Batches:
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
            kernels=self.network.kernels,
            **where,
        )


def prepare(
    cfg: Config,
    *,
    warn: Warn | None = None,
    progress: Any = None,
    learned: Mapping[str, Array] | None = None,
    known: Schema | None = None,
    dataset: Dataset | None = None,
    initial: bool = False,
    **network_options: Any,
) -> Prepared:
    """Load the data, unless a dataset is given, and build the network. Raises ConfigError, DataError.

    `learned` is a checkpoint's arrays: transforms then take what they learned from there. `known` is what its model
    knows of the data: categories, classes, fills and vocabulary are then not learnt again. With them the network waits
    for its weights, unless its `initial` ones are asked for.
    """
    try:
        if dataset is None:
            dataset = load_dataset(cfg.dataset, cfg.seed, cfg.folder, warn=warn, progress=progress, known=known)
    except UnknownNameError as error:
        raise ConfigError([cfg.problem(("dataset", "name"), str(error))]) from None
    wrong = [cfg.problem(*monitor) for monitor in monitors(cfg.trainer, cfg.optimizer, cfg.places, dataset.splits)]
    if wrong:
        raise ConfigError(wrong)
    transforms = list(cfg.dataset.transforms or [])
    first = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    dtype = np.dtype(cfg.dtype)
    check_range(dataset, dtype)
    try:
        codes = dataset.table.codes() if dataset.table is not None else {}
        for transform in transforms:
            transform.know(dataset.classes)
            transform.codes = tuple(codes)
            transform.rate = dataset.sounds.rate if dataset.sounds is not None else None
            if codes and not transform.spares_codes:
                raise BuildError(
                    "would change the codes of categories among the columns; set scale for the others in "
                    "dataset.columns, or use standardize or robust_scale",
                    transform.type_name,
                )
        padding = _masked_input(cfg)
        if learned is None:
            for remark in [] if padding is None else keep(transforms, padding):
                if warn is not None:
                    warn(remark)
            fit_transforms(transforms, first, dtype)
        else:
            own = {k.removeprefix(TRANSFORMS): v for k, v in learned.items() if k.startswith(TRANSFORMS)}
            load_transforms_state(transforms, own)
        seen = [  # what evaluation sees, and what training does
            Batches(first, 1, transforms=transforms, dtype=dtype, augment=augment, prefetch=False)
            for augment in (False, True)
        ]
        if padding is not None and learned is None:
            check_kept(first, transforms, seen[0].input_shape, dtype, padding)
    except BuildError as error:
        named = [index for index, transform in enumerate(transforms) if transform.type_name == error.node]
        raise ConfigError([cfg.problem(("dataset", "transforms", *named[:1]), str(error))]) from None
    built = _network(cfg, seen, dataset, **network_options)
    if learned is None or initial:
        if built.unit is not None:
            if any(step.new_targets for step in transforms):
                message = (
                    "unscale learns from the targets of the source; put standardize before input_as_target instead"
                )
                raise ConfigError([cfg.problem(("architecture",), message)])
            built.unit.learn(first.y)
        load_first(built, cfg, warn)
        built.store.begin_mask()
    reading = _reading(cfg, built, dataset, transforms)
    tell(cfg.trainer.metrics, reading, built.gives_logits)
    wrong = []
    for index, metric in enumerate(cfg.trainer.metrics):
        try:
            tell_parts([metric], cfg.loss)
            for sample in seen:
                metric.check(built.output_shape, sample.target_shape, reading)
        except BuildError as error:
            wrong.append(cfg.problem(("trainer", "metrics", index), str(error)))
    if wrong:
        raise ConfigError(wrong)
    return Prepared(cfg, dataset, transforms, built, reading, known or schema_of(dataset))


def _masked_input(cfg: Config) -> float | None:
    """The value of padding that a layer `masking` looks for in the input itself."""
    for index, layer in enumerate(cfg.architecture):
        if isinstance(layer, Masking) and (layer.inputs == ["input"] or (index == 0 and not layer.inputs)):
            return layer.mask_value
    return None


def _reading(cfg: Config, built: Network, dataset: Dataset, transforms: Sequence[Transform]) -> Reading:
    """How the network's outputs are to be read beside the targets of the training split."""
    targets = targets_of(dataset, transforms, built.dtype)
    try:
        cfg.loss.check_targets(targets, built.output_shape)
        numbers = getattr(cfg.dataset, "task", None) == "regression"
        return read(cfg.loss, built.output_shape, targets, built.last_activation, numbers)
    except BuildError as error:
        raise ConfigError([cfg.problem(("loss",), str(error))]) from None


def network(cfg: Config, **options: Any) -> Network:
    """The network a config describes, with its first (or given) weights."""
    return prepare(cfg, **options).network


def _network(cfg: Config, seen: Sequence[Batches], dataset: Dataset, **options: Any) -> Network:
    sample = seen[0]
    expander = Expander(sample.input_shape)
    try:
        expander.expand(cfg.architecture)
        tell_columns(expander.nodes, dataset.table.codes() if dataset.table else {}, dataset.features or [])
        settings: dict[str, Any] = {"seed": cfg.seed, "dtype": cfg.dtype, **options}
        settings.setdefault("integer_input", sample.input_dtype.kind in "iu")
        settings.setdefault("kernels", chosen(cfg.trainer))
        built = Network(expander.nodes, sample.input_shape, cfg.loss, **settings)
    except BuildError as error:
        source = expander.sources.get(error.node or "", ("architecture",))
        raise ConfigError([cfg.problem(source, str(error))]) from None
    names = class_names(sample.transforms, dataset.classes)
    classes = len(names) or None
    cfg.loss.labels = names
    try:
        if not any(step.new_targets for step in sample.transforms):
            cfg.loss.learn((dataset.splits.get("train") or next(iter(dataset.splits.values()))).y)
        tell_outputs(cfg.loss, built.joined)
        for split in seen:
            cfg.loss.check(built.output_shape, split.target_shape, split.target_dtype, classes)
        cfg.loss.check_activation(built.last_activation)
    except BuildError as error:
        axes = len(built.output_shape) - max(1, *(len(split.target_shape) for split in seen))
        hint = ""
        if axes > 0 and len(sample.input_shape) == len(built.output_shape):
            steps = any(node.layer.walks for node in built.nodes)
            remedy = (
                "leave return_sequences out of the last recurrent layer" if steps else "put `- flatten` before them"
            )
            kept = built.output_shape[:axes]
            hint = f"; the outputs keep axes of the data, {kept}, which dense layers pass on: {remedy}"
        raise ConfigError([cfg.problem(("loss",), f"{error}{hint}")]) from None
    for name, last, shape in built.ends():
        if last is not None and last.shares_row and shape[-1:] == (1,):
            source = expander.sources.get(name, ("architecture",))
            message = (
                f"{last.type_name} of one unit has the same output for every input; end with sigmoid for yes or no, "
                "without an activation for a value, or with a unit for each class"
            )
            raise ConfigError([cfg.problem(source, message)])
    return built


def training(prepared: Prepared, callbacks: Sequence[Callback] = (), ranks: Ranks = ALONE) -> tuple[Loop, Best]:
    """The loop over a prepared config, with the watcher of its best epoch. `ranks` share its batches."""
    cfg, network = prepared.config, prepared.network
    ranks = _sharded(ranks, cfg.trainer.shards)
    where: dict[str, Any] = {"into": network.input_buffer}
    if ranks.shared:
        where = {"part": ranks.rows}
        if ranks.parts == ranks.count:  # a rank's rows are those of one pass
            where["into"] = lambda n: network.input_buffer(max(n, 1))[:n]
    train = prepared.batches("train", training=True, **where)
    validation = prepared.batches("validation", **where) if "validation" in prepared.dataset.splits else None
    optimizer = cfg.optimizer
    options = cfg.trainer
    stopping = options.early_stopping
    default = "validation/loss" if validation is not None else "train/loss"
    monitor = (stopping and stopping.monitor) or options.checkpoint.monitor or default
    rounds = options.pruning
    since = 1 if rounds is None else rounds.every * rounds.rounds + 1
    best = Best(monitor, network.store, stopping, options.metrics, since)
    try:
        pruning = [] if rounds is None else [Pruning(rounds, network.store, cfg.seed)]
    except BuildError as error:
        raise ConfigError([cfg.problem(("trainer", "pruning"), str(error))]) from None
    threads = [Threads()] if network.kernels.which == "compiled" and ranks.count == 1 else []
    if ranks.shared and (wrong := unshared(network, train, ranks)) is not None:
        raise ConfigError([cfg.problem(*wrong)])
    given = (network, optimizer, train, validation, options, [best, *pruning, *_named(options), *threads, *callbacks])
    try:
        loop = SharedLoop(*given, ranks=ranks) if ranks.shared else Loop(*given)
    except BuildError as error:
        option = (error.node,) if error.node else ()
        raise ConfigError([cfg.problem(("optimizer", *option), error.message)]) from None
    if (refused := too_few_rows(loop)) is not None:
        raise ConfigError([cfg.problem(("trainer", "batch_size"), refused)])
    if (refused := _unwritten(prepared)) is not None:
        raise ConfigError([cfg.problem(("architecture",), refused)])
    network.reserve(ranks.own(max(train.batch_size, validation.batch_size if validation else 0))[0].stop)
    return loop, best


def _named(options: Trainer) -> list[NamedCallback]:
    """The config's own callbacks as they are at the start, also where it is trained again."""
    fresh: list[NamedCallback] = copy.deepcopy(options.callbacks)
    for position, callback in enumerate(fresh):
        callback.position = position
    return fresh


def _sharded(ranks: Ranks, shards: int | None) -> Ranks:
    if ranks.count == 1:
        return Ranks(shards)
    ranks.shards = shards
    return ranks


def _unwritten(prepared: Prepared) -> str | None:
    """What a layer or loss of a plugin should write, and does not; see engine/written.py."""
    network = prepared.network
    parts = [part for node in network.nodes for _, part in node.layer.walk()]
    if all(type(part).__module__.startswith("backprop_cli.") for part in (*parts, network.loss_function)):
        return None
    x, y = next(iter(prepared.batches("train").epoch(1)))
    return unwritten(network, x[:2].copy(), y[:2].copy())
