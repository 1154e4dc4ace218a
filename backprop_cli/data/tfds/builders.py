"""TFDS's own builders of the MNIST and CIFAR families, prepared without TensorFlow.

Only how the raw files are read is replaced (TFDS's extractor and readers need TensorFlow). URLs,
checksums, versions, features, keys and folders stay those of TFDS, so what is prepared here is
what TFDS itself would have prepared.
"""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import cifar, mnist

from backprop_cli.data.arrays import Array
from backprop_cli.data.idx import parse_idx, read_idx
from backprop_cli.data.progress import report
from backprop_cli.errors import DataError

Examples = Iterator[tuple[int, dict[str, Any]]]
_MNIST_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def png(pixels: Array) -> bytes:
    """An image (H, W, 1 or 3) of uint8 as PNG bytes, which TFDS stores as they are.

    Rows unfiltered, zlib level 1: four times as fast as Pillow. ISO/IEC 15948.
    """
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows.tobytes(), 1), b"IEND": b""}
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks.items():
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


def idx_examples(task: str, images: Array, labels: Array) -> Examples:
    """The records of images (N, 28, 28) uint8 with labels (N,), numbered as in TFDS. Raises DataError."""
    if len(images) != len(labels):
        raise DataError(f"{task}: {len(images)} images but {len(labels)} labels; the raw files do not match")
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        if index % 1000 == 0:
            report(task, index, len(images))
        yield index, {"image": png(image.reshape(28, 28, 1)), "label": int(label)}


class Idx:
    """Reads the four gzipped IDX files that MNIST, Fashion-MNIST and KMNIST consist of."""

    URL: str
    name: str

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        urls = {split: [self.URL + file for file in files] for split, files in _MNIST_FILES.items()}
        files = dl_manager.download(urls)
        return {
            split: idx_examples(f"preparing {self.name} {split}", *(read_idx(Path(path)) for path in paths))
            for split, paths in files.items()
        }


class MNIST(Idx, mnist.MNIST, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """MNIST 3.0.1."""


class FashionMNIST(Idx, mnist.FashionMNIST, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """Fashion-MNIST 3.0.1."""


class KMNIST(Idx, mnist.KMNIST, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """Kuzushiji-MNIST 3.0.1."""


class Zip:
    """Reads the zip file of gzipped IDX files that EMNIST consists of."""

    URL: str
    name: str
    builder_config: Any

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        path = dl_manager.download(self.URL)
        counts = {"train": self.builder_config.train_examples, "test": self.builder_config.test_examples}
        return {split: self._examples(path, split, count) for split, count in counts.items()}

    def _examples(self, path: Any, split: str, count: int) -> Examples:
        arrays = []
        with zipfile.ZipFile(path) as archive:
            for kind in ("images-idx3", "labels-idx1"):
                member = f"gzip/emnist-{self.builder_config.name}-{split}-{kind}-ubyte.gz"
                arrays.append(parse_idx(archive.read(member), f"{path}/{member}")[:count])
        yield from idx_examples(f"preparing {self.name} {split}", *arrays)


class EMNIST(Zip, mnist.EMNIST, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """EMNIST 3.1.0; the configs are byclass (the default), bymerge, balanced, letters, digits and mnist."""


class Tar:
    """Reads the gzipped tar file of binary records that CIFAR-10 and CIFAR-100 consist of."""

    name: str
    info: Any
    _cifar_info: Any

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        about = self._cifar_info
        with tarfile.open(dl_manager.download(about.url)) as archive:

            def read(name: str) -> bytes:
                member = archive.extractfile(about.prefix + name)
                if member is None:
                    raise DataError(f"{self.name}: {about.prefix}{name} in the archive is no file")
                return member.read()

            for key, file in zip(about.label_keys, about.label_files, strict=True):
                self.info.features[key].names = [name for name in read(file).decode().split("\n") if name]
            raw = {
                "train": b"".join(map(read, about.train_files)),
                "test": b"".join(map(read, about.test_files)),
            }
        return {split: self._examples(split, data) for split, data in raw.items()}

    def _examples(self, split: str, data: bytes) -> Examples:
        """Records of one byte per label, then 3 × 32 × 32 bytes of red, green and blue."""
        keys = self._cifar_info.label_keys
        rows = np.frombuffer(data, np.uint8).reshape(-1, len(keys) + 3 * 32 * 32)
        for index, row in enumerate(rows):
            if index % 1000 == 0:
                report(f"preparing {self.name} {split}", index, len(rows))
            labels = {key: int(label) for key, label in zip(keys, row, strict=False)}
            image = np.ascontiguousarray(row[len(keys) :].reshape(3, 32, 32).transpose(1, 2, 0))
            yield index, {"id": f"{split}_{index:05d}", "image": png(image), **labels}


class Cifar10(Tar, cifar.Cifar10, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """CIFAR-10 3.0.2."""


class Cifar100(Tar, cifar.Cifar100, skip_registration=True):  # type: ignore[misc, call-arg]  # TFDS is untyped
    """CIFAR-100 3.0.2."""


BUILDERS: dict[str, type[tfds.core.GeneratorBasedBuilder]] = {
    builder.name: builder for builder in (MNIST, FashionMNIST, KMNIST, EMNIST, Cifar10, Cifar100)
}
