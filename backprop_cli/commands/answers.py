"""The answers of a model to rows, and how they are written: CSV, JSON Lines, one JSON document, or bare arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.stream import NAME
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.predictor import Predictor
from backprop_cli.runs.files import destination, write_output
from backprop_cli.runs.json_text import dumps

FORMATS = (".csv", ".json", ".jsonl", ".npy")


@dataclass
class Answers:
    """The answers to some rows."""

    reading: Reading
    outputs: Array
    first: int  # number of the first row in its input
    files: list[str] | None = None  # what each row was read from, where that tells rows apart
    kept: dict[str, list[Any]] = field(default_factory=dict)
    top: int | None = None
    numbered: bool = True  # whether rows have numbers
    numbers: bool = True  # whether outputs are written beside the answers
    form: str = "csv"  # csv or json, as the rows came in
    spread: Array | None = None  # the standard deviation (n − 1) of each output over the networks of an average

    @property
    def columns(self) -> list[str]:
        """A heading for each number of an output."""
        return self.reading.columns(self.outputs.shape[1:])

    @property
    def asked(self) -> list[str]:
        """The questions that are answered in a column each, 1 or 0."""
        per_label = self.reading.kind == "labels" and self.outputs.ndim == 2
        return self.reading.output_names(self.outputs.shape[-1]) if per_label else []

    @property
    def ids(self) -> list[str]:
        """The headings of what tells rows apart: file, the columns that were kept, else the number of the row."""
        number = [] if self.kept or not self.numbered else ["row"]
        return [*(["file"] if self.files else []), *self.kept, *number]

    def heads(self) -> list[str]:
        """The headings of `lines`; an answer that has the name of a column beside it is `predicted NAME`."""
        ids = self.ids
        if self.top:
            ours = [head for k in range(1, self.top + 1) for head in (f"top{k}", f"p(top{k})")]
        elif self.reading.kind == "values":
            ours = self.columns
        else:
            ours = [*(self.asked or ["prediction"]), *(self.columns if self.numbers else [])]
        return [*ids, *(f"predicted {name}" if name in ids else name for name in ours)]

    def lines(self) -> Iterator[list[Any]]:
        """A list of values a row."""
        n, kind = len(self.outputs), self.reading.kind
        known = {"file": self.files or [], "row": range(self.first, self.first + n), **self.kept}
        ids = [known[name] for name in self.ids]
        if self.top:
            names, shares = self.best()
            pairs = [column for k in range(self.top) for column in (names[:, k].tolist(), shares[:, k].tolist())]
            yield from map(list, zip(*ids, *pairs, strict=True))
            return
        flat = self.outputs.reshape(n, -1).T.tolist() if self.numbers or kind == "values" else []
        if kind == "values":
            said: Sequence[Sequence[Any]] = []
        elif self.asked:
            said = self.reading.ids(self.outputs).reshape(n, -1).T.tolist()
        else:
            said = [[_words(answer) for answer in self.reading.answers(self.outputs)]]
        yield from map(list, zip(*ids, *said, *flat, strict=True))

    def best(self) -> tuple[Array, Array]:
        """The names (N, k) of the likeliest classes of each row, and how likely they are."""
        assert self.top is not None
        order = np.argsort(-self.outputs, axis=1, kind="stable")[:, : self.top]
        names = np.asarray(self.reading.class_names(self.outputs.shape[1]), object)
        return names[order], np.take_along_axis(self.outputs, order, axis=1)


def _words(said: Any) -> Any:
    """The answers of a row's steps behind each other."""
    if not isinstance(said, list):
        return said
    return " ".join("+".join(answer) if isinstance(answer, list) else str(answer) for answer in said)


class Csv:
    """A line a row, under a header."""

    def __init__(self) -> None:
        self._begun = False

    def __call__(self, answers: Answers) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._begun:
            self._begun = True
            writer.writerow(answers.heads())
        digits, ids = "%.7g" if answers.outputs.dtype == np.float32 else "%.10g", len(answers.ids)
        writer.writerows(
            [*line[:ids], *(digits % value if type(value) is float else value for value in line[ids:])]
            for line in answers.lines()
        )
        return text.getvalue()


def json_lines(answers: Answers) -> str:
    """An object a row, with the keys that CSV has as headings."""
    heads = answers.heads()
    return "".join(dumps(dict(zip(heads, line, strict=True))) + "\n" for line in answers.lines())


def document(model: Predictor, blocks: Iterator[Answers]) -> dict[str, Any]:
    """What `bp predict --json` prints; `outputs` and `predictions` have an item a row. Raises DataError without
    rows."""
    every = list(blocks)
    if not every:
        raise DataError(f"{NAME}: no rows")
    last, reading = every[-1], every[-1].reading
    width = last.outputs.shape[-1] if last.outputs.ndim > 1 else 1
    classes = reading.class_names(width) if reading.has_classes else reading.output_names(width)
    result: dict[str, Any] = {
        "run_id": model.run_id,
        "samples": sum(len(answers.outputs) for answers in every),
        "kind": reading.kind,
        "classes": None if reading.kind == "values" else classes,
        "columns": last.columns,
        "predictions": [said for answers in every for said in reading.answers(answers.outputs)],
        "outputs": np.concatenate([answers.outputs for answers in every]),
    }
    table = model.description.data.table
    units = {name: table.units[name] for name in last.columns if name in table.units} if table else {}
    if units:
        result["units"] = units
    if last.spread is not None:
        result["members"] = model.members
        result["spread"] = np.concatenate([answers.spread for answers in every if answers.spread is not None])
    if last.files:
        result["files"] = [name for answers in every for name in answers.files or ()]
    if last.kept:
        result["kept"] = {name: [value for answers in every for value in answers.kept[name]] for name in last.kept}
    if last.top:
        pairs = [answers.best() for answers in every]
        result["top"] = [
            [{"class": name, "p": share} for name, share in zip(row, shares, strict=True)]
            for names, values in pairs
            for row, shares in zip(names.tolist(), values.tolist(), strict=True)
        ]
    return result


def as_json(result: dict[str, Any]) -> dict[str, Any]:
    """The same as plain data."""
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in result.items()}


def save(model: Predictor, blocks: Iterator[Answers], path: Path) -> None:
    """Write answers as .csv, .jsonl, .json (one document), or the bare outputs as .npy; whole or not at all."""
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate([block.outputs for block in blocks]), allow_pickle=False)
        pieces = [buffer.getvalue()]
    elif path.suffix == ".json":
        pieces = [dumps(as_json(document(model, blocks))).encode()]
    else:
        write = json_lines if path.suffix == ".jsonl" else Csv()
        pieces = [write(block).encode() for block in blocks]
    write_output(path, pieces)


def check_output(path: Path) -> None:
    """Raise UsageError for an ending that cannot be written or a folder that does not exist, RunError for what is no
    file; before anything is read."""
    if path.suffix not in FORMATS:
        raise UsageError(f"--output {path}: expected a name ending in {', '.join(FORMATS)}")
    destination(path)
