"""A folder of images for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.dataset import Array, Dataset
from backprop_cli.data.files.arrays import physical_memory
from backprop_cli.data.files.labels import check_seen, encode
from backprop_cli.data.files.order import dealt
from backprop_cli.data.files.paths import SPLIT_NAMES, reading
from backprop_cli.data.progress import report
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.files import Files

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_REPORT_EVERY = 100
_GREY = {"1", "L", "I;16", "I", "F"}


def load_images(
    options: Files, form: str, paths: Mapping[str, Path], slices: Mapping[str, str] | None, seed: int
) -> Dataset:
    """The dataset of image folders; see `Files`. Raises DataError."""
    folders = dict(paths)
    if len(paths) == 1:
        (root,) = paths.values()
        if not root.is_dir():
            raise DataError(f"{root}: a file; expected a folder with a folder of images for each class")
        inner = {
            SPLIT_NAMES[each.name]: each
            for each in sorted(root.iterdir())
            if each.name in SPLIT_NAMES and each.is_dir()
        }
        folders = inner or folders
    found = {name: _labelled(folder) for name, folder in folders.items()}
    color = options.color or _color([file for files, _ in found.values() for file in files])
    shape: tuple[int, int] | None = (options.size[0], options.size[1]) if options.size else None
    x: dict[str, Array] = {}
    for name, (files, _) in found.items():
        x[name] = read_images(files, color, shape, resize=options.size is not None)
        shape = (x[name].shape[1], x[name].shape[2])
    y, classes = encode(
        {name: np.array(labels) for name, (_, labels) in found.items()},
        {name: str(folder) for name, folder in folders.items()},
    )
    if len(x) == 1:
        (base,) = x
        order = dealt(len(y[base]), y[base], seed)
        x, y = {base: x[base][order]}, {base: y[base][order]}
    assert shape is not None
    parts = splits.cut(x, y, slices)
    check_seen(parts, classes)
    return Dataset(
        name=next(iter(paths.values())).name,
        source="files",
        splits=parts,
        classes=classes,
        origin={
            "files": {name: str(path) for name, path in paths.items()},
            "images": {"color": color, "size": list(shape), "resize": options.size is not None},
        },
    )


def _labelled(folder: Path) -> tuple[list[Path], list[str]]:
    """Every image in the folders of a folder, with the name of its folder."""
    files: list[Path] = []
    labels: list[str] = []
    for each in sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")):
        own = [file for file in sorted(each.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
        if not own:
            raise DataError(f"{each}: no images; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
        files += own
        labels += [each.name] * len(own)
    if not files:
        raise DataError(f"{folder}: expected a folder of images for each class, such as {folder.name}/cat/1.png")
    return files, labels


def _color(files: Sequence[Path]) -> str:
    """grey if every image is, rgb otherwise."""
    from PIL import Image

    for file in files:
        with _decoding(file), Image.open(file) as image:
            if image.mode not in _GREY:
                return "rgb"
    return "grey"


def read_images(files: Sequence[Path], color: str, size: tuple[int, int] | None, resize: bool) -> Array:
    """Images as (N, H, W, 1 or 3) bytes, resized where asked for. Raises DataError where sizes differ."""
    from PIL import Image

    pixels: Array | None = None
    for i, file in enumerate(files):
        with _decoding(file), Image.open(file) as image:
            picture = _converted(image, color)
            if resize and size is not None:
                picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            size = size or (picture.height, picture.width)
            if (picture.height, picture.width) != size:
                raise DataError(
                    f"{file}: {picture.height} × {picture.width} pixels, the images before it {size[0]} × {size[1]}; "
                    f"set dataset.size: [{size[0]}, {size[1]}] to resize all"
                )
            if pixels is None:
                pixels = _room(len(files), size, 1 if color == "grey" else 3)
            pixels[i] = np.asarray(picture).reshape(pixels.shape[1:])
        if i % _REPORT_EVERY == 0:
            report("reading images", i, len(files))
    assert pixels is not None
    return pixels


def _converted(image: Any, color: str) -> Any:
    from PIL import Image

    if image.mode in ("I;16", "I", "F"):  # 16 bits and floats, which Pillow would clip at 255
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode != "F" else max(1.0, values.max())
        image = Image.fromarray((values * (255.0 / top)).round().astype(np.uint8))
    return image.convert("L" if color == "grey" else "RGB")


def _room(count: int, size: tuple[int, int], channels: int) -> Array:
    needed, memory = count * size[0] * size[1] * channels, physical_memory()
    if needed > 0.6 * memory:
        raise DataError(
            f"{count} images of {size[0]} × {size[1]} take {needed / 2**30:.1f} GiB, this machine has "
            f"{memory / 2**30:.1f}; set a smaller dataset.size"
        )
    return np.empty((count, *size, channels), np.uint8)


@contextmanager
def _decoding(file: Path) -> Iterator[None]:
    from PIL import Image, UnidentifiedImageError

    with reading(file):
        try:
            yield
        except UnidentifiedImageError as error:
            raise DataError(f"{file}: not an image, or a damaged one; remove or replace it") from error
        except (Image.DecompressionBombError, SyntaxError, ValueError) as error:
            raise DataError(f"{file}: cannot be decoded: {error}") from error
