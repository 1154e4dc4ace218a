"""Which images a folder holds, and whether the folders in it are classes or splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from backprop_cli.data.shares import usual
from backprop_cli.errors import DataError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_ARCHIVED = "__MACOSX"  # what macOS puts beside the files of an archive


def _hidden(path: Path, root: Path) -> bool:
    """Whether it, or a folder on the way to it, is hidden: `.ipynb_checkpoints`, `._1.png`."""
    return any(part.startswith(".") or part == _ARCHIVED for part in path.relative_to(root).parts)


def images(folder: Path) -> list[Path]:
    """Every image in a folder at any depth, sorted; hidden files and folders are passed over."""
    found = (each for each in folder.rglob("*") if each.suffix.lower() in IMAGE_SUFFIXES and each.is_file())
    return sorted(each for each in found if not _hidden(each, folder))


def folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, sorted."""
    return sorted(each for each in folder.iterdir() if each.is_dir() and not _hidden(each, folder))


def split_folders(root: Path) -> tuple[dict[str, Path], list[Path]]:
    """The folder of each split, and those that are passed over; nothing where the folders in `root` are classes.

    A folder is a split by its name, in any case (`train`, `Test`, `VAL`), or by a word in it (`seg_train`), if it
    has folders of classes. Raises DataError for two folders of one split, and where every folder holds the same
    folders: then those must be the classes.
    """
    inside = folders(root)
    found = _by_split({each: usual(each.name) for each in inside}) or _by_split(
        {each: _word(each.name) for each in inside}, least=2
    )
    if found:
        chosen = set(found.values())
        return {name: _unwrapped(each) for name, each in found.items()}, [each for each in inside if each not in chosen]
    names = [{each.name for each in folders(folder)} for folder in inside]
    if len(inside) > 1 and len(names[0]) > 1 and all(each == names[0] for each in names):
        both = ", ".join(each.name for each in inside[:5])
        raise DataError(
            f"{root}: each of its folders {both} holds the folders {', '.join(sorted(names[0])[:5])}; expected folders "
            "of classes, or splits that are called train, validation and test; rename them, or name each: "
            f"splits: {{train: ./{root.name}/{inside[0].name}, …}}"
        )
    return {}, []


def _by_split(names: Mapping[Path, str | None], least: int = 1) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder, name in names.items():
        if name and name in found:
            raise DataError(f"{folder}: {folder.name} and {found[name].name} are both the split {name}; rename one")
        if name:
            found[name] = folder
    of_classes = any(folders(folder) for folder in found.values())
    return found if len(found) >= least and of_classes else {}


def _word(name: str) -> str | None:
    """The split that one word of a name stands for: `seg_train`, `test-set`."""
    found = {usual(word) for word in re.split(r"[\W_]+", name)} - {None}
    return found.pop() if len(found) == 1 else None


def _unwrapped(folder: Path) -> Path:
    """The folder of classes in `seg_train/seg_train/…`."""
    inside = folders(folder)
    return inside[0] if len(inside) == 1 and inside[0].name == folder.name else folder
