"""Problems whose rows are all patterns of some bits, or of one among several: nothing is drawn but their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastTwo, Synthetic, numbered
from backprop_cli.registry import Doc, register


@dataclass(kw_only=True)
class Bits(Synthetic):
    """All 2^bits rows of 0 and 1, from 00…0 to 11…1; x (2^bits, bits)."""

    bits: Annotated[Annotated[int, Interval(ge=1, le=20)], Doc("columns of x; 2^bits rows")]

    def numbers(self) -> int:
        return (1 << self.bits) * (self.bits + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = np.arange(2**self.bits)[:, None] >> np.arange(self.bits)[::-1] & 1
        return x.astype(np.float64), self.answers(x)

    def answers(self, x: Array) -> Array:
        """The class ids (N,) int64 of rows x (N, bits)."""
        raise NotImplementedError  # every problem has its own


@register("synthetic", "symmetry")
class Symmetry(Bits):
    """Whether a row of bits is its own mirror image; all 2^bits rows.

    y = 1 where x[i] = x[bits − 1 − i] for every i, else 0
    x (2^bits, bits)   y (2^bits,) class ids.  Rumelhart, Hinton & Williams 1986, doi:10.1038/323533a0
    """

    bits: Annotated[Annotated[int, Interval(ge=1, le=20)], Doc("columns of x; 2^bits rows")] = 6

    @property
    def classes(self) -> list[str]:
        return ["other", "symmetric"]

    def answers(self, x: Array) -> Array:
        return np.asarray((x == x[:, ::-1]).all(axis=1), np.int64)


@register("synthetic", "bit_parity")
class BitParity(Bits):
    """Whether the number of ones in a row of bits is odd; all 2^bits rows (`parity` draws sequences of bits).

    y = Σ xᵢ mod 2
    x (2^bits, bits)   y (2^bits,) class ids.  Minsky & Papert 1969, Perceptrons; Rumelhart et al. 1986, PDP 1, ch. 8
    """

    bits: Annotated[Annotated[int, Interval(ge=1, le=20)], Doc("columns of x; 2^bits rows")] = 4

    @property
    def classes(self) -> list[str]:
        return ["even", "odd"]

    def answers(self, x: Array) -> Array:
        return np.asarray(x.sum(axis=1) % 2, np.int64)


@register("synthetic", "encoder")
class Encoder(Synthetic):
    """Give back which of several units is on, through a narrow layer: the encoder problem.

    x (size, size), row i with a 1 at i   y (size, size) = x
    Ackley, Hinton & Sejnowski 1985; Rumelhart et al. 1986, PDP 1, ch. 8
    """

    size: Annotated[AtLeastTwo, Doc("units, and rows")] = 8

    def numbers(self) -> int:
        return 2 * self.size**2

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        return np.eye(self.size), np.eye(self.size)


@register("synthetic", "related_tasks")
class RelatedTasks(Synthetic):
    """Four questions that share the parity P of five bits: b₁ or P, not b₁ or P, b₁ and P, not b₁ and P.

    x (256, 8) all rows of eight bits in random order; the last two mean nothing   y (256, 4) 0 or 1
    Caruana 1997, Multitask learning, doi:10.1023/A:1007379606734
    """

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = (rng.permutation(256)[:, None] >> np.arange(8)) & 1
        first, parity = x[:, 0], x[:, 1:6].sum(1) % 2
        y = [first | parity, (1 - first) | parity, first & parity, (1 - first) & parity]
        return x.astype(float), np.stack(y, axis=1).astype(float)


@register("synthetic", "modular")
class Modular(Synthetic):
    """Arithmetic modulo a prime: all pairs (a, b) in random order, and the class (a ∘ b) mod p.

    x (p², 2) ids 0 … p − 1   y (p²,) class ids.  Power et al. 2022, Grokking, arXiv:2201.02177
    """

    modulus: Annotated[AtLeastTwo, Doc("p, how many ids and classes there are")] = 97
    operation: Annotated[Literal["add", "subtract", "multiply"], Doc("the operation ∘ on a and b")] = "add"

    @property
    def classes(self) -> list[str]:
        return numbered(self.modulus)

    def numbers(self) -> int:
        return 3 * self.modulus**2

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        order = rng.permutation(self.modulus**2)
        a, b = order // self.modulus, order % self.modulus
        rule = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}[self.operation]
        return np.stack([a, b], axis=1), rule(a, b) % self.modulus
