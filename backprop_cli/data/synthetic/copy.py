from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "copy")
class Copy(Sampled):
    """Repeat `length` symbols after a pause of `delay` blanks and a signal to begin.

    x (N, T) token ids, T = 2 · length + delay: the symbols 1 … symbols, blanks 0 and one signal (symbols + 1)
    y (N, T) token ids: blanks, then the symbols.  Arjovsky et al. 2016, arXiv:1511.06464, 5.1
    """

    length: Annotated[AtLeastOne, Doc("symbols to remember")] = 10
    delay: Annotated[AtLeastOne, Doc("blanks between the symbols and the signal to repeat them")] = 20
    symbols: Annotated[Annotated[int, Interval(ge=1, le=10**5)], Doc("different symbols")] = 8

    @property
    def classes(self) -> list[str]:
        return ["blank", *(str(symbol) for symbol in range(1, self.symbols + 1))]

    def numbers(self) -> int:
        return self.samples * 2 * (2 * self.length + self.delay)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        shown = rng.integers(1, self.symbols + 1, size=(self.samples, self.length))
        x = np.zeros((self.samples, 2 * self.length + self.delay), np.int64)
        y = np.zeros_like(x)
        x[:, : self.length] = shown
        x[:, self.length + self.delay - 1] = self.symbols + 1
        y[:, -self.length :] = shown
        return x, y
