"""The files of the datasets that ship, by name."""

from __future__ import annotations

from pathlib import Path

from backprop_cli.errors import UnknownNameError, expected

FOLDER = Path(__file__).parent / "sample"


def names() -> list[str]:
    """The samples of arrays that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def text_names() -> list[str]:
    """The samples of text that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def sample_path(name: str) -> Path:
    """The file of a sample. Raises UnknownNameError with the nearest name."""
    for path in (FOLDER / f"{name}.npz", FOLDER / f"{name}.txt"):
        if path.is_file():
            return path
    raise UnknownNameError(f"unknown sample {name!r}; {expected(name, names() + text_names())}")
