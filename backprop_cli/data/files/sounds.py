"""Sounds as arrays of samples: at one rate, of one length, with the same channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.media import Medium, Packed
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.waves import Header, counted, header, samples
from backprop_cli.data.progress import report
from backprop_cli.data.schema import Sounds as Settled
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import swollen, unpacked

_REPORT_EVERY = 100
_SAMPLE = 4  # bytes of a float32


@dataclass(frozen=True)
class Sounds:
    """How sounds become arrays (samples, channels) of float32. What is None is as the files have it, who then must
    agree; `converts` says of what else files are converted: rate, seconds, channels."""

    kind: ClassVar[str] = "sounds"
    smaller: ClassVar[str] = (
        "set a shorter dataset.duration or a lower dataset.sample_rate, or put them into folders train and test, which "
        "are read from disk"
    )

    rate: int | None = None  # Hz
    seconds: float | None = None
    channels: int | None = None
    converts: tuple[str, ...] = ()
    trained: bool = False  # whether a network was trained on such sounds, for messages

    def key(self) -> list[Any]:
        """The options that decide what a file becomes: rate (Hz), seconds, channels, and what is converted."""
        return [self.rate, self.seconds, self.channels, *self.converts]

    def settled(self, files: Sequence[Medium], said: list[str]) -> Sounds:
        """The reader with an open rate, length or channels taken from the files; `said` gets what will be converted.

        Raises DamagedFileError; DataError where files differ in what is not converted; OptionError for no length.
        """
        heads = [header(file) for file in files]
        rate = self.rate or Counter(head.rate for head in heads).most_common(1)[0][0]
        channels = self.channels or Counter(head.channels for head in heads).most_common(1)[0][0]
        most = max(_resampled(head, rate) for head in heads)
        length = round(self.seconds * rate) if self.seconds is not None else most
        wrong = []
        for what, own, wanted, option in (
            ("rate", [head.rate for head in heads], rate, f"sample_rate: {rate} to resample all"),
            ("channels", [head.channels for head in heads], channels, "channels: 1 to average them"),
            (
                "seconds",
                [_resampled(head, rate) for head in heads],
                length,
                f"duration: {most / rate:g} to fill shorter ones with silence, or less to cut longer ones",
            ),
        ):
            others = [i for i, value in enumerate(own) if value != wanted]
            if others and what not in self.converts:
                wrong.append(self._other(what, files[others[0]], own[others[0]], wanted, len(others), option, rate))
            elif others:
                said.extend(_changes(what, own, wanted, heads, rate))
        if wrong:
            raise DataError("\n".join(wrong))
        for file, head in zip(files, heads, strict=True):
            if head.channels not in (1, channels) and channels != 1:
                raise DataError(f"{file}: {counted(head.channels)}, which do not become {channels}; set channels: 1")
            needed = _SAMPLE * head.channels * min(_resampled(head, rate), max(length, 1) + rate)
            if needed > unpacked(_size(file)):
                raise DataError(f"{file}: {head.seconds:g} s at {rate} Hz, {swollen(_size(file), needed)}")
        if length < 1:
            raise OptionError(f"dataset.duration: {self.seconds} is less than a sample at {rate} Hz; set a longer one")
        check_room(_SAMPLE * channels * length, f"a sound of {length / rate:g} s", self.smaller)
        return replace(self, rate=rate, channels=channels, seconds=length / rate)

    def _other(self, what: str, file: Medium, own: int, wanted: int, count: int, option: str, rate: int) -> str:
        """That files differ where they have to agree, and what to do."""
        has, others_have = (
            counted(value) if what == "channels" else f"{value} Hz" if what == "rate" else f"{value / rate:g} s"
            for value in (own, wanted)
        )
        more = f" ({count} sounds differ so)" if count > 1 else ""
        if self.trained:
            return (
                f"{file}: {has}, the network was trained on {others_have}{more}; convert it, or train with "
                f"dataset.{option}"
            )
        return f"{file}: {has}, other sounds have {others_have}{more}; set dataset.{option}"

    def kept(self) -> dict[str, Any]:
        """The rate (Hz), to be kept beside the arrays."""
        return {"rate": self.rate}

    def as_kept(self, about: Mapping[str, Any], shape: tuple[int, ...]) -> Sounds:
        """The reader with the rate that `kept` gave, and the length and channels of an array (samples, channels)."""
        return replace(self, rate=about["rate"], seconds=shape[0] / about["rate"], channels=shape[1])

    def schema(self, shape: tuple[int, ...], **listed: Any) -> dict[str, Any]:
        """The argument `sounds` of `Dataset`; `listed` are fields of `Listed`."""
        known = {"rate": self.rate, "seconds": self.seconds, "channels": self.channels, "converts": [*self.converts]}
        return {"sounds": Settled.model_validate(known | listed)}

    def check(self, file: Medium) -> None:
        """Raise DamagedFileError for a sound that cannot be decoded, DataError for a file that cannot be opened."""
        samples(file)

    def arrays(self, files: Sequence[Medium]) -> Iterator[Array]:
        """A float32 array (samples, channels) for each sound, all of one shape. Raises DamagedFileError, DataError."""
        assert self.rate is not None and self.channels is not None and self.seconds is not None  # they are settled
        length = round(self.seconds * self.rate)
        for i, file in enumerate(files):
            head = header(file)
            own = -(-length * head.rate // self.rate) + head.rate  # a second more than is kept, so that no end is heard
            signal = resampled(samples(file, own if head.rate != self.rate else length), head.rate, self.rate)[:length]
            if signal.shape[1] > self.channels:
                signal = signal.mean(axis=1, keepdims=True)
            array = np.zeros((length, self.channels), np.float32)
            array[: len(signal)] = signal
            yield array
            if i % _REPORT_EVERY == 0:
                report("reading sounds", i, len(files))


def resampled(signal: Array, rate: int, wanted: int) -> Array:
    """A signal (T, channels) at another rate, (round(T · wanted / rate), channels).

    By Fourier's method, as scipy.signal.resample: the spectrum is cut, or filled with zeros, at half of the lower
    rate, so that nothing is folded into lower frequencies (Shannon 1949). The signal counts as periodic, so a jump
    between its ends is heard at both of them.
    """
    if rate == wanted:
        return signal
    frames, new = len(signal), max(1, round(len(signal) * wanted / rate))
    spectrum = np.fft.rfft(signal, axis=0)
    few = min(frames, new)
    kept = np.zeros((new // 2 + 1, signal.shape[1]), spectrum.dtype)
    kept[: few // 2 + 1] = spectrum[: few // 2 + 1]
    if few % 2 == 0 and frames != new:  # the highest frequency stands for both of its halves
        kept[few // 2] *= 2 if new < frames else 0.5
    return (np.fft.irfft(kept, new, axis=0) * (new / frames)).astype(np.float32)


def _resampled(head: Header, rate: int) -> int:
    return max(1, round(head.frames * rate / head.rate))


def _size(file: Medium) -> int:
    return len(file.data) if isinstance(file, Packed) else file.stat().st_size


def _changes(what: str, own: Sequence[int], wanted: int, heads: Sequence[Header], rate: int) -> Iterator[str]:
    """What is done to files that differ."""
    count = sum(value != wanted for value in own)
    if what == "rate":
        yield f"resampled {count} of {len(own)} sounds to {rate} Hz"
    elif what == "channels":
        yield f"{count} of {len(own)} sounds become {wanted} channel{'s' * (wanted > 1)}"
    else:
        longer = sum(value > wanted for value in own)
        if longer:
            yield f"cut {longer} of {len(own)} sounds at {wanted / rate:g} s"
        if count > longer:
            yield f"filled {count - longer} of {len(own)} sounds with silence up to {wanted / rate:g} s"
