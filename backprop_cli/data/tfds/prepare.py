"""Find a dataset that TFDS prepared, or prepare it; every way that fails has its own message."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.download import download_manager

from backprop_cli.data.tfds.fetch import Fetcher
from backprop_cli.errors import BpError, DataError, DownloadError
from backprop_cli.registry import suggest

STALE_SECONDS = 3600.0
BY_HAND = (
    "Instead, prepare it once where TensorFlow is installed, with tfds.load(NAME, data_dir=DIR, "
    "builder_kwargs={'file_format': 'array_record'}), and set data_dir to DIR: reading needs no TensorFlow"
)


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


def prepared(name: str, version: str | None, data_dir: Path, manual_dir: Path | None) -> Any:
    """A TFDS builder whose records can be read, prepared now if need be.

    Raises DownloadError if it must be downloaded and cannot be, DataError for all else.
    """
    logging.set_verbosity("error")
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(sys.stderr), _translated(name):  # TFDS prints
        found = find(name, version, data_dir)
        if found is not None:
            return tfds.builder_from_directory(found)
        builder = _builder(name, version, data_dir)
        folder = Path(builder.data_path)
        if folder.exists() and not (folder / "dataset_info.json").is_file():
            raise DataError(f"{folder}: has no dataset_info.json, so it was not prepared to the end; remove it")
        if not folder.exists():
            _prepare(builder, name, manual_dir)
        return tfds.builder_from_directory(folder)


def _builder(name: str, version: str | None, data_dir: Path) -> Any:
    from backprop_cli.data.tfds.builders import BUILDERS

    base, _, config = name.partition("/")
    if base in BUILDERS:
        return BUILDERS[base](config=config or None, version=version, data_dir=data_dir)
    try:
        return tfds.builder(name if version is None else f"{name}:{version}", data_dir=data_dir, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError:
        nearest = suggest(base, tfds.list_builders(with_community_datasets=False))
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        raise DataError(
            f"tensorflow-datasets knows no dataset {base!r}, and none is prepared in {data_dir}{hint} "
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
