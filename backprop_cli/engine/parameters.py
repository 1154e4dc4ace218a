"""All parameters in one flat vector, their gradients in a second, non-trained state in a third.

Order in the vector: trained and decayed | trained | frozen. So an optimizer walks one slice, and
weight decay is a slice of that.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.constraints import Constraint
from backprop_cli.engine.initializers.base import InitializerBase
from backprop_cli.errors import BuildError, shortage

NOT_ASKED = -1  # as the number of rows that a batch has looked up: nobody follows them
ALIGN = 16  # numbers; every parameter starts at a whole cache line, which BLAS and SIMD loops like


@dataclass(frozen=True)
class Parameter:
    """One parameter of the network, under its full name `<node>.<parameter>`."""

    name: str
    shape: tuple[int, ...]
    initializer: InitializerBase
    decay: bool
    frozen: bool
    constraint: Constraint | None = None
    mask: Array | Literal["nonzero"] | None = None  # 0 and 1 in the parameter's shape; see `weight_mask` of layers


@dataclass(frozen=True)
class Table:
    """A parameter w (V, D) of which a batch looks up rows. Its gradient g is 0 in all others; `touched` lists them, see
    kernels/reference/embedding.py."""

    name: str
    w: Array
    g: Array
    touched: Array


class ParameterStore:
    """The flat vectors and the views into them.

    `parameters` are in the order of the entries given. `mask`, where there is one, is 0 at weights of
    `values[:trainable]` that are held at 0, and 1 at the others; whoever changes it calls `hold`.
    `values[:trainable]` is what an optimizer may change, `values[:decayed]` what decays. `summed`: gradients are sums
    over several passes. `tables` may be followed: of those that are, only rows that a batch has looked up change.
    """

    def __init__(self, entries: Sequence[Parameter], states: Mapping[str, tuple[tuple[int, ...], float]], dtype: Any):
        ordered = sorted(entries, key=lambda entry: (entry.frozen, not entry.decay))  # stable: node order within
        self.entries = {entry.name: entry for entry in ordered}
        self.spans: dict[str, slice] = {}
        end = 0
        self.decayed = self.trainable = 0
        for entry in ordered:
            size = math.prod(entry.shape)
            self.spans[entry.name] = slice(end, end + size)
            end = -(-(end + size) // ALIGN) * ALIGN
            if not entry.frozen:
                self.trainable = end
                if entry.decay:
                    self.decayed = end
        _check_memory(entries, np.dtype(dtype).itemsize)
        self.values = aligned_zeros(end, dtype)
        self.gradients = aligned_zeros(end, dtype)
        names = [entry.name for entry in entries]
        self.parameters = self._views(self.values, names)
        self.gradient_views = self._views(self.gradients, names)
        self.mask: Array | None = None
        if any(entry.mask is not None for entry in ordered):
            self.take_mask()
        self.tables: dict[str, Table] = {}
        self.summed = False
        self.follow(())
        self._constrained = [
            (entry.constraint, self.parameters[entry.name])
            for entry in ordered
            if entry.constraint is not None and not entry.frozen
        ]
        sizes = [math.prod(shape) for shape, _ in states.values()]
        self.state = np.zeros(sum(sizes), dtype)
        self.states: dict[str, Array] = {}
        start = 0
        for (name, (shape, value)), size in zip(states.items(), sizes, strict=True):
            self.states[name] = self.state[start : start + size].reshape(shape)
            self.states[name][...] = value
            start += size

    def table(self, name: str, gradient: Array, *, alone: bool) -> Array:
        """Memory for the list of the rows of a parameter that a batch looks up. `alone`: nothing else writes
        `gradient`, so that the list may be asked for."""
        w = self.parameters[name]
        touched = np.zeros((3, len(w) + 1), np.int64)
        touched[0, 0] = NOT_ASKED
        if alone:
            self.tables[name] = Table(name, w, gradient, touched)
        return touched

    def follow(self, names: Collection[str]) -> None:
        """From now on list the rows of these tables that a batch looks up, and no others'. Nothing else may write their
        gradients, which are 0 now."""
        self.followed = [self.tables[name] for name in names]
        for table in self.tables.values():
            table.touched[0, 0] = NOT_ASKED
        for table in self.followed:
            table.g[...] = 0
            table.touched[:, 0] = 0
        self.rest = [(self.values[span], self.gradients[span]) for span in self.around(names)]

    @contextmanager
    def written_whole(self) -> Iterator[None]:
        """Inside, gradients are written whole, and others may write them, too; then rows are followed as before."""
        names = [table.name for table in self.followed]
        self.follow(())
        try:
            yield
        finally:
            self.follow(names)

    def around(self, names: Iterable[str]) -> list[slice]:
        """The trained part of the vectors without these parameters."""
        spans, start = [], 0
        for span in sorted((self.spans[name] for name in names), key=lambda span: span.start):
            spans.append(slice(start, span.start))
            start = -(-span.stop // ALIGN) * ALIGN
        return [span for span in [*spans, slice(start, self.trainable)] if span.start < span.stop]

    def _views(self, vector: Array, names: Sequence[str]) -> dict[str, Array]:
        return {name: vector[self.spans[name]].reshape(self.entries[name].shape) for name in names}

    @property
    def count(self) -> int:
        """How many numbers are parameters, alignment gaps left out."""
        return self.count_of(self.entries)

    def count_of(self, names: Iterable[str]) -> int:
        """The same of some; weights that a given mask leaves out are none."""
        masks = {name: self.entries[name].mask for name in names}
        return sum(
            int(mask.sum()) if isinstance(mask, np.ndarray) else self.parameters[name].size
            for name, mask in masks.items()
        )

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw first values, in the order of the nodes, so that a frozen flag changes no other weight."""
        for name, view in self.parameters.items():
            self.entries[name].initializer.fill(view, rng)
        self.begin_mask()

    def take_mask(self) -> Array:
        """From now on hold weights at 0 by a mask, which the entries' own begin; the mask. To be called before an
        optimizer is bound, which saves it."""
        if self.mask is None:
            self.mask = np.ones_like(self.values[: self.trainable])
            self._held = self.values[: self.trainable], self.gradients[: self.trainable], self.mask
        return self.mask

    def begin_mask(self) -> None:
        """Let the mask, where there is one, be what the entries say, now that the first weights are there."""
        if self.mask is None:
            return
        for name, entry in self.entries.items():
            if entry.mask is not None and not entry.frozen:
                own = self.parameters[name] != 0 if isinstance(entry.mask, str) else entry.mask
                self.mask[self.spans[name]] = own.reshape(-1)
        self.hold()

    def hold(self) -> None:
        """Put masked weights at 0. Only where there is a mask."""
        w, _, mask = self._held
        np.multiply(w, mask, out=w)

    def hold_gradients(self) -> None:
        """Put the gradients of masked weights at 0: they are no part of the network. Only where there is a mask."""
        _, g, mask = self._held
        np.multiply(g, mask, out=g)

    def constrain(self) -> None:
        """Apply the layers' constraints and the mask, as after every update."""
        for constraint, w in self._constrained:
            constraint.apply(w)
        if self.mask is not None:
            self.hold()

    def load(self, values: Mapping[str, Any], into: Mapping[str, Array], *, complete: bool = False) -> None:
        """Copy arrays in by name. Raises BuildError for an unknown name, a wrong shape, or, if
        `complete`, a missing one; nothing is changed then."""
        checked = {}
        for name, value in values.items():
            if name not in into:
                known = ", ".join(into)
                raise BuildError(f"there is no parameter {name!r}; expected one of {known}")
            try:
                array = np.asarray(value, dtype=into[name].dtype)
            except ValueError:  # NumPy's word for it: inhomogeneous
                wanted = into[name].shape
                raise BuildError(f"parameter {name} has shape {wanted}, got lists of different lengths") from None
            if array.shape != into[name].shape:
                raise BuildError(f"parameter {name} has shape {into[name].shape}, got {array.shape}")
            checked[name] = array
        missing = set(into) - set(checked)
        if complete and missing:
            raise BuildError(f"parameters missing: {', '.join(sorted(missing))}")
        for name, array in checked.items():
            into[name][...] = array


def _check_memory(entries: Sequence[Parameter], itemsize: int) -> None:
    """Raise BuildError, which names the layer with the most, where parameters and their gradients do not fit."""
    if lacking := shortage(2 * itemsize * sum(math.prod(entry.shape) for entry in entries)):
        largest = max(entries, key=lambda entry: math.prod(entry.shape))
        message = f"has parameters of shape {largest.shape}; with gradients the network {lacking}"
        raise BuildError(message, largest.name.partition(".")[0])


def aligned_zeros(size: int, dtype: Any, boundary: int = 64) -> Array:
    """A zeroed vector whose first byte lies on a cache line. Raises MemoryError."""
    itemsize = np.dtype(dtype).itemsize
    try:
        raw = np.zeros(size + boundary // itemsize, dtype)
    except ValueError:  # NumPy's answer to more bytes than can be counted
        raise MemoryError(f"Unable to allocate {size * itemsize / 2**30:,.0f} GiB") from None
    offset = (-raw.ctypes.data % boundary) // itemsize
    return raw[offset : offset + size]
