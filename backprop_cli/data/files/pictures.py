"""Pictures as arrays: from files, or from bytes in a table; decoded once and kept in the cache."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from typing_extensions import TypedDict

from backprop_cli.data.arrays import Array
from backprop_cli.data.cache import Entry
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.paths import reading
from backprop_cli.data.progress import report
from backprop_cli.data.stamps import stamp
from backprop_cli.errors import DataError
from backprop_cli.untrusted.documents import Document, lasting
from backprop_cli.untrusted.limits import swollen, unpacked

_REPORT_EVERY = 100
_CHANNELS = 3  # bytes a pixel
_NAMED = 5  # damaged pictures that a message names
SMALLER = "set a smaller dataset.size, or put them into folders train and test, which are read from disk"
_GREY = {"1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F"}


@dataclass(frozen=True)
class Packed:
    """A picture that is no file of its own."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


Picture = Path | Packed


class DamagedPictureError(DataError):
    """A picture that cannot be decoded."""


@lasting
class _About(TypedDict):
    """What is kept beside decoded pictures."""

    color: Literal["grey", "rgb"]
    lost: dict[str, dict[str, str]]  # of each split, the places of damaged ones, and what is wrong with them


ABOUT = Document[_About](_About)


def color_of(files: Sequence[Picture]) -> str:
    """grey if every picture is, rgb otherwise."""
    for file in files:
        with _opened(file) as image:
            if image.mode not in _GREY:
                return "rgb"
    return "grey"


@dataclass
class Decoded:
    """The pictures of each split as bytes (N, H, W, C), without the `lost` ones, and their colour."""

    arrays: dict[str, Array]
    color: Literal["grey", "rgb"]
    lost: dict[str, dict[int, str]]

    def kept(self, split: str, count: int) -> Array:
        """The places of those of `count` pictures that are there."""
        return np.array([i for i in range(count) if i not in self.lost[split]], np.int64)

    def notes(self, files: Mapping[str, Sequence[Picture]]) -> list[str]:
        """What was left out."""
        said = [what for split in files for what in self.lost[split].values()]
        return [f"left out, as corrupt: skip says: {_listed(said)}"] if said else []


def decoded(
    name: str,
    files: Mapping[str, Sequence[Picture]],
    sources: Sequence[Path],
    *,
    color: str | None,
    size: Sequence[int] | None,
    corrupt: str,
    key: Any,
) -> Decoded:
    """The pictures of each split: decoded once, memory-mapped ever after. `sources` are all files that they come from,
    `key` what tells these pictures from others. Raises DataError: that names every damaged one, unless `corrupt` is
    skip."""
    entry = Entry("images", name, {"images": [key, color, size, corrupt]}, ABOUT)
    wanted: tuple[int, int] | None = (size[0], size[1]) if size else None

    def fill() -> None:
        stamps, lost = stamp(sources), {split: dict[int, str]() for split in files}
        if corrupt == "skip":
            lost = {split: _damaged(own) for split, own in files.items()}
        sound = {split: [file for i, file in enumerate(own) if i not in lost[split]] for split, own in files.items()}
        empty = next((split for split, own in sound.items() if not own), None)
        if empty is not None:
            raise DataError(f"split {empty}: no picture can be decoded: {_listed([*lost[empty].values()])}")
        try:
            common = color or color_of([file for own in sound.values() for file in own])
            with entry.write() as writer:
                shape = wanted
                for split, own in sound.items():
                    pictures = _pictures(own, common, shape, wanted is not None)
                    first = next(pictures)
                    shape = first.shape[0], first.shape[1]
                    with writer.array(split, len(own), first.shape, first.dtype) as append:
                        append(first[None])
                        for picture in pictures:
                            append(picture[None])
                told = {split: {str(i): what for i, what in own.items()} for split, own in lost.items()}
                writer.commit({"color": common, "lost": told}, stamps)
        except DamagedPictureError:
            wrong = [what for own in sound.values() for what in _damaged(own).values()]
            raise DamagedPictureError(f"{_listed(wrong)}; remove or replace, or set dataset.corrupt: skip") from None

    about, arrays = entry.filled(fill, sources)
    return Decoded(
        arrays,
        about["color"],
        {split: {int(i): what for i, what in own.items()} for split, own in about["lost"].items()},
    )


def _damaged(files: Sequence[Picture]) -> dict[int, str]:
    """The places of pictures that cannot be decoded, and what is wrong with them."""
    faults = {}
    for i, file in enumerate(files):
        try:
            with _opened(file) as image:
                image.load()
        except DamagedPictureError as error:
            faults[i] = str(error)
    return faults


def _listed(said: Sequence[str]) -> str:
    return "\n".join([*said[:_NAMED], *([f"and {len(said) - _NAMED:,} more"] if len(said) > _NAMED else [])])


def read_images(files: Sequence[Picture], color: str, size: tuple[int, int], resize: bool) -> Array:
    """Images for a trained network as (N, H, W, 1 or 3) bytes, resized if training did so. Raises DataError for another
    size."""
    pictures = _pictures(files, color, size, resize, trained=True)
    first = next(pictures)
    check_room(len(files) * first.nbytes, f"{len(files)} images", SMALLER)
    pixels = np.empty((len(files), *first.shape), np.uint8)
    pixels[0] = first
    for i, picture in enumerate(pictures, 1):
        pixels[i] = picture
    return pixels


def _pictures(
    files: Sequence[Picture], color: str, size: tuple[int, int] | None, resize: bool, trained: bool = False
) -> Iterator[Array]:
    """One image after the other, (H, W, 1 or 3)."""
    from PIL import Image

    for i, file in enumerate(files):
        with _opened(file) as image:
            picture = _converted(image, color)
            if resize and size is not None:
                picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            shape = picture.height, picture.width
            if size is not None and shape != size:
                other, remedy = (
                    ("the network was trained on", "resize it, or train with")
                    if trained
                    else ("the images before it", "set")
                )
                raise DataError(
                    f"{file}: {shape[0]} × {shape[1]} pixels, {other} {size[0]} × {size[1]}; "
                    f"{remedy} dataset.size: [{size[0]}, {size[1]}] to resize all"
                )
            size = shape
            pixels = np.asarray(picture).reshape(*size, 1 if color == "grey" else 3)
        yield pixels
        if i % _REPORT_EVERY == 0:
            report("reading images", i, len(files))


def _converted(image: Any, color: str) -> Any:
    """Upright, as its EXIF data say, in 8 bits, grey or RGB; what can be seen through, on white."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and floats, which Pillow would clip at 255
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode != "F" else max(1.0, values.max())
        image = Image.fromarray((values * (255.0 / top)).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if color == "grey" else "RGB")


@contextmanager
def _opened(file: Picture) -> Iterator[Any]:
    """A picture that is not decoded yet, and has no more pixels than a file of its size may. Raises DataError."""
    from PIL import Image, UnidentifiedImageError

    with nullcontext() if isinstance(file, Packed) else reading(file):
        pillows, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # it knows no size of the file
        try:
            size = len(file.data) if isinstance(file, Packed) else file.stat().st_size
            with Image.open(io.BytesIO(file.data) if isinstance(file, Packed) else file) as image:
                needed = image.width * image.height * _CHANNELS
                if needed > unpacked(size):
                    raise DataError(f"{file}: {image.height} × {image.width} pixels, {swollen(size, needed)}")
                yield image
        except UnidentifiedImageError as error:
            raise DamagedPictureError(f"{file}: not an image, or a damaged one") from error
        except (SyntaxError, ValueError) as error:
            raise DamagedPictureError(f"{file}: cannot be decoded: {error}") from error
        except OSError as error:  # Pillow's own has no number: a picture that ends too early
            if error.errno is not None:
                raise
            raise DamagedPictureError(f"{file}: cannot be decoded: {error}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = pillows
