"""Datasets by name through tensorflow-datasets (TFDS); TensorFlow itself is not needed.

The first use downloads and prepares (prepare.py), decodes every base split once (decode.py) and
caches it; every later use memory-maps the cache and does not even import TFDS.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from typing_extensions import TypedDict

from backprop_cli.data import splits
from backprop_cli.data.cache import Entry
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.source import Source, source
from backprop_cli.errors import DataError, DownloadError
from backprop_cli.registry import Doc
from backprop_cli.untrusted.documents import Document, Whole, lasting
from backprop_cli.untrusted.regular import real

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema


@lasting
class _About(TypedDict):
    """What is kept beside decoded arrays."""

    full_name: str
    prepared: str
    input: list[str]
    target: str
    splits: dict[str, list[Whole]]  # rows of each shard
    classes: list[str] | None
    features: list[str] | None


ABOUT = Document[_About](_About)


def default_data_dir() -> Path:
    """Where TFDS keeps what it prepares: $TFDS_DATA_DIR, $BP_CACHE/tensorflow_datasets or TFDS's own
    ~/tensorflow_datasets."""
    if os.environ.get("TFDS_DATA_DIR"):
        return Path(os.environ["TFDS_DATA_DIR"]).expanduser()
    if os.environ.get("BP_CACHE"):
        return Path(os.environ["BP_CACHE"]).expanduser() / "tensorflow_datasets"
    return Path.home() / "tensorflow_datasets"


def find(name: str, version: str | None, data_dir: Path) -> Path | None:
    """The folder of a prepared version: `data_dir` itself, or the newest of data_dir/name/VERSION."""
    if (data_dir / "dataset_info.json").is_file():
        return data_dir
    folders = [path.parent for path in (data_dir / name).glob("*/dataset_info.json")]
    versions = {folder.name: folder for folder in folders if re.fullmatch(r"\d+\.\d+\.\d+", folder.name)}
    if version is not None:
        return versions.get(version)
    newest = max(versions, key=lambda text: [int(part) for part in text.split(".")], default=None)
    return versions[newest] if newest else None


def _locate(path: Path, folder: Path) -> Path:
    """A path of the config: from the config's folder, else from the working directory."""
    given = Path(path).expanduser()
    return real(folder / given if (folder / given).exists() else given)


def module(name: str) -> Any:
    """`prepare` or `decode` of this package. They import TFDS, which takes a second.

    Raises DownloadError where TFDS is not installed: some platforms have no wheels of array-record.
    """
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise DownloadError(
            f"datasets of source tfds need the package {error.name}, which is not installed; `pip install "
            "tensorflow-datasets array-record importlib-resources`, or take another source: sample, synthetic, files"
        ) from None


@source("tfds")
@dataclass(kw_only=True)
class Tfds(Source):
    """A dataset of tensorflow-datasets."""

    downloads: ClassVar[dict[str, str]] = {  # those that bp prepares with builders of its own
        "cifar10": "60,000 photographs, 32×32×3, of 10 kinds of animals and vehicles.",
        "cifar100": "60,000 photographs, 32×32×3, of 100 kinds of things.",
        "emnist": "814,255 handwritten digits and letters, 28×28×1, of 62 classes.",
        "fashion_mnist": "70,000 pictures of clothes, 28×28×1, of 10 kinds.",
        "kmnist": "70,000 handwritten Japanese characters, 28×28×1, of 10 classes.",
        "mnist": "70,000 handwritten digits, 28×28×1, of 10 classes.",
    }

    name: Annotated[str, Doc("the dataset's name in TFDS, with a config where it has several: mnist, emnist/balanced")]
    version: Annotated[
        str | None, Doc("the exact version; by default the one that is prepared, or TFDS's current one")
    ] = None
    data_dir: Annotated[
        Path | None, Doc("where it is, or will be, prepared: TFDS's data_dir, or the folder of one prepared version")
    ] = None
    manual_dir: Annotated[
        Path | None, Doc("a folder with the raw files, used instead of downloading; their size and SHA-256 are checked")
    ] = None
    input: Annotated[
        str | list[str] | None,
        Doc("the feature that is x, or numeric ones that become its columns; by default TFDS's supervised key"),
    ] = None
    target: Annotated[str | None, Doc("the feature that is y; by default TFDS's supervised key")] = None

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        entry = self.entry(folder)
        about, arrays = entry.filled(lambda: self._fill(entry, folder))
        x, y = (
            {base: arrays[f"{base}-{what}"] for base in about["splits"] if f"{base}-{what}" in arrays} for what in "xy"
        )
        return Dataset(
            name=self.name,
            source="tfds",
            splits=splits.cut(x, y, self.splits, about["splits"]),
            classes=about["classes"],
            features=about["features"],
            origin={key: about[key] for key in ("full_name", "prepared", "input", "target")},
        )

    def find(self, folder: Path) -> Path | None:
        """The folder of the prepared version that `load` reads, None if it is yet to be prepared."""
        return find(self.name, self.version, self._data_dir(folder))

    def entry(self, folder: Path) -> Entry:
        """The cache entry that holds this dataset's decoded arrays, or will."""
        key = [self.name, self.version, str(self._data_dir(folder)), self.input, self.target]
        return Entry("tfds", self.name, {"tfds": key}, ABOUT)

    def _data_dir(self, folder: Path) -> Path:
        return _locate(self.data_dir, folder) if self.data_dir else default_data_dir().absolute()

    def _fill(self, entry: Entry, folder: Path) -> None:
        prepare, decode = module("prepare"), module("decode")
        manual_dir = _locate(self.manual_dir, folder) if self.manual_dir else None
        if manual_dir is not None and not manual_dir.is_dir():
            raise DataError(f"manual_dir {manual_dir}: no such folder; expected one with the raw files")
        prepared = prepare.prepared(self.name, self.version, self._data_dir(folder), manual_dir)
        decode.decode(prepared, self.name, self.input, self.target, entry)
