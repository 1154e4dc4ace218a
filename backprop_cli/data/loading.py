"""One way in: a source and its fallback -> a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.finite import check_finite
from backprop_cli.data.label_noise import with_label_noise
from backprop_cli.data.progress import Show, shown_by
from backprop_cli.data.schema import Schema
from backprop_cli.data.source import Source
from backprop_cli.errors import DataError, DownloadError
from backprop_cli.untrusted.consent import require_for

Warn = Callable[[str], None]


def load_dataset(
    source: Source,
    seed: int,
    folder: Path,
    warn: Warn | None = None,
    progress: Show | None = None,
    known: Schema | None = None,
) -> Dataset:
    """The dataset of a source; of its `fallback` if only the download failed.

    A dataset from a fallback says why in `origin["fallback"]`, and `warn` is told, as of all
    that was guessed or left out on reading.
    Relative paths start from `folder`. `known` is what a model has learnt of its data: then nothing is learnt
    again. `progress(task, done, total)` is called during long work.
    Raises DataError; DownloadError if there is no fallback; ConsentError for files that a stranger's config names.
    """
    require_for(folder, source.files())
    data_seed = seed if source.data_seed is None else source.data_seed
    with shown_by(progress):
        try:
            dataset = source.load(data_seed, folder, known)
        except DownloadError as error:
            if source.fallback is None:
                raise
            dataset = _fallback(source.fallback, seed, folder, str(error), known)
            if warn is not None:
                warn(f"{error}\nUsing the fallback instead: {dataset.source} {dataset.name}, " + _sizes(dataset))
    if source.label_noise:
        dataset = with_label_noise(dataset, source.label_noise, data_seed)
    if dataset.notes and warn is not None:
        warn("\n".join(dataset.notes))
    for name, split in dataset.splits.items():
        if len(split.x) != len(split.y):
            raise DataError(f"{dataset.name}, split {name}: {len(split.x)} rows of x but {len(split.y)} of y")
    check_finite(dataset)
    return dataset


def _fallback(source: Source, seed: int, folder: Path, reason: str, known: Schema | None) -> Dataset:
    try:
        dataset = load_dataset(source, seed, folder, known=known)
    except DownloadError as error:
        raise DownloadError(f"{reason}\nand its fallback: {error}") from error
    return replace(dataset, origin={**dataset.origin, "fallback": reason})


def _sizes(dataset: Dataset) -> str:
    return ", ".join(f"{name} {len(split)}" for name, split in dataset.splits.items()) + " rows"
