"""Kernels in C, under the names and with the arguments of reference/, and held to it by the same tests.

The sources are in src/; build.py makes one library of them, without Python inside. Arrays go to C as they are: it
reads their memory, shape and strides from NumPy's public C structure. What it cannot take (other types, gaps along
the last axis, shapes that do not fit) it leaves untouched, and the reference is called instead.

Work is cut into shares by its size alone, each summed by itself and all added in order, so a kernel gives the same
bits however many threads there are.
"""

from __future__ import annotations

import ctypes
import os
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from backprop_cli.engine.kernels.compiled import build
from backprop_cli.engine.kernels.compiled.build import LIBRARY
from backprop_cli.engine.window import Axis

__all__ = [
    "MOST_SHARES",
    "MOST_THREADS",
    "PANEL",
    "SHARES",
    "described",
    "library",
    "replacements",
    "set_threads",
    "why_not",
]

SHARES = 4  # parts that work is cut into at most where these are summed, as in src/bp.h
PANEL = 32  # columns of a panel of a matrix product at most, as there
MOST_SHARES = 16  # where they are not, or where each stays large
ANY_PROCESSOR = 2  # the highest kind of loops there is: AVX-512
SUMS = ("inner", "inner_rows")  # kernels that give a number
LEVELS = ("for any processor", "for AVX2", "for AVX-512")


class _Window:
    """An Axis as the seven numbers that C reads."""

    @staticmethod
    @cache
    def from_param(axis: Axis) -> Any:
        return (ctypes.c_int64 * len(axis))(*axis)


#: what an argument's annotation in reference/ is in C
TYPES = MappingProxyType(
    {
        "Array": ctypes.py_object,
        "Array | None": ctypes.py_object,
        "float": ctypes.c_double,
        "int": ctypes.c_int64,
        "bool": ctypes.c_int64,
        "Axis": _Window,
    }
)


@cache
def _loaded() -> tuple[ctypes.CDLL | None, str]:
    """The library, ready for use; or None, why not, and what helps."""
    path = Path(os.environ.get("BP_KERNELS", LIBRARY))
    if not path.exists():
        return (
            None,
            "they were not built: there was no C compiler when bp was installed; install a C compiler, then bp again",
        )
    if path == LIBRARY and build.stale():
        return (
            None,
            f"they were made from other sources than those here; `{shlex.join(build.COMMAND)}` makes them again",
        )
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:
        return None, f"{path} cannot be loaded: {error}"
    lib.bp_read.argtypes = [ctypes.py_object, ctypes.c_void_p]
    lib.bp_describe.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    for function in (lib.bp_start, lib.bp_set_threads):
        function.argtypes, function.restype = [ctypes.c_int64], ctypes.c_int64
    lib.bp_describe(object.__basicsize__, id(np.ndarray), id(None))
    if not _reads_arrays(lib):
        return None, f"NumPy {np.__version__} keeps its arrays in a way unknown to this version of bp"
    lib.bp_start(ANY_PROCESSOR)
    lib.bp_set_threads(MOST_THREADS)
    return lib, ""


def _reads_arrays(lib: ctypes.CDLL) -> bool:
    """Whether C reads of an array what NumPy says of it."""
    facts = np.zeros(7, np.int64)
    for dtype in (np.float32, np.float64):
        array = np.zeros((5, 7), dtype)[1::2, 2:5]
        lib.bp_read(array, facts.ctypes.data)
        (rows, columns), (down, right) = array.shape, array.strides
        if facts.tolist() != [array.ctypes.data, 2, rows, down, columns, right, ord(array.dtype.char)]:
            return False
    return True


def library() -> ctypes.CDLL:
    """The library. Raises OSError where there is none that works."""
    lib, why = _loaded()
    if lib is None:
        raise OSError(why)
    return lib


def why_not() -> str:
    """Why there are no compiled kernels here; empty if there are."""
    return _loaded()[1]


def described() -> str:
    """For which processor they are chosen, and how many threads they use. Raises OSError where there are none."""
    return (
        f"compiled, {LEVELS[library().bp_start(ANY_PROCESSOR)]}, up to {MOST_THREADS} thread{'s' * (MOST_THREADS > 1)}"
    )


def _processors() -> int:
    """How many there are for this process, or as many as $OMP_NUM_THREADS says."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MOST_THREADS = min(MOST_SHARES, _processors())


def set_threads(threads: int) -> int:
    """How many threads kernels use from now on. Returns how many before."""
    return int(library().bp_set_threads(threads))


def replacements(reference: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Of these kernels, those that C has. Raises OSError where there is no library."""
    lib = library()
    bound = {name: _bound(lib, name, kernel) for name, kernel in reference.items() if hasattr(lib, f"bp_{name}")}
    return bound | {name: _sum(lib, name, reference[name]) for name in SUMS}


@cache
def argument_types(reference: Callable[..., Any]) -> list[Any]:
    """Those of the function in C: as the reference's are annotated."""
    return [TYPES[annotation] for name, annotation in reference.__annotations__.items() if name != "return"]


def _bound(lib: ctypes.CDLL, name: str, reference: Callable[..., Any]) -> Callable[..., Any]:
    """The function in C; it falls back on the reference."""
    function = getattr(lib, f"bp_{name}")
    function.argtypes = argument_types(reference)

    def check(refused: int, function: Any, arguments: tuple[Any, ...]) -> None:
        if refused:
            reference(*arguments)

    function.errcheck = check
    return function  # type: ignore[no-any-return]  # ctypes gives no type


def _sum(lib: ctypes.CDLL, name: str, reference: Callable[..., Any]) -> Callable[..., Any]:
    """The function in C that leaves a number."""
    function = sum_of(lib, name, reference)

    def total(*arguments: Any) -> float:
        number = ctypes.c_double()
        return float(reference(*arguments)) if function(*arguments, ctypes.byref(number)) else number.value

    return total


def sum_of(lib: ctypes.CDLL, name: str, reference: Callable[..., Any]) -> Any:
    """That function itself, which takes the address of the number as the last argument."""
    function = getattr(lib, f"bp_{name}")
    function.argtypes = [*argument_types(reference), ctypes.c_void_p]
    return function
