"""The config that `bp config init --data` writes for pictures and sounds, in folders or listed in a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.config.spelling import flow
from backprop_cli.config.starter import dealt, opening, trainer
from backprop_cli.data.files.labels import MAX_INTEGER_CLASSES
from backprop_cli.data.look import Look
from backprop_cli.data.look_column import Column
from backprop_cli.data.look_files import look_at_folder
from backprop_cli.errors import UsageError

LARGEST = 96  # pixels of a side beyond which pictures are made smaller, to
SMALL = 64
_SEPARATORS = "|;,"  # what parts several labels in one cell
_FRAME = 0.032  # seconds of a frame of a spectrogram
_MELS = 32


@dataclass(frozen=True)
class _Task:
    """What is predicted, and where it comes from: lines of the config."""

    options: list[str]
    units: int
    kind: str  # classes, labels or values


def folder_config(folder: Path, file: str, data: str) -> str:
    """A commented config for a folder of pictures or sounds for each class. Raises UsageError, DataError."""
    look = look_at_folder(folder)
    if look is None:
        raise UsageError(f"{folder}: expected a folder of pictures or of WAV files for each of at least two classes")
    about = f"{look.files:,} {look.kind} of {len(look.classes)} classes"
    task = _Task([], len(look.classes), "classes")
    return _text(look.kind, about, file, data, look.facts, look.damaged, task, look.splits)


def listed_config(look: Look, column: Column, file: str, data: str) -> str:
    """A commented config for a table that lists pictures or sounds in a column. Raises UsageError."""
    lacking = next((note for note in column.notes if note.startswith("no such files")), None)
    if lacking is not None:
        raise UsageError(f"{look.name}, column {column.name!r}: {lacking}; expected every file of the column")
    kind = "images" if column.type == "picture" else "sounds"
    target = look.column(look.targets[0])
    task = _task(target)
    names = [
        f"  {kind}: {flow(column.name)}    # the column of files",
        f"  target: {flow(target.name)}",
    ]
    damaged = [note for note in column.notes if note.startswith("damaged")]
    about = f"{target.name} from {look.rows:,} {kind} that {look.name} lists"
    listed = _Task([*names, *task.options], task.units, task.kind)
    return _text(kind, about, file, data, column.files or {}, damaged, listed, look.splits)


def _task(target: Column) -> _Task:
    integers = str(target.values.type).startswith(("int", "uint"))
    if target.range is not None and not (integers and target.distinct <= MAX_INTEGER_CLASSES):
        return _Task([], 1, "values")
    values = [str(value) for value in target.values.drop_null().to_pylist()] if target.range is None else []
    for separator in _SEPARATORS:
        labels = {part.strip() for value in values for part in value.split(separator)} - {""}
        if any(separator in value for value in values) and len(labels) <= target.distinct:
            option = f"  label_separator: {flow(separator)}    # guessed: {len(labels)} labels, each yes or no"
            return _Task([option], len(labels), "labels")
    if target.distinct < 2:
        raise UsageError(f"target {target.name!r} has one value only; there is nothing to predict")
    return _Task([], target.distinct, "classes")


def _text(
    kind: str,
    about: str,
    file: str,
    data: str,
    facts: Mapping[str, Sequence[Sequence[Any]]],
    damaged: Sequence[str],
    task: _Task,
    own_splits: Collection[str],
) -> str:
    if not facts:
        raise UsageError(f"{data}: none of its {kind} can be decoded")
    options, shape = _pictures(facts) if kind == "images" else _sounds(facts)
    skip = ["  corrupt: skip    # left out, and named: " + damaged[0].split(": ", 1)[-1]] if damaged else []
    splits, monitor = dealt(own_splits)
    lines = [
        *opening(about, file, data),
        *task.options,
        *splits,
        *skip,
        *options,
        "",
        *_network(shape, task),
    ]
    metrics = {"classes": "accuracy", "labels": "binary_accuracy", "values": "mae, r2"}[task.kind]
    return "\n".join(lines) + "\n" + trainer(30, 32, metrics, 10, monitor)


def _pictures(facts: Mapping[str, Sequence[Sequence[Any]]]) -> tuple[list[str], tuple[int, int]]:
    """The options of pictures, and their size."""
    sizes = facts["size"]
    height, width = (int(side) for side in str(sizes[0][0]).split(" × "))
    options = []
    if len(sizes) > 1 or max(height, width) > LARGEST:
        factor = min(1, SMALL / max(height, width)) if max(height, width) > LARGEST else 1
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
        why = f"{len(sizes)} sizes, such as {sizes[0][0]} and {sizes[1][0]}" if len(sizes) > 1 else f"of {sizes[0][0]}"
        options.append(f"  size: [{height}, {width}]    # height and width that all are resized to; {why}")
    options.append("  transforms: [{type: scale, by: 0.00392156862745098}]    # 0…255 to 0…1")
    return options, (height, width)


def _sounds(facts: Mapping[str, Sequence[Sequence[Any]]]) -> tuple[list[str], tuple[int, int]]:
    """The options of sounds, and the size of their spectrograms."""
    rates, seconds, channels = facts["rate"], facts["seconds"], facts["channels"]
    rate, longest = int(str(rates[0][0]).split()[0]), max(float(str(value).split()[0]) for value, _ in seconds)
    options = []
    if len(rates) > 1:
        options.append(f"  sample_rate: {rate}    # {len(rates)} rates; all are resampled to the most common one")
    if len(seconds) > 1:
        options.append(f"  duration: {longest:g}    # lengths differ; shorter ones are filled with silence")
    if len(channels) > 1:
        options.append("  channels: 1    # some have several; these are averaged")
    window = 1 << max(5, round(_FRAME * rate).bit_length() - 1)
    while window > longest * rate and window > 2:
        window //= 2
    mels = f", mels: {_MELS}" if window >= 8 * _MELS else ""
    options.append("  transforms:")
    options.append(f"    - {{type: spectrogram, window: {window}{mels}}}    # frames of {1000 * window / rate:.0f} ms")
    options.append("    - standardize")
    frames = 1 + (int(longest * rate) - window) // max(1, window // 2)
    return options, (frames, _MELS if mels else window // 2 + 1)


def _network(shape: tuple[int, int], task: _Task) -> Iterator[str]:
    yield "architecture:                # pictures are (height, width, channels)"
    smallest = min(shape)
    for filters in (8, 16, 32):
        yield f"  - {{type: conv2d, filters: {filters}, kernel_size: 3, padding: same, activation: relu}}"
        if smallest < 8:
            break
        yield "  - max_pool2d"
        smallest //= 2
    yield "  - flatten"
    yield "  - {type: dropout, rate: 0.2}"
    if task.kind == "classes":
        yield f"  - {{type: dense, units: {task.units}, activation: softmax}}    # a unit a class"
        loss = "sparse_categorical_crossentropy"
    elif task.kind == "labels":
        yield f"  - {{type: dense, units: {task.units}, activation: sigmoid}}    # a unit a label"
        loss = "binary_crossentropy"
    else:
        yield "  - {type: dense, units: 1}"
        yield "  - unscale    # learns on standardized targets; all is told in their own unit"
        loss = "mse"
    yield ""
    yield f"loss: {loss}"
    yield "optimizer: {type: adam, learning_rate: 0.003}"
