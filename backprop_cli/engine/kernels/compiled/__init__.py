"""Kernels compiled by Numba; the machine code is kept in the user's cache folder, or below $NUMBA_CACHE_DIR.

Of fastmath's flags those that assume there is no NaN or infinity are left out: what has diverged must
be seen to. `error_model="numpy"` lets divisions vectorize. Work is cut into shares by its size alone, each
written by one thread, so a kernel gives the same bits however many threads there are.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy.typing as npt
import platformdirs
from numba import njit

from backprop_cli.engine.kernels import SHARES

Array = npt.NDArray[Any]
CONFIG: Any = numba.config
__all__ = ["LONG", "MOST_THREADS", "OPTIONS", "SHARES", "add_up", "compiled", "parallel"]

OPTIONS: Any = {"fastmath": {"contract", "reassoc", "arcp", "nsz"}, "error_model": "numpy", "nogil": True}
LONG = 2**15  # numbers of a vector from which a second thread saves more than it costs


def _cache_folder() -> str:
    """One for exactly this code: Numba notices a change in a kernel's own file, not in those that it calls."""
    folder, code = Path(__file__).parent, hashlib.sha256()
    for path in (folder.parents[1] / "window.py", folder.parent / "__init__.py", *sorted(folder.glob("*.py"))):
        code.update(path.read_bytes())
    root = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_path("bp") / "kernels"
    return str(Path(root) / code.hexdigest()[:16])


CONFIG.CACHE_DIR = _cache_folder()


def _has_openmp() -> bool:
    """Whether Numba has the threads that begin a loop within microseconds; its other pool takes a hundred."""
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError:  # no OpenMP on this machine
        return False
    return True


HAS_THREADS = _has_openmp()
MOST_THREADS: int = min(SHARES, CONFIG.NUMBA_NUM_THREADS) if HAS_THREADS else 1


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
