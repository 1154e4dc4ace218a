"""Find a dataset that TFDS prepared, or prepare it; every way that fails has its own message."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download import download_manager

from backprop_cli.data.tfds import find
from backprop_cli.data.tfds.decode import feature, leaves
from backprop_cli.data.tfds.fetch import Fetcher
from backprop_cli.errors import BpError, DataError, DownloadError, UnknownNameError, did_you_mean, suggest
from backprop_cli.untrusted.regular import check_regular, read_regular

STALE_SECONDS = 3600.0
MAX_FEATURES = 16 << 20  # bytes of features.json
TYPES = ("type", "pythonClassName", "python_class_name")  # its keys that name classes
TRUSTED = "tensorflow_datasets."
BY_HAND = (
    "Instead, prepare it once where TensorFlow is installed, with tfds.load(NAME, data_dir=DIR, "
    "builder_kwargs={'file_format': 'array_record'}), and set data_dir to DIR: reading needs no TensorFlow"
)


def prepared(name: str, version: str | None, data_dir: Path, manual_dir: Path | None) -> Any:
    """A TFDS builder whose records can be read, prepared now if need be.

    Raises DownloadError if it must be downloaded and cannot be, UnknownNameError for a name that TFDS does not know,
    DataError for all else.
    """
    with _quiet(), _translated(name):
        data = find(name, version, data_dir)
        if data is not None:
            return _opened(data, name)
        builder = _builder(name, version, data_dir)
        folder = Path(builder.data_path)
        if folder.exists() and not (folder / "dataset_info.json").is_file():
            raise DataError(f"{folder}: has no dataset_info.json, so it was not prepared to the end; remove it")
        if not folder.exists():
            _prepare(builder, name, manual_dir)
        return _opened(folder, name)


def _opened(folder: Path, name: str) -> Any:
    """The builder of a prepared dataset. TFDS imports the modules that features.json names as types of features: any
    but its own are refused, and so is anything but a regular file. Raises DataError."""
    try:
        for path in folder.iterdir():
            if not path.is_dir():
                check_regular(path)
        features = json.loads(read_regular(folder / "features.json", MAX_FEATURES))
    except FileNotFoundError:
        features = None  # TFDS will say so
    except (OSError, ValueError, RecursionError) as error:
        what = error.strerror if isinstance(error, OSError) else "features.json is damaged"
        raise DataError(f"{folder}: {what}; prepare {name} again") from None
    strange = next((kind for kind in _types(features) if not kind.startswith(TRUSTED)), None)
    if strange is not None:
        raise DataError(
            f"{folder / 'features.json'}: names {strange!r:.80} as a type, which is none of TFDS's own and would be "
            "imported; expected a dataset that TFDS has prepared"
        )
    return tfds.builder_from_directory(folder)


def _types(features: Any) -> Iterator[str]:
    """The names of all classes in features.json."""
    if isinstance(features, list):
        for inner in features:
            yield from _types(inner)
    elif isinstance(features, dict):
        for key, value in features.items():
            if key in TYPES and isinstance(value, str):
                yield value
            yield from _types(value)


def names() -> list[str]:
    """All datasets that TFDS knows."""
    return list(tfds.list_builders(with_community_datasets=False))


def announced(name: str, data_dir: Path) -> dict[str, Any]:
    """What TFDS's builder says of a dataset that is not prepared. Nothing is downloaded.

    Raises DataError, UnknownNameError.
    """
    with _quiet(), _translated(name):
        info = _builder(name, None, data_dir).info
        about = {"name": name, "source": "tfds", "prepared": False, "splits": None, "bytes": None}
        about |= {"full_name": info.full_name, "homepage": info.homepage}
        features = {path: feature(info, path) for path in leaves(info.features)}
        about["features"] = {
            path: {"shape": list(spec.shape), "dtype": np.dtype(spec.np_dtype).name} for path, spec in features.items()
        }
        about["classes"] = {
            path: spec.names for path, spec in features.items() if isinstance(spec, tfds.features.ClassLabel)
        }
        return about


def _builder(name: str, version: str | None, data_dir: Path) -> Any:
    from backprop_cli.data.tfds.builders import BUILDERS

    base, _, config = name.partition("/")
    if base in BUILDERS:
        return BUILDERS[base](config=config or None, version=version, data_dir=data_dir)
    try:
        return tfds.builder(name if version is None else f"{name}:{version}", data_dir=data_dir, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError:
        nearest = suggest(base, tfds.list_builders(with_community_datasets=False))
        hint = did_you_mean(nearest)
        raise UnknownNameError(
            f"tensorflow-datasets knows no dataset {base!r}, and none is prepared in {data_dir}{hint or ';'} "
            "`bp data ls --all` lists the names"
        ) from None


def _prepare(builder: Any, name: str, manual_dir: Path | None) -> None:
    for leftover in Path(builder.data_dir_root, builder.name).glob("**/incomplete.*"):
        _remove_if_stale(leftover)  # of a process that was killed
    fetcher, make = Fetcher(), builder._make_download_manager

    def with_fetcher(**options: Any) -> Any:
        manager = make(**options)
        manager._DownloadManager__downloader = fetcher
        return manager

    builder._make_download_manager = with_fetcher
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    try:
        # Never parquet: TFDS writes a part of the rows and says that it wrote all.
        builder.download_and_prepare(file_format="array_record", download_config=config)
    except FileExistsError:
        if not (Path(builder.data_path) / "dataset_info.json").is_file():
            raise
        # another process prepared it at the same time; its files are as good
    except download_manager.NonMatchingChecksumError as error:
        raise _wrong_file(name, str(error), manual_dir, fetcher.pages) from error
    finally:
        fetcher.clean()


def _remove_if_stale(folder: Path) -> None:
    times = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
    if time.time() - max(times) > STALE_SECONDS:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep TFDS from printing to stdout and logging what `report` and our errors say."""
    logging.set_verbosity("error")
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn what TFDS raises into one line that says what to do."""
    try:
        yield
    except DownloadError as error:
        raise DownloadError(
            f"{name}: {error}; check the network, or put the raw files into a folder and set manual_dir to it"
        ) from error
    except BpError:
        raise
    except Exception as error:  # TFDS raises whatever its builders and TensorFlow's absence raise
        words = " ".join(str(error).split())
        if "tensorflow" in words.lower().replace("tensorflow_datasets", "").replace("tensorflow datasets", ""):
            raise DataError(f"{name}: TFDS cannot prepare this one without TensorFlow. {BY_HAND}") from error
        if re.search("no space left|file too large|quota exceeded", words, re.IGNORECASE):
            raise DataError(f"{name}: {words[:300]}; make room, or set data_dir to a folder on another disk") from error
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name}: {error.filename or 'preparing it'}: {error.strerror}") from error
        raise DataError(f"{name}: {type(error).__name__}: {words[:300]}") from error


def _wrong_file(name: str, message: str, manual_dir: Path | None, pages: set[str]) -> DataError:
    match = re.search(r"Artifact (\S+), downloaded to (.+), has wrong checksum", message)
    if match is None:
        return DataError(f"{name}: {message}")
    url, path = match[1], Path(match[2])
    if manual_dir is not None and manual_dir in path.parents:
        return DataError(f"{path}: not the file that {name} needs (wrong size or SHA-256); fetch {url} again")
    what = "a web page (of a login portal?)" if url in pages else "another file (wrong size or SHA-256)"
    return DownloadError(f"{url} gave {what} instead of the dataset")
