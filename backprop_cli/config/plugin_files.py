"""Plugin files: Python files whose decorators register what they define."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from zlib import crc32

from backprop_cli.errors import PLUGIN_MODULE, UsageError


def load_plugin(path: Path) -> None:
    """Run a plugin file, once per process; its decorators register what it defines. Raises UsageError."""
    path = path.resolve()
    if not path.is_file():
        raise UsageError(f"plugin {path}: no such file; give the path relative to the config that names it")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"plugin {path}: {error.strerror}") from None
    module_name = f"{PLUGIN_MODULE}{path.stem}_{crc32(text):08x}"  # a copy of what is loaded is not loaded again
    if module_name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin {path}: not a Python file; expected a name ending in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # any mistake of the plugin's author, shown with its own words
        del sys.modules[module_name]
        raise UsageError(f"plugin {path}: {type(error).__name__}: {error}") from error
