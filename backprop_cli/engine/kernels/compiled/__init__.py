"""Kernels compiled by Numba; the machine code is kept on disk, beside the source or in the user's cache.

Of fastmath's flags those that assume there is no NaN or infinity are left out: what has diverged must
be seen to. `error_model="numpy"` lets divisions vectorize. Work is cut into shares by its size alone, each
written by one thread, so a kernel gives the same bits however many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from numba import njit

from backprop_cli.engine.kernels import SHARES

Array = npt.NDArray[Any]
__all__ = ["HAS_THREADS", "OPTIONS", "SHARES", "add_up", "compiled", "parallel"]

OPTIONS: Any = {"fastmath": {"contract", "reassoc", "arcp", "nsz"}, "error_model": "numpy", "nogil": True}


def _has_openmp() -> bool:
    """Whether Numba has the threads that begin a loop within microseconds; its other pool takes a hundred."""
    try:
        from numba.np.ufunc import omppool
    except ImportError:  # no OpenMP on this machine
        return False
    return omppool is not None


HAS_THREADS = _has_openmp()


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile at the first call for each combination of dtypes."""
    try:
        return njit(cache=True, **OPTIONS, **options)(function)
    except RuntimeError:  # there is nowhere to write
        return njit(**OPTIONS, **options)(function)


def parallel(function: Callable[..., Any]) -> Any:
    """As `compiled`, with the loops over `prange` shared among Numba's threads."""
    return compiled(function, parallel=HAS_THREADS)


@compiled
def add_up(parts: Array, out: Array) -> None:
    """What each share has summed (shares, I, O), added into out (I, O) in order."""
    out[:] = parts[0]
    for part in parts[1:]:
        for i in range(out.shape[0]):
            for o in range(out.shape[1]):
                out[i, o] += part[i, o]
