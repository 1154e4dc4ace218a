"""Vectors added pairwise, in an order that depends on nothing but how many they are."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array


class Tree:
    """Adds what is left in `vector`, time after time: ((a + b) + (c + d)) + …, the sum in `vector` at last.

    Of 2ᵏ vectors it is a whole binary tree, whose upper levels other processes may add.
    """

    def __init__(self, vector: Array) -> None:
        self.vector = vector
        self._waiting: list[tuple[int, Array]] = []  # (level, sum of 2^level vectors), the larger ones first
        self._free: list[Array] = []

    def add(self, last: bool) -> None:
        """Take in the vector; if it is the last one, put the sum of all in its place."""
        level = 0
        while self._waiting and (last or self._waiting[-1][0] == level):
            other = self._waiting.pop()[1]
            np.add(other, self.vector, out=self.vector)
            self._free.append(other)
            level += 1
        if not last:
            kept = self._free.pop() if self._free else np.empty_like(self.vector)
            np.copyto(kept, self.vector)
            self._waiting.append((level, kept))
