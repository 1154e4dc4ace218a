"""A folder of images for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from typing_extensions import TypedDict

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.cache import Entry, stamp
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.folders import IMAGE_SUFFIXES, images, split_folders
from backprop_cli.data.files.folders import folders as visible_folders
from backprop_cli.data.files.labels import check_seen, encode
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.paths import reading
from backprop_cli.data.gather import release
from backprop_cli.data.progress import report
from backprop_cli.data.schema import Images
from backprop_cli.errors import DataError
from backprop_cli.untrusted.documents import Document, lasting
from backprop_cli.untrusted.limits import swollen, unpacked

if TYPE_CHECKING:
    from backprop_cli.data.files import Files
    from backprop_cli.data.schema import Schema

_REPORT_EVERY = 100
_CHANNELS = 3  # bytes a pixel
_SMALLER = "set a smaller dataset.size, or put them into folders train and test, which are read from disk"


@lasting
class _Color(TypedDict):
    """What is kept beside decoded images."""

    color: Literal["grey", "rgb"]


COLOR = Document[_Color](_Color)
_GREY = {"1", "L", "I;16", "I", "F"}


def load_images(
    options: Files,
    form: str,
    paths: Mapping[str, Path],
    slices: Mapping[str, Any] | None,
    seed: int,
    known: Schema | None = None,
) -> Dataset:
    """The dataset of image folders; see `Files`. Raises DataError."""
    if known is not None and known.images is not None:
        settled = known.images
        changes: dict[str, Any] = {"color": settled.color, "size": list(settled.size) if settled.resize else None}
        options = replace(options, **changes)
    folders, notes = dict(paths), []
    if len(paths) == 1:
        (root,) = paths.values()
        if not root.is_dir():
            raise DataError(f"{root}: a file; expected a folder with a folder of images for each class")
        inner, beside = split_folders(root)
        folders = inner or folders
        notes = [f"{each}: passed over; it is no split, as {', '.join(inner)} are" for each in beside]
    found = {name: _labelled(folder) for name, folder in folders.items()}
    x, color = _decoded(options, folders, {name: files for name, (files, _) in found.items()})
    y, classes = encode(
        {name: np.array(labels) for name, (_, labels) in found.items()},
        {name: str(folder) for name, folder in folders.items()},
        known.classes if known else None,
    )
    numbers = None
    if len(x) == 1:
        (base,) = x
        check_room(x[base].nbytes, f"{len(x[base])} images", _SMALLER)
        dealt = deal(len(y[base]), options, slices, seed, labels=y[base], base=base)
        dealt_x = x[base][dealt.order]
        release(x[base])
        x, y, slices = {base: dealt_x}, {base: y[base][dealt.order]}, dealt.slices
        numbers = {base: dealt.order}
    elif options.folds is not None:
        raise DataError(
            "dataset.folds deals out the pictures of one folder, and there is one for each split; remove it"
        )
    size = next(iter(x.values())).shape[1:3]
    parts = splits.cut(x, y, slices, rows=numbers)
    if known is None:
        check_seen(parts, classes)
        notes += across(parts)
    return Dataset(
        name=next(iter(paths.values())).name,
        source="files",
        splits=parts,
        classes=classes,
        origin={"files": {name: str(path) for name, path in paths.items()}},
        images=Images(color="grey" if color == "grey" else "rgb", size=size, resize=options.size is not None),
        notes=notes,
    )


def _labelled(folder: Path) -> tuple[list[Path], list[str]]:
    """Every image in the folders of a folder, with the name of its folder."""
    files: list[Path] = []
    labels: list[str] = []
    for each in visible_folders(folder):
        own = images(each)
        if not own:
            raise DataError(f"{each}: no images; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
        files += own
        labels += [each.name] * len(own)
    if not files:
        raise DataError(f"{folder}: expected a folder of images for each class, such as {folder.name}/cat/1.png")
    return files, labels


def _color(files: Sequence[Path]) -> str:
    """grey if every image is, rgb otherwise."""
    for file in files:
        with _opened(file) as image:
            if image.mode not in _GREY:
                return "rgb"
    return "grey"


def _decoded(
    options: Files, folders: Mapping[str, Path], files: Mapping[str, Sequence[Path]]
) -> tuple[dict[str, Array], str]:
    """The images of each split as bytes (N, H, W, C), and their colour: decoded once, memory-mapped ever after."""
    key = [{name: str(folder) for name, folder in folders.items()}, options.color, options.size]
    entry = Entry("images", next(iter(folders.values())).name, {"images": key}, COLOR)
    every = [file for each in files.values() for file in each]

    def fill() -> None:
        sources, color = stamp(every), options.color or _color(every)
        size: tuple[int, int] | None = (options.size[0], options.size[1]) if options.size else None
        with entry.write() as writer:
            for name, each in files.items():
                pictures = _pictures(each, color, size, options.size is not None)
                first = next(pictures)
                size = first.shape[0], first.shape[1]
                with writer.array(name, len(each), first.shape, first.dtype) as append:
                    append(first[None])
                    for picture in pictures:
                        append(picture[None])
            writer.commit({"color": color}, sources)

    about, arrays = entry.filled(fill, every)
    return arrays, about["color"]


def read_images(files: Sequence[Path], color: str, size: tuple[int, int], resize: bool) -> Array:
    """Images for a trained network as (N, H, W, 1 or 3) bytes, resized if training did so. Raises DataError for another
    size."""
    pictures = _pictures(files, color, size, resize, trained=True)
    first = next(pictures)
    check_room(len(files) * first.nbytes, f"{len(files)} images", _SMALLER)
    pixels = np.empty((len(files), *first.shape), np.uint8)
    pixels[0] = first
    for i, picture in enumerate(pictures, 1):
        pixels[i] = picture
    return pixels


def _pictures(
    files: Sequence[Path], color: str, size: tuple[int, int] | None, resize: bool, trained: bool = False
) -> Iterator[Array]:
    """One image after the other, (H, W, 1 or 3)."""
    from PIL import Image

    for i, file in enumerate(files):
        with _opened(file) as image:
            picture = _converted(image, color)
            if resize and size is not None:
                picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            found = picture.height, picture.width
            if size is not None and found != size:
                other, remedy = (
                    ("the network was trained on", "resize it, or train with")
                    if trained
                    else ("the images before it", "set")
                )
                raise DataError(
                    f"{file}: {found[0]} × {found[1]} pixels, {other} {size[0]} × {size[1]}; "
                    f"{remedy} dataset.size: [{size[0]}, {size[1]}] to resize all"
                )
            size = found
            pixels = np.asarray(picture).reshape(*size, 1 if color == "grey" else 3)
        yield pixels
        if i % _REPORT_EVERY == 0:
            report("reading images", i, len(files))


def _converted(image: Any, color: str) -> Any:
    """Upright, as its EXIF data say, in 8 bits, grey or RGB."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I", "F"):  # 16 bits and floats, which Pillow would clip at 255
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode != "F" else max(1.0, values.max())
        image = Image.fromarray((values * (255.0 / top)).round().astype(np.uint8))
    return image.convert("L" if color == "grey" else "RGB")


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """An image that is not decoded yet, and has no more pixels than a file of its size may. Raises DataError."""
    from PIL import Image, UnidentifiedImageError

    with reading(file):
        pillows, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # it knows no size of the file
        try:
            with Image.open(file) as image:
                size, needed = file.stat().st_size, image.width * image.height * _CHANNELS
                if needed > unpacked(size):
                    raise DataError(f"{file}: {image.height} × {image.width} pixels, {swollen(size, needed)}")
                yield image
        except UnidentifiedImageError as error:
            raise DataError(f"{file}: not an image, or a damaged one; remove or replace it") from error
        except (SyntaxError, ValueError) as error:
            raise DataError(f"{file}: cannot be decoded: {error}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = pillows
