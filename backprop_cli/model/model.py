"""A trained model that was loaded: raw input in, classes or values out.

input → `data.inputs` (columns, categories, fills) → transforms → network → `Reading` (classes, values)
Everything on the way comes from the model's own file. Neither a config nor the training data is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.config.part import part
from backprop_cli.config.schema import Options
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.finite import check_magnitude
from backprop_cli.data.inputs import Rows, read_inputs, rows_of
from backprop_cli.data.pipeline import class_names, load_transforms_state, network_input, transforms_state
from backprop_cli.data.schema import TEXT
from backprop_cli.data.source import Source
from backprop_cli.data.transform import Transform
from backprop_cli.engine import kernels
from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.column_reader import tell_columns
from backprop_cli.engine.graph import Network
from backprop_cli.engine.losses.base import Loss
from backprop_cli.engine.losses.combined import tell_outputs, tell_parts
from backprop_cli.engine.metrics.base import Metric, tell
from backprop_cli.errors import BuildError, ConfigError
from backprop_cli.model.description import TRANSFORMS, Description, description_of
from backprop_cli.model.expand import Expander
from backprop_cli.model.plugins import run_plugins
from backprop_cli.model.predictor import Predictor
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.training.options import Trainer
from backprop_cli.training.passes import outputs

ROWS = 256  # of a batch


@dataclass(repr=False)
class Model(Predictor):
    """A trained network with what it takes to use it. `read` makes one from a file."""

    description: Description
    network: Network
    transforms: list[Transform]
    loss: Loss | None  # None where it is a plugin's, and the plugin was not given
    metrics: list[Metric]
    path: Path | None = None  # of the checkpoint
    run_id: str | None = None

    @classmethod
    def read(cls, path: Path, plugins: Sequence[Path] = (), **network_options: Any) -> Model | None:
        """The model of a checkpoint; None if an older bp wrote it, which did not describe it.

        `plugins` are files that may be run, if their content is what the model was trained with.
        Raises CheckpointError; UsageError where a plugin is needed and not given.
        """
        file = CheckpointFile(path)
        said = description_of(file)
        if said is None:
            return None
        without = run_plugins(said.plugins, plugins, path)
        try:
            most = sum(entry.bytes for entry in file.entries.values())
            model = cls._assembled(said, file.read_under(TRANSFORMS), str(path), without, most, **network_options)
            said.reading.check(model.network.output_shape)
        except ConfigError as error:
            first = error.problems[0]
            raise file.damaged(f"its model's {first.path}: {first.message}") from None
        except (BuildError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise file.damaged(f"its model cannot be built: {error}") from None
        load_weights(file, model.network)
        model.path = path
        return model

    @classmethod
    def _assembled(
        cls, said: Description, learned: Mapping[str, Array], origin: str, without: Set[str], most: int, **options: Any
    ) -> Model:
        """A model without its weights. `without`: parts that need a plugin which is not there. Raises ConfigError,
        BuildError, and what arrays of a wrong name or shape raise."""
        loss = None if "loss" in without else part(Options, "loss", said.loss, origin)
        metrics = [] if "metrics" in without else part(Trainer, "metrics", said.metrics, origin)
        transforms = part(Source, "transforms", said.transforms, origin)
        layers = part(Options, "architecture", said.architecture, origin)
        if loss is not None:
            loss.labels = class_names(transforms, said.data.classes)
        for transform in transforms:
            transform.know(said.data.classes)
        load_transforms_state(transforms, {name.removeprefix(TRANSFORMS): array for name, array in learned.items()})
        said.data.check_columns()
        dtype = np.dtype("S1") if said.data.dtype == TEXT else np.dtype(said.data.dtype)
        shape, seen = network_input(transforms, said.data.shape, dtype, np.dtype(said.dtype))
        expander = Expander(shape)
        expander.expand(layers)
        tell_columns(expander.nodes, said.data.table.codes() if said.data.table else {}, said.data.features or [])
        options.setdefault("kernels", kernels.best())
        integers = seen.kind in "iu"
        network = Network(expander.nodes, shape, loss, dtype=said.dtype, integer_input=integers, most=most, **options)
        tell(metrics, said.reading, network.gives_logits)
        tell_outputs(loss, network.joined)
        tell_parts(metrics, loss)
        return cls(said, network, transforms, loss, metrics)

    @classmethod
    def restored(cls, said: Description, learned: Mapping[str, Array], weights: Mapping[str, Array]) -> Model:
        """A model from its description and arrays; what a pickle or a copy makes."""
        most = sum(array.nbytes for array in weights.values())
        model = cls._assembled(said, learned, "model", frozenset(), most)
        store = model.network.store
        for name, array in {**store.parameters, **store.states}.items():
            np.copyto(array, weights[name])
        return model

    def __reduce__(self) -> tuple[Any, ...]:
        store = self.network.store
        learned = {f"{TRANSFORMS}{name}": array for name, array in transforms_state(self.transforms).items()}
        weights = {name: array.copy() for name, array in {**store.parameters, **store.states}.items()}
        return Model.restored, (self.description, learned, weights)

    @property
    def output_shape(self) -> Shape:
        return self.network.output_shape

    def batches(self, split: Split) -> Batches:
        """Raw rows as the network takes them, in order."""
        return Batches(
            split,
            max(1, min(len(split), ROWS)),
            transforms=self.transforms,
            shuffle=False,
            dtype=self.network.dtype,
            augment=False,
            kernels=self.network.kernels,
        )

    def rows(self, data: Any, keep: Sequence[str] = (), unseen: Unseen | None = None, origin: str = "input") -> Rows:
        schema = self.description.data
        if isinstance(data, Rows):
            return data
        if isinstance(data, str | Path):
            rows = read_inputs(Path(data), schema, keep, unseen)
            check_magnitude(rows.x, self.network.dtype, str(data), schema.features)
            return rows
        if schema.media is not None and isinstance(data, list) and data and isinstance(data[0], str | Path):
            files = [read_inputs(Path(file), schema, keep, unseen) for file in data]
            return Rows(np.concatenate([rows.x for rows in files]))
        rows = rows_of(data, schema, keep, unseen, origin)
        check_magnitude(rows.x, self.network.dtype, origin, schema.features)
        return rows

    def each(self, rows: Rows) -> list[Array]:
        batches = self.batches(Split(rows.x, _targets(self.description, len(rows.x))))
        return [np.concatenate([y for y, _ in outputs(self.network, batches)])]

    def describe(self) -> dict[str, Any]:
        """What goes in, what comes out and how large it is, as plain data."""
        said, schema, store = self.description, self.description.data, self.network.store
        about = said.model_dump(mode="json", exclude={"data": {"table": {"layout"}}})
        return {
            "run_id": self.run_id,
            "path": str(self.path) if self.path else None,
            "inputs": self.needs or {"shape": list(schema.shape), "dtype": schema.dtype},
            "outputs": said.reading.columns(self.network.output_shape),
            "parameters": store.count,
            **about,
        }

    def __repr__(self) -> str:
        return f"<model {self.description.name}: {self.network.store.count:,} parameters>"


def load_weights(file: CheckpointFile, network: Network) -> None:
    """Put the weights of a checkpoint into a network: the averaged ones where training kept them. Raises
    CheckpointError."""
    store = network.store
    wanted = {**store.parameters, **store.states}
    if "optimizer/average" in file.entries and file.values.get("optimizer", {}).get("iteration"):
        wanted["optimizer/average"] = store.values[: store.trainable]  # trained with `ema`: these are to be used
    file.expect(wanted, others=True)
    for name, array in file.read(wanted).items():
        np.copyto(wanted[name], array)


def _targets(said: Description, rows: int) -> Array:
    """Targets that nobody looks at."""
    dtype = np.dtype(np.int64) if said.data.target_dtype == TEXT else np.dtype(said.data.target_dtype)
    return np.zeros((rows, *said.data.target_shape), dtype)
