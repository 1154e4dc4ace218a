"""The versions of what a run's results depend on: Python, NumPy and bp itself."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"  # of bp


def versions() -> dict[str, str]:
    """What run.json keeps, by name."""
    return {"python": platform.python_version(), **{name: _version(name) for name in ("backprop-cli", "numpy")}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # not installed, or run from a source tree
        return __version__ if package == "backprop-cli" else "unknown"
