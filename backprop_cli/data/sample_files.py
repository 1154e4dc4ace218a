"""The files of the datasets that ship, by name."""

from __future__ import annotations

from pathlib import Path

from backprop_cli.errors import UnknownNameError, expected

FOLDER = Path(__file__).parent / "sample"
PREFIX = "sample:"


def names() -> list[str]:
    """The samples of arrays that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def file_names() -> list[str]:
    """The texts and tables that ship, which source files reads, sorted."""
    return sorted(path.stem for end in ("txt", "csv") for path in FOLDER.glob(f"*.{end}"))


def is_sample(name: str | Path) -> bool:
    """Whether a path names a file that ships, even after it was made absolute like any path."""
    return Path(name).name.startswith(PREFIX)


def sample_path(name: str) -> Path:
    """The file of a sample. Raises UnknownNameError with the nearest name."""
    for path in (FOLDER / f"{name}{end}" for end in (".npz", ".txt", ".csv")):
        if path.is_file():
            return path
    raise UnknownNameError(f"unknown sample {name!r}; {expected(name, names() + file_names())}")
