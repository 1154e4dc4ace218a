"""bp: train neural networks from YAML files.

>>> from backprop_cli import build, load, load_config, train
>>> result = train("configs/iris.yaml")                 # a path, a dict or a Config; a new run under ./runs
>>> model = load(result["run_dir"])                     # or a .safetensors file, or the folder of a sweep
>>> model.predict([[5.1, 3.5, 1.4, 0.2]])
>>> network = build.network(load_config("configs/xor.yaml", overrides=["seed=3"]))
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which this does without: nothing is imported before `bp` listens to Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from backprop_cli.commands.ensembles import load as load
    from backprop_cli.commands.train import train as train
    from backprop_cli.config import load_config as load_config
    from backprop_cli.model import build as build
    from backprop_cli.runs.versions import __version__ as __version__

__all__ = ["__version__", "build", "load", "load_config", "train"]

_LAZY = {
    "__version__": ("backprop_cli.runs.versions", "__version__"),
    "build": ("backprop_cli.model.build", ""),
    "load": ("backprop_cli.commands.ensembles", "load"),
    "load_config": ("backprop_cli.config", "load_config"),
    "train": ("backprop_cli.commands.train", "train"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: `bp --help` needs none of it."""
    if name not in _LAZY:
        raise AttributeError(f"module 'backprop_cli' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _LAZY[name]
    target = import_module(module)
    return getattr(target, attribute) if attribute else target


def __dir__() -> list[str]:
    return __all__
