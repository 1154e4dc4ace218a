"""bp: train neural networks from YAML files with a NumPy backpropagation engine."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
_LAZY = {"load_config": ("config", "load"), "train": ("training", "train")}


def __getattr__(name: str) -> Any:
    """What notebooks use, imported on first use, so that `import backprop_cli` stays light."""
    import importlib

    if name in _LAZY:
        module, attribute = _LAZY[name]
        return getattr(importlib.import_module(f"backprop_cli.{module}"), attribute)
    if name == "build":
        return importlib.import_module("backprop_cli.build")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
