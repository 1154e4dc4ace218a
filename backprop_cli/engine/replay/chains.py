"""Finds kernels of a step that can follow each other image by image, as src/chain.c runs them.

What one of them writes of an image, such as the output of a convolution, the next one then reads while it is still in
the processor's cache. Kernels stay as they are, and leave the same bits: see `_apart` for what may not be joined.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from types import MappingProxyType
from typing import Any

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels import SHARES
from backprop_cli.engine.replay.program import LINKS, Chain, Kind, Operation, address, library

CACHE = 1 << 18  # bytes of the images that go through a chain at once
LEAST = 1 << 18  # bytes of all images that are worth several threads

#: what each argument is to a kernel. i: images, each read and written by itself; r: read as a whole; s: written as a
#: whole, as sums and scratch memory are; -: not used by compiled kernels
ROLES = MappingProxyType(
    {
        "add": "iii",
        "copy": "ii",
        "relu": "ii",
        "relu_gradient": "iii-",
        "add_channels": "ir-",
        "add_channels_relu": "ir-",
        "channels_relu_gradient": "iiss-",
        "batch_norm": "iirrr-",
        "batch_norm_gradient": "iiirrrss-s-",
        "convolve": "iriss--",
        "kernel_gradient": "iis-ss--",
        "input_gradient": "iris---",
        "max_pool": "i-i--",
        "max_pool_gradient": "i-iii----",
        "avg_pool": "i-ir--",
        "avg_pool_gradient": "ii-r--",
    }
)
FIRST = ("batch_norm_gradient",)  # it sums over all images before it goes through them
BATCH = MappingProxyType({"input_gradient": 2})  # the argument that has an image a row, where it is not the first


@dataclass(frozen=True)
class Part:
    """Memory that a kernel uses: `role` as above, and for images the bytes from one to the next."""

    role: str
    start: int
    end: int
    step: int = 0


@dataclass(frozen=True)
class Linked:
    """A call that can be part of a chain."""

    name: str
    images: int
    at_once: int
    link: int
    call: int
    parts: tuple[Part, ...]


def linked(name: str, arguments: Sequence[Any], call: Any) -> Linked | None:
    """What a chain has to know of a recorded call; None where it cannot be part of one."""
    if name not in ROLES:
        return None
    link = ctypes.c_void_p()
    at_once = library().bp_link(ctypes.addressof(call), ctypes.byref(link))
    images = len(arguments[BATCH.get(name, 0)])
    parts = tuple(_parts(zip(ROLES[name], arguments, strict=True), images))
    if not at_once or not images or any(part.role == "i" and part.step <= 0 for part in parts):
        return None
    return Linked(name, images, at_once, link.value or 0, ctypes.addressof(call), parts)


def _parts(arguments: Iterator[tuple[str, Any]], images: int) -> Iterator[Part]:
    for role, array in arguments:
        if role == "-" or array is None or not array.size:
            continue
        low, high = _bounds(array)
        yield Part(role, low, high, _step(array, images) if role == "i" else 0)


def _step(array: Array, images: int) -> int:
    """Bytes from one image to the next; 0 where images are not one after the other."""
    rows, rest = divmod(len(array), images)
    return 0 if rest or address(array) != _bounds(array)[0] else rows * array.strides[0]


def _bounds(array: Array) -> tuple[int, int]:
    """The addresses of the first byte and after the last."""
    reach = [(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True)]
    start = address(array)
    return start + sum(min(0, step) for step in reach), start + sum(max(0, step) for step in reach) + array.itemsize


def _apart(a: Linked, b: Linked) -> bool:
    """Whether b may do its part of an image before a has done its part of the images after it: whatever memory they
    share, both read it, or both have each image at the same place."""
    for one in a.parts:
        for other in b.parts:
            shared = one.start < other.end and other.start < one.end
            read = one.role == other.role == "r"
            same = one.role == other.role == "i" and (one.start, one.step) == (other.start, other.step)
            if shared and not read and not same:
                return False
    return True


def join(
    operations: Sequence[Operation], cuts: Collection[int], calls: Mapping[int, Linked]
) -> tuple[list[Operation], list[Any]]:
    """The same operations, the first of each chain in place of it and nothing in place of the others; and what they
    point to. No chain goes over one of the places `cuts`."""
    joined, keep = list(operations), list[Any]()
    for at, run in _runs(operations, cuts, calls):
        for first, last in _cut(run):
            made = _chain(run[first:last])
            if made is not None:
                keep.append(made)
                joined[at + first] = Operation(Kind.CHAIN, None, ctypes.addressof(made), None)
                joined[at + first + 1 : at + last] = [Operation(Kind.NOTHING)] * (last - first - 1)
    return joined, keep


def _runs(
    operations: Sequence[Operation], cuts: Collection[int], calls: Mapping[int, Linked]
) -> Iterator[tuple[int, list[Linked]]]:
    """(place of the first, calls) of what comes without anything between, and has as many images."""
    run: list[Linked] = []
    for at, operation in enumerate(operations):
        call = calls.get(operation.a) if operation.kind == Kind.KERNEL else None
        if run and (at in cuts or call is None or call.images != run[0].images):
            yield at - len(run), run
            run = []
        if call is not None:
            run.append(call)
    if run:
        yield len(operations) - len(run), run


def _cut(run: Sequence[Linked]) -> list[tuple[int, int]]:
    """(first, last + 1) of each chain, so that they find as many bytes as possible in the cache, and the last ones are
    long where that is the same."""
    best: list[tuple[int, int, list[tuple[int, int]]]] = [(0, 0, [])]
    for end in range(1, len(run) + 1):
        choices = []
        for first in range(end - 1, max(-1, end - 1 - LINKS), -1):
            later = run[first + 1 : end]
            if any(other.name in FIRST or not _apart(run[first], other) for other in later):
                break
            bytes_, _, before = best[first]
            choices.append((bytes_ + _found(run[first:end]), end - first, [*before, (first, end)]))
        best.append(max(choices))
    return best[-1][2]


def _found(chain: Sequence[Linked]) -> int:
    """Bytes of each image that a chain uses more than once."""
    steps = [(part.start, part.step) for call in chain for part in call.parts if part.role == "i"]
    return sum(step for _, step in steps) - sum(dict(steps).values())


def _chain(calls: Sequence[Linked]) -> Chain | None:
    """None where it would gain nothing."""
    images = calls[0].images
    steps = {part.start: part.step for call in calls for part in call.parts if part.role == "i"}
    numbers = sum(steps.values())
    if len(calls) == 1 or numbers * images < LEAST:
        return None
    together = lcm(*(call.at_once for call in calls))
    block = min(max(together, CACHE // numbers // together * together), -(-images // SHARES))
    chain = Chain(len(calls), images, block)
    for number, call in enumerate(calls):
        chain.calls[number], chain.links[number] = call.call, call.link
    return chain
