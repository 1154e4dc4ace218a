"""What can be loaded by name: the samples that ship, the synthetic problems, TFDS. For `bp data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.data import sample, tfds
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.look import file_source, look_at_dataset, look_at_file
from backprop_cli.data.progress import Show
from backprop_cli.data.sample_files import file_names, sample_path
from backprop_cli.data.source import Source
from backprop_cli.data.tfds import Tfds, default_data_dir
from backprop_cli.errors import DataError, UnknownNameError, expected

HERE = Path()


def listing(every: bool = False) -> list[dict[str, Any]]:
    """Each dataset as {"name", "source", "prepared", "about"}; with `every`, all names that TFDS knows.

    `prepared` is True where it loads without a download. Raises DownloadError with `every` if TFDS is not installed.
    """
    rows = [
        {"name": name, "source": source, "prepared": True, "about": registry.get("source", source).about(name)}
        for source, names in _offered().items()
        for name in names
    ]
    on_disk = _prepared_tfds()
    names = {*Tfds.downloads, *on_disk}
    if every:
        names.update(tfds.module("prepare").names())
    return rows + [
        {"name": name, "source": "tfds", "prepared": name in on_disk, "about": Tfds.downloads.get(name, "")}
        for name in sorted(names)
    ]


def _offered() -> dict[str, list[str]]:
    """The datasets that each source has by name, without a download; the samples and the problems first."""
    classes = registry.classes("source")
    first = ("sample", "synthetic")
    return {name: classes[name].datasets() for name in (*first, *(kind for kind in classes if kind not in first))}


def _prepared_tfds() -> set[str]:
    root = default_data_dir()
    infos = [*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]
    return {str(path.parent.parent.relative_to(root)) for path in infos}


def find(name: str, source: str | None = None) -> Source:
    """The source of a name; a sample before a synthetic problem before TFDS, unless `source` says which.

    Raises UnknownNameError, DataError.
    """
    offered = {source_name: names for source_name, names in _offered().items() if names}
    for source_name, names in offered.items():
        if source in (None, source_name) and name in names:
            listed: Source = registry.get("source", source_name).named(name)
            return listed
    if source in (None, "tfds"):
        return Tfds(name=name)
    if source in offered:
        raise UnknownNameError(f"unknown {source} dataset {name!r}; {expected(name, offered[source])}")
    raise UnknownNameError(f"unknown source {source!r}; {expected(str(source), [*offered, 'tfds'])}")


def describe(name: str, source: str | None = None) -> dict[str, Any]:
    """What a dataset holds; of one that is yet to be prepared, what TFDS tells beforehand.

    Where x are rows of numbers, each column is looked at. Nothing is downloaded. Raises DataError, UnknownNameError.
    """
    origin = find(name, source)
    if isinstance(origin, Tfds) and origin.entry(HERE).read() is None and origin.find(HERE) is None:
        announced: dict[str, Any] = tfds.module("prepare").announced(name, default_data_dir())
        return announced
    return _summary(name, origin)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def get(
    name: str,
    source: str | None = None,
    *,
    data_dir: str | None = None,
    manual_dir: str | None = None,
    progress: Show | None = None,
) -> dict[str, Any]:
    """Download, prepare and decode a dataset now; its summary. Raises DataError, DownloadError, UnknownNameError."""
    origin = find(name, source)
    if isinstance(origin, Tfds):
        origin = Tfds(name=name, data_dir=_path(data_dir), manual_dir=_path(manual_dir))
    elif data_dir or manual_dir:
        raise DataError(f"{name} is of source {_name(origin)}; data_dir and manual_dir are for source tfds")
    return _summary(name, origin, progress)


def _summary(name: str, source: Source, progress: Show | None = None) -> dict[str, Any]:
    if isinstance(source, sample.Sample) and name in file_names():
        path = sample_path(name)
        if path.suffix == ".csv":
            facts = look_at_file(file_source(path)).as_dict()
            about = {"name": name, "source": "sample", "prepared": True, "splits": None, "bytes": path.stat().st_size}
            return {**about, "path": str(path), "rows": facts["rows"], "columns": facts["columns"]}
        text = path.read_text(encoding="utf-8")
        size = {"characters": len(text), "different_characters": len(set(text)), "bytes": path.stat().st_size}
        about = {"name": name, "source": "sample", "prepared": True, "splits": None, **size, "path": str(path)}
        return {**about, "rows": 1, "columns": []}
    dataset = load_dataset(source, 0, HERE, progress=progress)
    facts = look_at_dataset(dataset).as_dict()
    return {**summary(dataset), "rows": facts["rows"], "columns": facts["columns"]}


def summary(dataset: Dataset) -> dict[str, Any]:
    """Rows, shapes, dtypes, classes and bytes of a loaded dataset."""
    first = next(iter(dataset.splits.values()))
    return {
        "name": dataset.name,
        "source": dataset.source,
        "prepared": True,
        "splits": {name: len(split) for name, split in dataset.splits.items()},
        "x": {"shape": list(first.x.shape[1:]), "dtype": str(first.x.dtype)},
        "y": {"shape": list(first.y.shape[1:]), "dtype": str(first.y.dtype)},
        "sounds": dataset.sounds and dataset.sounds.model_dump(include={"rate", "seconds", "channels"}),
        "classes": dataset.classes,
        "features": dataset.features,
        "bytes": sum(split.x.nbytes + split.y.nbytes for split in dataset.splits.values()),
        "origin": dataset.origin,
    }


def _name(source: Source) -> str:
    return next(name for name, cls in registry.classes("source").items() if isinstance(source, cls))
