"""Several networks trained alike, whose outputs are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.inputs import Rows
from backprop_cli.data.schema import Schema
from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.errors import UsageError
from backprop_cli.model.description import Description
from backprop_cli.model.model import Model
from backprop_cli.model.predictor import Predictor


@dataclass(repr=False)
class Ensemble(Predictor):
    """Models that differ in their seed or in the fold that they were not trained on.

    Each reads the rows by what it has learnt itself. `Reading.average` says what is averaged. Raises UsageError, from
    the constructor, for models that do not predict the same from the same columns.
    """

    models: Sequence[Model]
    run_id: str | None = None
    description: Description = field(init=False)  # of the first, which stands for all

    def __post_init__(self) -> None:
        first = self.models[0]
        self.description = first.description
        for model in self.models[1:]:
            for what, of_first, own in zip(COMPARED, _compared(first), _compared(model), strict=True):
                if own != of_first:
                    raise UsageError(
                        f"{_name(model)} cannot be averaged with {_name(first)}: {what} {_short(own)}, there "
                        f"{_short(of_first)}"
                    )

    @property
    def output_shape(self) -> Shape:
        return self.models[0].output_shape

    @property
    def members(self) -> list[str]:
        return [_name(model) for model in self.models]

    def rows(self, data: Any, keep: Sequence[str] = (), unseen: Unseen | None = None, origin: str = "input") -> Rows:
        if isinstance(data, Rows):
            return data
        unseen_by = [None if unseen is None else Unseen() for _ in self.models]
        read: list[tuple[Schema, Rows]] = []
        for model, own in zip(self.models, unseen_by, strict=True):
            same = next((rows for schema, rows in read if same_reading(schema, model.description.data)), None)
            read.append((model.description.data, same or model.rows(data, keep, own, origin)))
        if unseen is not None:
            unseen.add_most([own for own in unseen_by if own is not None])
        first, *others = [rows for _, rows in read]
        first.others = [rows.x for rows in others]
        return first

    def each(self, rows: Rows) -> list[Array]:
        return [
            outputs
            for model, x in zip(self.models, [rows.x, *rows.others], strict=True)
            for outputs in model.each(Rows(x))
        ]

    def __repr__(self) -> str:
        return f"<average of {len(self.models)} networks: {self.description.name}>"


def same_reading(one: Schema, other: Schema) -> bool:
    """Whether two models read a file into the same arrays."""
    return one is other or one.model_copy(update={"fingerprint": other.fingerprint}) == other


COMPARED = ("its classes are", "its columns are", "its outputs are", "its inputs are", "its output has the shape")


def _compared(model: Model) -> tuple[Any, ...]:
    reading, schema = model.description.reading, model.description.data
    inputs = (schema.series, schema.images, schema.sounds, schema.text) if model.needs else (schema.shape, schema.dtype)
    return (
        list(reading.names),
        sorted(model.needs),
        (reading.kind, reading.scale, list(reading.outputs)),
        inputs,
        model.output_shape,
    )


def _name(model: Model) -> str:
    return model.run_id or str(model.path or model)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 120 else f"{text[:119]}…"
