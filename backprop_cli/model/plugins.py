"""The plugin files that a model needs: which they are, and running those that were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from sys import modules
from typing import Any

from pydantic import BaseModel, ConfigDict

from backprop_cli.config.plugin_files import MAX_BYTES, load_plugin
from backprop_cli.errors import PLUGIN_MODULE, UsageError
from backprop_cli.untrusted.consent import run_of
from backprop_cli.untrusted.regular import read_regular


class Plugin(BaseModel):
    """A plugin file that defines a class which the model uses."""

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    used_by: list[str]  # parts of the model: architecture, transforms, loss, metrics


def plugins_of(parts: Mapping[str, Any]) -> list[Plugin]:
    """The plugin files that define what the parts of a model are made of."""
    users: dict[str, list[str]] = {}
    for role, value in parts.items():
        for instance in _instances(value):
            name = type(instance).__module__
            if name.startswith(PLUGIN_MODULE) and role not in users.setdefault(name, []):
                users[name].append(role)
    plugins = []
    for name, roles in users.items():
        path = Path(str(modules[name].__file__))
        plugins.append(Plugin(file=path.name, sha256=digest(path), used_by=roles))
    return plugins


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    try:
        return hashlib.sha256(read_regular(path, MAX_BYTES)).hexdigest()
    except OSError as error:
        raise UsageError(f"plugin {path}: {error.strerror}") from None


def _instances(value: Any) -> Iterator[Any]:
    """The dataclass instances in a value, at any depth."""
    if isinstance(value, list | tuple):
        for child in value:
            yield from _instances(child)
    elif is_dataclass(value) and not isinstance(value, type):
        yield value
        for field in fields(value):
            if field.init:
                yield from _instances(getattr(value, field.name))


def run_plugins(needed: Sequence[Plugin], given: Sequence[Path], path: Path) -> set[str]:
    """Run those of the plugin files given that the model was trained with; the parts it has to do without.

    Raises UsageError where layers or transforms cannot be had.
    """
    without: set[str] = set()
    by_content = {digest(data): data for data in reversed(given)} if needed else {}
    for plugin in needed:
        if plugin.sha256 in by_content:
            file = by_content[plugin.sha256]
            load_plugin(file, given=run_of(file) is None)
        elif {"architecture", "transforms"} & set(plugin.used_by):
            others = [f"{file} is another file (sha256 {content[:12]}…)" for content, file in by_content.items()]
            raise UsageError(
                f"{path}: trained with the plugin {plugin.file} (sha256 {plugin.sha256[:12]}…), which is Python code, "
                f"in its {' and '.join(plugin.used_by)}; give that file with --plugin FILE"
                + "".join(f"; {path}" for path in others)
            )
        else:
            without.update(plugin.used_by)
    return without
