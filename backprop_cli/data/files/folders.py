"""Which pictures or sounds a folder holds, and whether the folders in it are classes or splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from backprop_cli.data.shares import usual
from backprop_cli.errors import DataError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SOUND_SUFFIXES = {".wav", ".wave"}
SUFFIXES_OF = {"images": IMAGE_SUFFIXES, "sounds": SOUND_SUFFIXES}
_ARCHIVED = "__MACOSX"  # what macOS puts beside the files of an archive


def _hidden(path: Path, root: Path) -> bool:
    """Whether it, or a folder on the way to it, is hidden: `.ipynb_checkpoints`, `._1.png`."""
    return any(part.startswith(".") or part == _ARCHIVED for part in path.relative_to(root).parts)


def media(folder: Path, kind: str) -> list[Path]:
    """Every file of a kind (images, sounds) in a folder at any depth, sorted; hidden files and folders are passed
    over."""
    suffixes = SUFFIXES_OF[kind]
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return sorted(path for path in paths if not _hidden(path, folder))


def kind_of_folder(folder: Path) -> str:
    """images or sounds: what the files in a folder are; images where there is neither. Raises DataError for both."""
    examples: dict[str, Path] = {}
    for path in folder.rglob("*"):
        kind = next((kind for kind, suffixes in SUFFIXES_OF.items() if path.suffix.lower() in suffixes), None)
        if kind is not None and kind not in examples and not _hidden(path, folder):
            examples[kind] = path
    if len(examples) > 1:
        raise DataError(
            f"{folder}: holds pictures ({examples['images'].name}) and sounds ({examples['sounds'].name}); set "
            "dataset.format to images or sounds, or part them into two folders"
        )
    return next(iter(examples), "images")


def folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path, folder))


def split_folders(root: Path) -> tuple[dict[str, Path], list[Path]]:
    """The folder of each split, and those that are passed over; nothing where the folders in `root` are classes.

    A folder is a split by its name, in any case (`train`, `Test`, `VAL`), or by a word in it (`seg_train`), if it
    has folders of classes. Raises DataError for two folders of one split, and where every folder holds the same
    folders: then those must be the classes.
    """
    inside = folders(root)
    by_split = _by_split({path: usual(path.name) for path in inside}) or _by_split(
        {path: _word(path.name) for path in inside}, least=2
    )
    if by_split:
        chosen = set(by_split.values())
        beside = [path for path in inside if path not in chosen]
        return {name: _unwrapped(path) for name, path in by_split.items()}, beside
    names = [{inner.name for inner in folders(folder)} for folder in inside]
    if len(inside) > 1 and len(names[0]) > 1 and all(name == names[0] for name in names):
        both = ", ".join(path.name for path in inside[:5])
        raise DataError(
            f"{root}: each of its folders {both} holds the folders {', '.join(sorted(names[0])[:5])}; expected folders "
            "of classes, or splits that are called train, validation and test; rename them, or name each: "
            f"splits: {{train: ./{root.name}/{inside[0].name}, …}}"
        )
    return {}, []


def _by_split(names: Mapping[Path, str | None], least: int = 1) -> dict[str, Path]:
    by_split: dict[str, Path] = {}
    for folder, name in names.items():
        if name and name in by_split:
            raise DataError(f"{folder}: {folder.name} and {by_split[name].name} are both the split {name}; rename one")
        if name:
            by_split[name] = folder
    of_classes = any(folders(folder) for folder in by_split.values())
    return by_split if len(by_split) >= least and of_classes else {}


def _word(name: str) -> str | None:
    """The split that one word of a name stands for: `seg_train`, `test-set`."""
    words = {usual(word) for word in re.split(r"[\W_]+", name)} - {None}
    return words.pop() if len(words) == 1 else None


def _unwrapped(folder: Path) -> Path:
    """The folder of classes in `seg_train/seg_train/…`."""
    inside = folders(folder)
    return inside[0] if len(inside) == 1 and inside[0].name == folder.name else folder
