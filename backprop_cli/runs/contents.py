"""What the files of a run hold: one schema each; nothing reads them without it."""

from __future__ import annotations

from typing import Annotated, Any, Required

from pydantic import AfterValidator
from typing_extensions import TypedDict

from backprop_cli.untrusted.documents import Document, Number, Whole, lasting

Numbers = dict[str, Number | None]  # null is what was not finite
Count = Whole | str  # text where a secret stood there: `${env:…}`


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    if any(type(row.get(key)) is not int or row[key] < 0 for key in ("epoch", "step")):
        raise ValueError("expected an epoch and a step, whole numbers")
    return row


#: a line of metrics.jsonl: every number of an epoch by name, epoch and step among them
ROW = Document[dict[str, Any]](Annotated[Numbers, AfterValidator(_counted)])


@lasting
class LogLine(TypedDict):
    """Of a line of either log."""

    step: Whole


LOG_LINE = Document[LogLine](LogLine)


@lasting
class Layers(TypedDict):
    """A line of diagnostics.jsonl: numbers of every layer by name."""

    epoch: Whole
    step: Whole
    layers: dict[str, Numbers]


@lasting
class Nonfinite(TypedDict):
    """The first layer in which a number is not finite, and what is wrong there."""

    layer: str
    what: str


@lasting
class Diagnosis(Layers, total=False):
    """A line of diagnostics.jsonl with its optional keys: loss, learning rate, and where a number is not finite."""

    loss: Number | None
    learning_rate: Number
    nonfinite: Nonfinite


DIAGNOSIS = Document[dict[str, Any]](Diagnosis)


@lasting
class Data(TypedDict, total=False):
    """What run.json says of the dataset; a source may add to it."""

    source: str
    name: str
    sizes: dict[str, Count]
    fingerprint: str | None


@lasting
class Change(TypedDict, total=False):
    """What `bp resume` changed of the config by path, and where training stood then."""

    epoch: Whole
    step: Whole
    at: str
    changed: dict[str, Any]


@lasting
class Info(TypedDict, total=False):
    """run.json."""

    id: str
    status: Required[str]  # running, completed, interrupted, pruned, failed, diverged; of a newer bp perhaps more
    name: str
    started: str | None
    ended: str | None
    command: list[str]
    overrides: list[str]
    origins: dict[str, str]  # where values of the config come from, by path; the others are defaults
    versions: dict[str, str]
    host: dict[str, str | Number | None]
    seed: int | str | None
    kernels: str
    ranks: Whole  # processes that share the training, where there are several
    dataset: Data
    parameters: Count | None
    metrics: Numbers | None
    best: Numbers | None
    resumed_from: dict[str, Any] | None
    changes: list[Change]
    reason: str | None


INFO = Document[Info](Info)
