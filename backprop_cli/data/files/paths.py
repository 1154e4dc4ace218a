"""Finding files, and saying what is wrong with those that cannot be read."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backprop_cli.data.files.folders import kind_of_folder
from backprop_cli.data.sample_files import PREFIX, is_sample, sample_path
from backprop_cli.errors import DataError, suggest
from backprop_cli.untrusted.limits import open_zip
from backprop_cli.untrusted.regular import check_regular, real

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".duckdb": "duckdb",
    ".npy": "npy",
    ".npz": "npz",
    ".idx": "idx",
    ".txt": "text",
    ".md": "text",
    ".wav": "sounds",
    ".wave": "sounds",
}
COMPRESSED = (".gz", ".zst", ".zip", ".bz2", ".xz")


def find(name: str | Path, folder: Path, beside: Path | None = None) -> Path:
    """An existing path: as it is if absolute, else in `folder` (or `beside` in it), else in the working
    directory. Raises DataError with the nearest name there is."""
    if is_sample(name):
        return sample_path(Path(name).name.removeprefix(PREFIX))
    path = Path(name).expanduser()
    folders = [folder, Path.cwd()]
    if beside is not None:
        folders = [start / beside.expanduser() for start in folders] + folders
    if "*" in path.name and path.suffix == ".parquet":  # the parts of one table
        for folder in folders:
            if next((folder / path).parent.glob(path.name), None) is not None:
                return real((folder / path).parent) / path.name
    for folder in folders:
        if os.path.lexists(folder / path):
            return real(folder / path)
    return missing(folders[0] / path)


def missing(path: Path) -> Path:
    """Raise DataError for a path that is not there."""
    try:
        path.lstat()
    except PermissionError as error:
        raise DataError(f"{path}: no permission to look into its folder; change the folder's mode") from error
    except OSError:
        pass
    parent = path.parent
    siblings = os.listdir(parent) if os.path.isdir(parent) and os.access(parent, os.R_OK) else []
    nearest = suggest(path.name, siblings)
    hint = f"did you mean {nearest!r}?" if nearest else "paths are relative to the config, then to where bp runs"
    raise DataError(f"{path}: no such file or folder; {hint}")


def format_of(path: Path) -> str:
    """The format that a path's suffix (or, for a folder, its contents) tells. Raises DataError."""
    if path.is_dir():
        if any("idx" in file.name for file in path.iterdir() if file.is_file()):
            return "idx"
        return "parquet" if next(path.rglob("*.parquet"), None) is not None else kind_of_folder(path)
    name = inner_name(path)
    if "-idx" in name or ".idx" in name:
        return "idx"
    form = SUFFIXES.get(Path(name).suffix.lower())
    if form is None:
        raise DataError(
            f"{path}: cannot tell the format from this name; set dataset.format to one of "
            "csv, tsv, parquet, feather, jsonl, xlsx, sqlite, duckdb, npy, npz, idx, images, sounds, text"
        )
    return form


def inner_name(path: Path) -> str:
    """The name of what a compressed file holds: `a.csv` for a.csv.gz and for archive.zip with a.csv in it."""
    if path.suffix.lower() == ".zip":
        with (
            suppress(OSError, ValueError, zipfile.BadZipFile),
            open_zip(path) as archive,
        ):  # reading it reports the error
            names = [file.filename for file in archive.infolist() if not file.is_dir() and is_visible(file.filename)]
            if len(names) == 1:
                return Path(names[0]).name
    return path.stem if path.suffix.lower() in COMPRESSED else path.name


def is_visible(name: str) -> bool:
    """Whether a member of an archive is no hidden file, and none that macOS puts beside the others."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in Path(name).parts)


def column_or_file(value: str) -> str | Path:
    """A target that is called like an array is a file of labels, anything else a column of x."""
    return Path(value) if re.search(r"\.npy$|\.idx(\.gz)?$|[-.]idx\d-ubyte", value, re.IGNORECASE) else value


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the system says about a file into a DataError."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: a folder; expected a file")
        check_regular(path)
        yield
    except FileNotFoundError:
        missing(path)
    except PermissionError as error:
        raise DataError(f"{path}: no permission to read it; change its mode or owner") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from error
