"""Raw rows in, classes or values out: what a model and an average of several have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.inputs import Rows
from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.description import Description


class Predictor:
    """Predicts for raw rows. Subclasses say how rows are read (`rows`) and what networks answer (`each`)."""

    description: Description
    run_id: str | None

    @property
    def output_shape(self) -> Shape:
        """The shape of the output for one row."""
        raise NotImplementedError  # the networks know it

    @property
    def members(self) -> list[str]:
        """The names of the networks whose outputs are averaged; empty for a single one."""
        return []

    def rows(self, data: Any, keep: Sequence[str] = (), unseen: Unseen | None = None, origin: str = "input") -> Rows:
        """Raw rows of a path, an array, a DataFrame, a dict or a list of dicts; `origin` names them in errors.

        Columns to `keep` are passed on. Categories that were not learnt are none of the known ones and are noted in
        `unseen`; without it they are an error. Raises DataError.
        """
        raise NotImplementedError  # by what each network has learnt of its data

    def each(self, rows: Rows) -> list[Array]:
        """The outputs (N, …) of each network for what `rows` gave."""
        raise NotImplementedError  # one or several networks

    def outputs(self, data: Any, *, strict: bool = False) -> Array:
        """The outputs (N, …) for what `rows` takes: of one network as they are, of several averaged.

        Categories that were not learnt are none of the known ones, with a UserWarning; `strict` makes them an error.
        Raises DataError.
        """
        unseen = None if strict else Unseen()
        rows = self.rows(data, unseen=unseen)
        if not len(rows.x):
            raise DataError("input: no rows")
        if unseen is not None:
            unseen.warn("input")
        return self.description.reading.average(self.each(rows))

    def predict(self, data: Any, *, strict: bool = False) -> Array:
        """The class (its name) or the value of each row (N,); (N, T) for sequences, (N, K) for several values.

        Where outputs answer questions of their own, a list of the names of those that say yes. `data` and `strict` are
        those of `outputs`. Raises DataError.
        """
        reading, y = self.description.reading, self.outputs(data, strict=strict)
        if reading.kind == "values":
            return y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
        answers = reading.answers(y)
        if reading.has_classes:
            return np.asarray(answers)
        labels = np.empty(len(answers), object)
        labels[:] = answers
        return labels

    def predict_proba(self, data: Any, *, strict: bool = False) -> Array:
        """A probability for each class (N, K), no and yes for a single question, or for each question of several.

        Raises UsageError where outputs are values, or scores that tell no probabilities; DataError.
        """
        reading = self.description.reading
        y = self.outputs(data, strict=strict)
        p = None if reading.kind == "values" else reading.probabilities(y)
        if p is None:
            raise UsageError(
                f"{self}: its outputs are {reading.scale if reading.kind != 'values' else 'values'}, "
                "not probabilities; use predict or outputs"
            )
        if reading.kind != "binary":
            return p
        yes = p[..., 0] if p.ndim > 1 and p.shape[-1] == 1 else p
        return np.stack([1 - yes, yes], axis=-1)

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes 0, 1, …; None for values."""
        return self.description.data.classes

    @property
    def needs(self) -> list[str]:
        """The columns that an input table must have; empty where it is no table."""
        schema = self.description.data
        if schema.table is None:
            return list(schema.features or [])
        return [schema.table.text] if schema.table.text else list(schema.table.features)
