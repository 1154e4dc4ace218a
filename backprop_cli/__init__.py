"""bp: train neural networks from YAML files.

>>> from backprop_cli import load_config, build, train
>>> cfg = load_config("configs/xor.yaml", overrides=["seed=3"])
>>> net = build.network(cfg)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_config", "train"]

load_config: Any  # backprop_cli.config.load.load_config
train: Any  # backprop_cli.commands.train.train
_LAZY = {"load_config": ("backprop_cli.config", "load_config"), "train": ("backprop_cli.commands.train", "train")}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: `bp --help` needs none of it."""
    if name not in _LAZY:
        raise AttributeError(f"module 'backprop_cli' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)
