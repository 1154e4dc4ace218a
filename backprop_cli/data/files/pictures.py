"""Pictures as arrays of bytes: upright, in one size, grey or RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.media import DamagedFileError, Medium, Packed
from backprop_cli.data.files.paths import reading
from backprop_cli.data.progress import report
from backprop_cli.data.schema import Images
from backprop_cli.errors import DataError
from backprop_cli.untrusted.limits import swollen, unpacked

_REPORT_EVERY = 100
_CHANNELS = 3  # bytes a pixel
_GREY = {"1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F"}


@dataclass(frozen=True)
class Pictures:
    """How pictures become arrays (height, width, 1 or 3) of bytes. An open `color` is grey if every picture is, else
    rgb; without `resize`, all have to be of one size, and of `size` where it is given."""

    kind: ClassVar[str] = "images"
    smaller: ClassVar[str] = (
        "set a smaller dataset.size, or put them into folders train and test, which are read from disk"
    )

    color: Any = None  # grey or rgb
    size: tuple[int, int] | None = None  # height, width
    resize: bool = False
    trained: bool = False  # whether a network was trained on such pictures, for messages

    def key(self) -> list[Any]:
        """The options that decide what a file becomes: color, and [height, width] in pixels."""
        return [self.color, self.size and [*self.size]]

    def settled(self, files: Sequence[Medium], said: list[str]) -> Pictures:
        """The reader with an open `color` taken from the files. Raises DamagedFileError, DataError."""
        return replace(self, color=self.color or color_of(files))

    def kept(self) -> dict[str, Any]:
        """The color, to be kept beside the arrays."""
        return {"color": self.color}

    def as_kept(self, about: Mapping[str, Any], shape: tuple[int, ...]) -> Pictures:
        """The reader with the color that `kept` gave, and the size of an array of shape (height, width, channels)."""
        return replace(self, color=about["color"], size=(shape[0], shape[1]))

    def schema(self, shape: tuple[int, ...], **listed: Any) -> dict[str, Any]:
        """The argument `images` of `Dataset` for arrays (height, width, channels); `listed` are fields of `Listed`."""
        return {"images": Images(color=self.color, size=(shape[0], shape[1]), resize=self.resize, **listed)}

    def check(self, file: Medium) -> None:
        """Raise DamagedFileError for a picture that cannot be decoded, DataError for one that unpacks to too much."""
        with _opened(file) as image:
            image.load()

    def arrays(self, files: Sequence[Medium]) -> Iterator[Array]:
        """A uint8 array (height, width, 1 or 3) a picture, all of one shape. Raises DamagedFileError, DataError."""
        from PIL import Image

        size = self.size
        for i, file in enumerate(files):
            with _opened(file) as image:
                picture = _converted(image, self.color)
                if self.resize and size is not None:
                    picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
                shape = picture.height, picture.width
                if size is not None and shape != size:
                    other, remedy = (
                        ("the network was trained on", "resize it, or train with")
                        if self.trained
                        else ("the images before it", "set")
                    )
                    raise DataError(
                        f"{file}: {shape[0]} × {shape[1]} pixels, {other} {size[0]} × {size[1]}; "
                        f"{remedy} dataset.size: [{size[0]}, {size[1]}] to resize all"
                    )
                size = shape
                pixels = np.asarray(picture).reshape(*size, 1 if self.color == "grey" else 3)
            yield pixels
            if i % _REPORT_EVERY == 0:
                report("reading images", i, len(files))


def color_of(files: Sequence[Medium]) -> str:
    """grey if every picture is, rgb otherwise. Raises DamagedFileError."""
    for file in files:
        with _opened(file) as image:
            if image.mode not in _GREY:
                return "rgb"
    return "grey"


def size_and_mode(file: Medium) -> tuple[int, int, str]:
    """Height and width in pixels, and Pillow's name of the colours. Raises DamagedFileError."""
    with _opened(file) as image:
        return image.height, image.width, image.mode


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
def _opened(file: Medium) -> Iterator[Any]:
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
            raise DamagedFileError(f"{file}: not an image, or a damaged one") from error
        except (SyntaxError, ValueError) as error:
            raise DamagedFileError(f"{file}: cannot be decoded: {error}") from error
        except OSError as error:  # Pillow's own has no number: a picture that ends too early
            if error.errno is not None:
                raise
            raise DamagedFileError(f"{file}: cannot be decoded: {error}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = pillows
