"""Pictures and sounds as arrays: from files, or from bytes in a table; decoded once and kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Literal, NotRequired, Protocol

import numpy as np
from typing_extensions import TypedDict

from backprop_cli.data.arrays import Array
from backprop_cli.data.cache import Entry
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.stamps import stamp
from backprop_cli.errors import DataError
from backprop_cli.untrusted.documents import Document, Whole, lasting

_NAMED = 5  # damaged files that a message names


@dataclass(frozen=True)
class Packed:
    """A picture or sound that is no file of its own."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


Medium = Path | Packed


class DamagedFileError(DataError):
    """A picture or sound that cannot be decoded."""


@lasting
class _About(TypedDict):
    """What is kept beside decoded files."""

    color: NotRequired[Literal["grey", "rgb"]]
    rate: NotRequired[Whole]
    lost: dict[str, dict[str, str]]  # of each split, the places of damaged files, and what is wrong with them
    said: list[str]  # what was cut, filled or converted


ABOUT = Document[_About](_About)


class Reader(Protocol):
    """How files of one kind become arrays of one shape; see `Pictures` and `Sounds`."""

    kind: ClassVar[str]  # images or sounds
    smaller: ClassVar[str]  # what to do where they take too much memory

    def key(self) -> list[Any]:
        """All that decides what a file becomes."""

    def settled(self, files: Sequence[Medium], said: list[str]) -> Reader:
        """Itself, with what is left open as the files have it; adds to `said` what will be changed in them. Raises
        DamagedFileError; DataError where they differ in what has to be the same."""

    def kept(self) -> dict[str, Any]:
        """What was settled, to be kept beside the arrays."""

    def as_kept(self, about: Mapping[str, Any], shape: tuple[int, ...]) -> Reader:
        """The settled reader again, from what was kept and the shape of an array."""

    def schema(self, shape: tuple[int, ...], **listed: Any) -> dict[str, Any]:
        """What a model has to know, as an argument of `Dataset` and `Schema`."""

    def arrays(self, files: Sequence[Medium]) -> Iterator[Array]:
        """One array after the other, all of one shape. Raises DamagedFileError, DataError."""

    def check(self, file: Medium) -> None:
        """Raise DamagedFileError for a file that cannot be decoded, DataError for one that cannot be opened."""


@dataclass
class Decoded:
    """The files of each split as one array (N, …), without the `lost` ones, and how they were read."""

    arrays: dict[str, Array]
    reader: Reader
    lost: dict[str, dict[int, str]]
    said: list[str]

    def kept(self, split: str, count: int) -> Array:
        """The places, int64 (n,), of those of `count` files that are there."""
        return np.array([i for i in range(count) if i not in self.lost[split]], np.int64)

    def notes(self) -> list[str]:
        """What was left out and changed."""
        return [*left_out([what for own in self.lost.values() for what in own.values()]), *self.said]


def left_out(wrong: Sequence[str]) -> list[str]:
    """That damaged files are left out: a note, or none."""
    return [f"left out, as corrupt: skip says: {_listed(wrong)}"] if wrong else []


def decoded(
    name: str, files: Mapping[str, Sequence[Medium]], sources: Sequence[Path], *, reader: Reader, corrupt: str, key: Any
) -> Decoded:
    """The files of each split: decoded once, memory-mapped ever after. `sources` are all files on the disk that they
    come from, `key` what tells these from others. Raises DataError: that names every damaged one, unless `corrupt` is
    skip."""
    entry = Entry(reader.kind, name, {reader.kind: [key, *reader.key(), corrupt]}, ABOUT)

    def fill() -> None:
        stamps, lost = stamp(sources), {split: dict[int, str]() for split in files}
        if corrupt == "skip":
            lost = {split: damaged(own, reader) for split, own in files.items()}
        sound = {split: [file for i, file in enumerate(own) if i not in lost[split]] for split, own in files.items()}
        empty = next((split for split, own in sound.items() if not own), None)
        if empty is not None:
            raise DataError(f"split {empty}: no file can be decoded: {_listed([*lost[empty].values()])}")
        try:
            said: list[str] = []
            settled = reader.settled([file for own in sound.values() for file in own], said)
            every = settled.arrays([file for own in sound.values() for file in own])
            first = next(every)
            arrays = chain([first], every)
            with entry.write() as writer:
                for split, own in sound.items():
                    with writer.array(split, len(own), first.shape, first.dtype) as append:
                        for array in islice(arrays, len(own)):
                            append(array[None])
                told = {split: {str(i): what for i, what in own.items()} for split, own in lost.items()}
                writer.commit({**settled.kept(), "lost": told, "said": said}, stamps)
        except DamagedFileError:
            wrong = [what for own in sound.values() for what in damaged(own, reader).values()]
            raise DamagedFileError(f"{_listed(wrong)}; remove or replace, or set dataset.corrupt: skip") from None

    about, arrays = entry.filled(fill, sources)
    lost = {split: {int(i): what for i, what in own.items()} for split, own in about["lost"].items()}
    shape = next(iter(arrays.values())).shape[1:]
    return Decoded(arrays, reader.as_kept(about, shape), lost, about["said"])


def damaged(files: Sequence[Medium], reader: Reader) -> dict[int, str]:
    """The places of files that cannot be decoded, and what is wrong with them. Raises DataError as `Reader.check`."""
    faults = {}
    for i, file in enumerate(files):
        try:
            reader.check(file)
        except DamagedFileError as error:
            faults[i] = str(error)
    return faults


def read_trained(files: Sequence[Medium], reader: Reader, corrupt: str) -> tuple[Array, list[int], list[str]]:
    """Files for a trained network, (N, …), the places of those that are there, and what is to be said of the others
    and of what was changed. Raises DataError."""
    lost = damaged(files, reader) if corrupt == "skip" else {}
    places = [i for i in range(len(files)) if i not in lost]
    sound = [files[i] for i in places]
    if not sound:
        raise DataError(f"no file can be decoded: {_listed([*lost.values()])}")
    said: list[str] = []
    try:
        arrays = reader.settled(sound, said).arrays(sound)
        first = next(arrays)
    except DamagedFileError:
        raise DamagedFileError(_listed([*damaged(sound, reader).values()])) from None
    check_room(len(sound) * first.nbytes, f"{len(sound)} {reader.kind}", reader.smaller)
    x = np.empty((len(sound), *first.shape), first.dtype)
    x[0] = first
    for i, array in enumerate(arrays, 1):
        x[i] = array
    return x, places, [*left_out([*lost.values()]), *said]


def _listed(said: Sequence[str]) -> str:
    return "\n".join([*said[:_NAMED], *([f"and {len(said) - _NAMED:,} more"] if len(said) > _NAMED else [])])
