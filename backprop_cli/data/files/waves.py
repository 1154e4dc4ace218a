"""Sounds in WAV files: uncompressed samples, as whole numbers of 8 to 32 bits or as floats.

The standard library's `wave` refuses floats, and before Python 3.12 the header of more than 16 bits. The format is
that of Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), and
WAVEFORMATEXTENSIBLE after it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.media import DamagedFileError, Medium, Packed
from backprop_cli.data.files.paths import reading

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHERS = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "ADPCM", 49: "GSM", 85: "MP3", 255: "AAC"}
_UNKNOWN_LENGTH = 0xFFFFFFFF  # of data that were written to a pipe


@dataclass(frozen=True)
class Header:
    """What a WAV file says of its samples."""

    rate: int  # samples a second (Hz)
    channels: int
    frames: int  # samples of each channel
    bits: int  # of one sample
    floats: bool
    start: int  # byte of the file at which samples start

    @property
    def seconds(self) -> float:
        """The length of the sound in seconds."""
        return self.frames / self.rate


def header(file: Medium) -> Header:
    """The header of a WAV file. Raises DamagedFileError for what is none, is compressed, or ends too early."""
    with _stream(file) as stream:
        return _header(stream, file)


def counted(channels: int) -> str:
    """`1 channel`, `2 channels`."""
    return f"{channels} channel{'s' * (channels != 1)}"


def samples(file: Medium, frames: int | None = None) -> Array:
    """The first `frames` samples, or all, as float32 (frames, channels): whole numbers of b bits divided by 2^(b−1), so
    that they are in [−1, 1); floats as they are. Raises DamagedFileError."""
    with _stream(file) as stream:
        head = _header(stream, file)
        stream.seek(head.start)
        count = (head.frames if frames is None else min(frames, head.frames)) * head.channels
        data = stream.read(count * head.bits // 8)
    if len(data) < count * head.bits // 8:
        raise DamagedFileError(f"{file}: ends within its samples")
    return _numbers(data, head, file).reshape(-1, head.channels)


def _numbers(data: bytes, head: Header, file: Medium) -> Array:
    if head.floats:
        values = np.frombuffer(data, f"<f{head.bits // 8}")
        if not np.isfinite(values).all():
            raise DamagedFileError(f"{file}: holds a sample that is no finite number")
        return values.astype(np.float32)
    if head.bits == 8:  # the only size without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if head.bits == 24:  # as the upper three bytes of four
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") / 2.0**31).astype(np.float32)
    return (np.frombuffer(data, f"<i{head.bits // 8}") / 2.0 ** (head.bits - 1)).astype(np.float32)


@contextmanager
def _stream(file: Medium) -> Iterator[IO[bytes]]:
    if isinstance(file, Packed):
        yield io.BytesIO(file.data)
        return
    with reading(file), file.open("rb") as stream:
        yield stream


def _header(stream: IO[bytes], file: Medium) -> Header:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise DamagedFileError(f"{file}: not a WAV file, or a damaged one")
    form: tuple[int, int, int, int, int, int] | None = None
    while len(chunk := stream.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        at = stream.tell()
        if name == b"fmt ":
            text = stream.read(min(length, 40))
            if len(text) < 16:
                break
            form = struct.unpack("<HHIIHH", text[:16])
            if form[0] == _EXTENSIBLE and len(text) >= 26:
                form = (struct.unpack("<H", text[24:26])[0], *form[1:])
        elif name == b"data":
            return _checked(form, at, size - at if length == _UNKNOWN_LENGTH else length, size, file)
        stream.seek(at + length + length % 2)
    raise DamagedFileError(f"{file}: a WAV file without samples, or a damaged one")


def _checked(form: tuple[int, ...] | None, start: int, length: int, size: int, file: Medium) -> Header:
    """The header, of which nothing is taken on trust."""
    if form is None:
        raise DamagedFileError(f"{file}: samples come before what they are; a damaged WAV file")
    kind, channels, rate, _, frame, bits = form
    sizes = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}.get(kind)
    if sizes is None:
        raise DamagedFileError(
            f"{file}: compressed, as {_OTHERS.get(kind, f'format {kind}')}; save it as PCM, which is not"
        )
    if bits not in sizes:
        expected = ", ".join(map(str, sizes))
        raise DamagedFileError(f"{file}: samples of {bits} bits; expected one of {expected}; save it again")
    if not channels or not rate or frame != channels * bits // 8:
        raise DamagedFileError(f"{file}: {counted(channels)} at {rate} Hz in {frame} bytes; a damaged WAV file")
    if start + length > size:
        raise DamagedFileError(f"{file}: ends after {size - start:,} of {length:,} bytes of samples")
    if length < frame:
        raise DamagedFileError(f"{file}: no samples")
    return Header(rate, channels, length // frame, bits, kind == _FLOAT, start)
