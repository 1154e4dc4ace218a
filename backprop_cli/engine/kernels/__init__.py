"""The few loops that NumPy cannot do in one pass.

`reference/` holds a NumPy version of each, always there and what the tests compare with;
`compiled/` holds a Numba version of the same name where one pays. A network runs with one
namespace: `load("numpy")` or `load("numba")`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from types import SimpleNamespace

from backprop_cli.errors import UsageError

SHARES = 4  # parts that compiled kernels cut a batch into; more cores than that do not help one kernel


def compilable() -> bool:
    """Whether Numba is installed, and SciPy, whose BLAS compiled code calls."""
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "scipy"))


@cache
def load(which: str) -> SimpleNamespace:
    """All kernels by name: the NumPy ones, replaced by their Numba versions where `which` is numba.

    Raises UsageError if Numba is not installed.
    """
    if which == "numba" and not compilable():
        raise UsageError(
            "trainer.kernels: Numba or SciPy is not installed; pip install 'backprop-cli[fast]', or set kernels: numpy"
        )
    found: dict[str, object] = {"which": which}
    for package in ["reference"] if which == "numpy" else ["reference", "compiled"]:
        parent = importlib.import_module(f"{__name__}.{package}")
        for info in pkgutil.iter_modules(parent.__path__):
            module = importlib.import_module(f"{parent.__name__}.{info.name}")
            found.update({name: getattr(module, name) for name in module.__all__})
    return SimpleNamespace(**found)
