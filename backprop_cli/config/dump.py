"""A Config back to YAML with every default written out, and the difference between two of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from backprop_cli import registry
from backprop_cli.config.interpolate import escape
from backprop_cli.config.marked import Keys, dotted
from backprop_cli.config.scalars import resolve
from backprop_cli.config.schema import Config, Options
from backprop_cli.errors import ConfigError, Problem
from backprop_cli.registry import Registered


def dump(cfg: Config, folder: Path | None = None) -> str:
    """The fully resolved config as YAML. Loading it gives an equal Config, from any directory.

    For a file in `folder`, paths that were written relative stay so, as long as they and the folder lie in one
    project: in the folder of the config or where bp runs. So a project can be moved with its runs.
    """
    values = resolved(cfg)
    if folder is not None:
        values = _replaced(values, _relative_to(cfg, Path(os.path.realpath(folder))))
    text: str = yaml.dump(
        values, Dumper=Dumper, default_flow_style=None, sort_keys=False, width=110, allow_unicode=True
    )
    return text


def _relative_to(cfg: Config, folder: Path) -> dict[str, str]:
    """How the paths of a config that were written relative are written from a folder, by their absolute text."""
    home = Path(os.path.realpath(cfg.folder))
    projects = [parent for parent in (home, Path.cwd()) if folder.is_relative_to(parent)]
    return {
        str(path): os.path.relpath(path, folder)
        for path in {*cfg.relative, *(plugin for plugin in cfg.plugins if plugin.is_relative_to(folder))}
        if folder == home or any(path.is_relative_to(project) for project in projects)
    }


def _replaced(value: Any, replacements: Mapping[str, str]) -> Any:
    """Plain data with some strings replaced."""
    if isinstance(value, dict):
        changed = {key: _replaced(child, replacements) for key, child in value.items()}
        return _Bare(changed) if isinstance(value, _Bare) else changed
    if isinstance(value, list):
        return [_replaced(child, replacements) for child in value]
    return replacements.get(value, value) if isinstance(value, str) else value


def resolved(cfg: Config) -> dict[str, Any]:
    """The config as plain data with every default written out; options that are None are left out.

    A secret is the `${env:…}` that it was read from.
    """
    options = _options(cfg, Options)
    for path, text in cfg.secrets.items():
        options = _hidden(options, path, Reference(text))
    return options


def masked(cfg: Config, document: Any) -> Any:
    """Plain data about a config with every value that is a secret of it replaced by its `${env:…}`."""
    values = dict(_flat(_options(cfg, Options)))
    secrets = {values[path]: text for path, text in cfg.secrets.items() if isinstance(values.get(path), str | int)}
    return _masked(document, secrets) if secrets else document


def _masked(value: Any, secrets: Mapping[Any, str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(child, secrets) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(child, secrets) for child in value]
    return secrets.get(value, value) if isinstance(value, str | int) and not isinstance(value, bool) else value


class Reference(str):
    """Text that stays `${env:…}` when it is dumped."""


def _hidden(value: Any, path: Keys, text: Reference) -> Any:
    """The same with a text in the place of what stands at a path, which a short form may have made longer."""
    if not path:
        return text
    if isinstance(value, dict) and path[0] in value:
        return {key: _hidden(child, path[1:], text) if key == path[0] else child for key, child in value.items()}
    if isinstance(value, list) and isinstance(path[0], int) and path[0] < len(value):
        return [_hidden(child, path[1:], text) if i == path[0] else child for i, child in enumerate(value)]
    raise ConfigError([Problem(None, None, None, dotted(path), f"a secret ({text}) where only plain values can be")])


def diff(a: Config | dict[str, Any], b: Config | dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two configs, or their plain data, differ: (dotted path, value in a, value in b), None for what one leaves
    out."""
    plain = (side if isinstance(side, dict) else resolved(side) for side in (a, b))
    ours, theirs = (dict(flat(side)) for side in plain)
    paths = dict.fromkeys([*ours, *theirs])
    return [(path, ours.get(path), theirs.get(path)) for path in paths if ours.get(path) != theirs.get(path)]


def origins(cfg: Config) -> list[tuple[str, Any, str]]:
    """Every resolved value with where it came from: `file:line:column`, `--set …` or `default`."""
    lines = []
    for path, value in _flat(resolved(cfg)):
        exact = next((path[:end] for end in (len(path), len(path) - 1) if path[:end] in cfg.marks), None)
        inside_list = exact is not None and isinstance(path[-1], int)
        mark = cfg.marks[exact] if exact is not None and (exact == path or inside_list) else "default"
        lines.append((dotted(path), value, str(mark)))
    return lines


def flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """The values of a plain config by their dotted paths."""
    return [(dotted(path), value) for path, value in _flat(values)]


def _flat(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Leaves by path; a list without mappings inside is a leaf."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _flat(child, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, child in enumerate(value):
            yield from _flat(child, (*path, index))
    else:
        yield path, value


def _options(instance: Any, cls: type, short: bool = False) -> dict[str, Any]:
    """Options by name, the class's own first; `short` leaves out inherited ones that are off."""
    markers, fields = registry.registered_fields(cls), registry.options(cls)
    options = {}
    for name, own in registry.own_first(cls).items():
        value, default = getattr(instance, name), fields[name].default
        off = value is None or (short and not own and not value)
        if not (off and value == default):
            options[name] = _plain(value, markers.get(name))
    return options


def _plain(value: Any, marker: Registered | None = None) -> Any:
    if isinstance(value, dict):
        return {key: _plain(child, marker) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child, marker) for child in value]
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value):
        return _spec(value, marker) if marker else _options(value, type(value))
    return value


def _spec(instance: Any, marker: Registered) -> dict[str, Any]:
    """`{type: dense, …}`, `{residual: {…}}` or `{source: synthetic, name: moons, …}`."""
    cls = type(instance)
    options = _options(instance, cls, short=marker.kind in ("layer", "activation"))
    if marker.kind == "section":
        return options
    if registry.classes(marker.kind).get(cls.type_name) is cls:
        return {marker.key: cls.type_name, **options} if options else _Bare({marker.key: cls.type_name})
    if marker.kind == "layer":
        return {cls.type_name: options}
    for name, dispatcher in registry.classes(marker.kind).items():
        kind, key = getattr(dispatcher, "dispatch", ("", ""))
        if kind and registry.classes(kind).get(cls.type_name) is cls:
            return {marker.key: name, key: cls.type_name, **options}
    raise TypeError(f"{cls.__name__} is registered under no {marker.kind}")


class _Bare(dict[str, Any]):
    """`{type: relu}`, written as `relu`."""


class Dumper(yaml.SafeDumper):
    """Quotes the text that this package's reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        data = escape(data)
        style = None if isinstance(resolve(data), str) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)

    def bare(self, data: _Bare) -> yaml.ScalarNode:
        return self.text(*data.values())


Dumper.add_representer(str, Dumper.text)
Dumper.add_representer(Reference, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", str(data), "'"))
Dumper.add_representer(_Bare, Dumper.bare)
