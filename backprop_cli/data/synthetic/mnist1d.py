from __future__ import annotations

from dataclasses import field
from typing import Annotated

import numpy as np
from annotated_types import Ge, MaxLen, MinLen

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, AtLeastTwo, Sampled, numbered
from backprop_cli.errors import DataError
from backprop_cli.registry import Doc, register
from backprop_cli.seeds import legacy

#: of each digit: the height of its stroke at 12 places; those of the package mnist1d (Apache License 2.0)
STROKES = np.array([
    [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
    [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
    [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
    [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
    [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
    [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
    [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
    [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
])  # fmt: skip
DIGITS, PLACES = STROKES.shape
REACH, SIGMA = 8, 2.0  # the Gaussian that noise is smoothed with ends at four standard deviations


@register("synthetic", "mnist1d", "mnist_1d")
class Mnist1d(Sampled):
    """MNIST-1D: ten digits as strokes along a line, padded, stretched, scaled, moved, sheared, and with noise.

    x (N, length) of mean 0 and standard deviation 1   y (N,) class ids
    With `seed: 42` and splits `{train: "train[:80%]", test: "train[80%:]"}` the arrays are those that the package
    mnist1d 0.0.2 generates.  Greydanus & Kobak 2024, arXiv:2011.14439; github.com/greydanus/mnist1d, Apache License 2.0
    """

    samples: Annotated[AtLeastOne, Doc("rows, a multiple of ten: as many of each digit")] = 5000
    length: Annotated[AtLeastTwo, Doc("numbers of a row, to which each signal is resampled at the end")] = 40
    padding: Annotated[
        Annotated[list[AtLeastOne], MinLen(2), MaxLen(2)], Doc("fewest and most zeros after the 12 places of a digit")
    ] = field(default_factory=lambda: [36, 60])
    scale: Annotated[float, Ge(0), Doc("width of the range around 1 that signals are multiplied by")] = 0.4
    translation: Annotated[AtLeastOne, Doc("signals move round by fewer places than this")] = 48
    correlated_noise: Annotated[
        float, Ge(0), Doc("standard deviation, before it is smoothed, of the noise where padding was")
    ] = 0.25
    noise: Annotated[float, Ge(0), Doc("standard deviation of the independent noise on every number")] = 0.02
    shear: Annotated[float, Ge(0), Doc("width of the range of slopes that are added")] = 0.75
    shuffle: Annotated[
        bool, Doc("put the numbers of all rows in one random order, so that neighbours mean nothing")
    ] = False

    @property
    def classes(self) -> list[str]:
        return numbered(DIGITS)

    def numbers(self) -> int:
        low, high = self.padding
        width = int(PLACES) + high
        return self.samples * (self.length + 3 * width) + (high - low + 1) * int(DIGITS) * width

    def draw(self, seed: int) -> tuple[Array, Array]:
        """x (N, length) and y (N,) as the package draws them, from NumPy's older generator. Raises DataError."""
        low, high = self.padding
        if self.samples % DIGITS or high < low:
            what = f"dataset.samples: {self.samples} is no multiple of {DIGITS}"
            raise DataError(what if self.samples % DIGITS else f"dataset.padding: {high} is less than {low}")
        rng, width = legacy(seed), PLACES + high
        y = np.repeat(np.arange(DIGITS), self.samples // DIGITS)
        smooth, plain = np.empty((2, len(y), width))
        zeros, moves = np.empty((2, len(y)), np.int64)
        scales, slopes = np.empty((2, len(y), 1))
        for row in range(len(y)):
            zeros[row] = low + int(rng.rand() * (high - low + 1))
            scales[row] = 1 + self.scale * (rng.rand() - 0.5)
            moves[row] = rng.randint(self.translation)
            smooth[row], plain[row] = rng.randn(width), rng.randn(width)
            slopes[row] = rng.rand()
        stretched = _stretched(low, high)[zeros - low, y] * scales
        x = np.take_along_axis(stretched, (np.arange(width) - moves[:, None]) % width, axis=1)
        empty = x == 0
        x = ~empty * x + empty * _smoothed(self.correlated_noise * smooth)
        x = x + self.noise * plain
        x = x - self.shear * (slopes - 0.5) * np.linspace(-0.5, 0.5, width)
        old, new = np.linspace(0, 1, width), np.linspace(0, 1, self.length)
        x = np.stack([np.interp(new, old, row) for row in x])
        order = rng.permutation(len(y))
        x, y = x[order], y[order]
        if self.shuffle:
            x = x[:, rng.permutation(self.length)]
        return (x - x.mean()) / x.std(), y


def _stretched(low: int, high: int) -> Array:
    """(zeros − low, digit, place): each digit, then so many zeros, by straight lines at PLACES + high places."""
    x = STROKES - STROKES.mean(1, keepdims=True)
    x = x / x.std(1, keepdims=True)
    x = (x - x[:, :1]) / 6.0 + 1e-8  # nowhere 0, as padding is
    new = np.linspace(0, 1, PLACES + high)
    padded = [np.pad(x, ((0, 0), (0, zeros))) for zeros in range(low, high + 1)]
    return np.array([[np.interp(new, np.linspace(0, 1, rows.shape[1]), row) for row in rows] for rows in padded])


def _smoothed(x: Array) -> Array:
    """Rows convolved with a Gaussian, continued at the ends by their mirror image. The sums are in the order of
    scipy.ndimage.gaussian_filter, so that the bits are the same."""
    kernel = np.exp(-0.5 / SIGMA**2 * np.arange(-REACH, REACH + 1) ** 2)
    kernel = kernel / kernel.sum()
    wide, n = np.pad(x, ((0, 0), (REACH, REACH)), mode="symmetric"), x.shape[1]
    total = wide[:, REACH : REACH + n] * kernel[REACH]
    for j in range(REACH):
        total = total + (wide[:, j : j + n] + wide[:, 2 * REACH - j : 2 * REACH - j + n]) * kernel[j]
    return np.asarray(total)
