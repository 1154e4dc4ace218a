"""Numbers short enough for pictures."""

from __future__ import annotations

from typing import Any

import numpy as np


def short(value: float) -> str:
    """A number that fits a circle."""
    return _digits(value).replace("-", "−")


def _digits(value: float) -> str:
    if value == 0 or not np.isfinite(value):
        return f"{value + 0.0:g}"  # without the sign of -0
    if abs(value) < 0.0095:
        mantissa, _, exponent = f"{value:.0e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.3g}"


def brief(value: Any) -> str:
    """The first numbers of an array."""
    array = np.asarray(value).reshape(-1)
    shown = " ".join(f"{number:.3g}" for number in array[:4])
    return f"{shown} …" if array.size > 4 else shown
