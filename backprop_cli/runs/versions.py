"""The versions of what a run's results depend on: Python, NumPy and bp itself."""

from __future__ import annotations

import platform

__version__ = "0.1.0"  # of bp


def versions() -> dict[str, str]:
    """What run.json keeps, by name. Asked of what is loaded: what is noted on the disk may be damaged or unreadable."""
    import numpy  # bp --help has no need of it

    return {"python": platform.python_version(), "backprop-cli": __version__, "numpy": numpy.__version__}
