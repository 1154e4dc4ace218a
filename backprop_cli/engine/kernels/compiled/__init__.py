"""Kernels compiled by Numba; the machine code is kept on disk, beside the source or in the user's cache.

Of fastmath's flags those that assume there is no NaN or infinity are left out: what has diverged must
be seen to. `error_model="numpy"` lets divisions vectorize. No kernel runs in parallel, so each gives the
same bits every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

OPTIONS: Any = {"fastmath": {"contract", "reassoc", "arcp", "nsz"}, "error_model": "numpy", "nogil": True}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call for each combination of dtypes."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # there is nowhere to write
        return njit(**OPTIONS)(function)
