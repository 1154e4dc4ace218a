"""The few loops that NumPy cannot do in one pass.

`reference/` holds a NumPy version of each, always there and what the tests compare with; `compiled/` holds versions in
C under the same names. A network runs with one namespace: `load("numpy")` or `load("compiled")`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import SimpleNamespace
from typing import Any

from backprop_cli.engine.kernels import compiled
from backprop_cli.errors import UsageError

SHARES = compiled.SHARES  # parts that compiled kernels cut a batch into
PANEL = compiled.PANEL  # columns that they take side by side at most


def missing() -> str:
    """Why there are no compiled kernels here; empty if there are."""
    return compiled.why_not()


def described() -> str:
    """The best kernels there are, in words."""
    return "NumPy's" if missing() else compiled.described()


def best() -> str:
    """`compiled` where there are compiled kernels, else `numpy`."""
    return "numpy" if missing() else "compiled"


@cache
def load(which: str) -> SimpleNamespace:
    """All kernels by name: the NumPy ones, replaced by those in C where `which` is compiled.

    Raises UsageError if there are none in C.
    """
    functions: dict[str, Any] = {}
    parent = importlib.import_module(f"{__name__}.reference")
    for info in pkgutil.iter_modules(parent.__path__):
        module = importlib.import_module(f"{parent.__name__}.{info.name}")
        functions.update({name: getattr(module, name) for name in module.__all__})
    if which == "compiled":
        if missing():
            raise UsageError(f"trainer.kernels: no compiled kernels here: {missing()}; or set kernels: numpy")
        functions.update(compiled.replacements(functions))
    return SimpleNamespace(which=which, **functions)
