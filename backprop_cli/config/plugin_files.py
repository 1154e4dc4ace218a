"""Plugin files: Python files whose decorators register what they define."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

from backprop_cli.errors import PLUGIN_MODULE, UsageError
from backprop_cli.untrusted import consent
from backprop_cli.untrusted.regular import read_regular, real

MAX_BYTES = 16 << 20  # of a plugin file


def load_plugin(path: Path, *, given: bool = False) -> None:
    """Run a plugin file, once per process; its decorators register what it defines.

    `given`: somebody has named this very file. One that came with a run needs consent. Raises UsageError, ConsentError.
    """
    run_file(path, given=given)


def run_file(path: Path, *, given: bool = False, shipped: bool = False) -> types.ModuleType:
    """Run any Python file as `load_plugin` does, and return its module. One that ships with bp is run without a word.

    Raises UsageError, ConsentError.
    """
    path = real(path)
    if not os.path.lexists(path):
        raise UsageError(f"plugin {path}: no such file; give the path relative to the file that names it")
    if path.suffix != ".py":
        raise UsageError(f"plugin {path}: not a Python file; expected a name ending in .py")
    try:
        text = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(f"plugin {path}: {error.strerror}") from None
    module_name = f"{PLUGIN_MODULE}{path.stem}_{consent.digest(text)[:16]}"  # a copy of it is not loaded again
    if module_name in sys.modules:
        return sys.modules[module_name]
    if not given and not shipped:
        consent.require(path, text)
    if not shipped:
        consent.announce(path)
    module = types.ModuleType(module_name)
    module.__file__ = str(path)
    sys.modules[module_name] = module
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)  # these bytes, and no .pyc
    except Exception as error:  # any mistake of the plugin's author, shown with its own words
        del sys.modules[module_name]
        raise UsageError(f"plugin {path}: {type(error).__name__}: {error}") from error
    return module
