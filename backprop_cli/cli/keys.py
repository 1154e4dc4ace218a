"""What the shell offers after `--set`: keys of the config with their values, from the schema that ships."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.cli.completion import text_of

Schema = Mapping[str, Any]
KINDS = ("type", "source", "name")  # keys that say of which kind a part is
DEEP = 6  # references that are followed to a value


def settings(incomplete: str) -> list[str]:
    """`optimizer.learning_rate=`, then what the schema names: `optimizer.type=adam`, `trainer.shuffle=false`."""
    from backprop_cli.config import shipped  # takes pydantic along, for which `bp --help` need not wait

    schema = json.loads((shipped.folder() / "bp.schema.json").read_bytes())
    written = _config()
    key, equals, value = incomplete.partition("=")
    if equals:
        key = key.removesuffix("+")
        candidates = [value for node in _at(schema, written, key.split(".")) for value in _values(schema, node)]
        return [
            f"{incomplete.partition('=')[0]}={candidate}"
            for candidate in dict.fromkeys(candidates)
            if candidate.startswith(value)
        ]
    *path, start = key.split(".")
    begin = "".join(f"{part}." for part in path)
    return sorted({f"{begin}{key}" for key in _keys(schema, written, path) if key.startswith(start)})


def unsettings(incomplete: str) -> list[str]:
    """The keys alone, for `--unset`."""
    return [key.removesuffix("=") for key in settings(incomplete)]


def _config() -> Any:
    """The config of the command line as plain data; nothing where there is none, or it cannot be read.

    typer has not read the line when it asks for a value of `--set`; shells tell it whole.
    """
    import yaml

    from backprop_cli.config import shipped

    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS") or ""
    path = next((word for word in line.split() if word.endswith((".yaml", ".yml")) or shipped.is_shipped(word)), None)
    try:
        return yaml.safe_load(text_of(shipped.located(Path(path)))) if path else None
    except Exception:  # whatever it is: a shell that completes says nothing
        return None


def _keys(schema: Schema, written: Any, path: Sequence[str]) -> Iterator[str]:
    """What may follow a path: `units=`, and `schedule.` where it goes on."""
    inside = _inside(written, path)
    if isinstance(inside, list):
        yield from (f"{i}." for i in range(len(inside)))
        layers = (layer for layer in inside if isinstance(layer, dict) and isinstance(layer.get("name"), str))
        yield from (f"{layer['name']}." for layer in layers)
    for node in _at(schema, written, path):
        for name, option in _options(schema, node, inside):
            yield f"{name}="
            if next(_options(schema, option, None), None) or isinstance(_inside(inside, [name]), list):
                yield f"{name}."


def _at(schema: Schema, written: Any, path: Sequence[str]) -> list[Schema]:
    """The parts of the schema that a path leads to."""
    nodes: list[Schema] = [schema]
    for i, part in enumerate(path):
        inside = _inside(written, path[:i])
        if isinstance(inside, list) or part.lstrip("-").isdigit():
            nodes = [choice["items"] for node in nodes for choice in _followed(schema, node) if "items" in choice]
        else:
            kind = None if part in KINDS else inside  # another kind may be wanted
            nodes = [option for node in nodes for name, option in _options(schema, node, kind) if name == part]
    return nodes


def _inside(written: Any, path: Sequence[str]) -> Any:
    """What a config has at a path; a layer is found by its number and by its name."""
    for part in path:
        if isinstance(written, list):
            named = [item for item in written if isinstance(item, dict) and item.get("name") == part]
            index = int(part) if part.lstrip("-").isdigit() else len(written)
            written = named[0] if named else written[index] if -len(written) <= index < len(written) else None
        else:
            written = written.get(part) if isinstance(written, dict) else None
    return {"type": written} if isinstance(written, str) else written


def _followed(schema: Schema, node: Schema, deep: int = DEEP) -> Iterator[Schema]:
    """A part of the schema and all that it refers to or chooses from."""
    yield node
    reference = node.get("$ref", "")
    if reference.startswith("#/definitions/") and deep:
        yield from _followed(schema, schema["definitions"][reference.removeprefix("#/definitions/")], deep - 1)
    for choice in ("allOf", "anyOf", "oneOf"):
        for option in node.get(choice, ()) if deep else ():
            yield from _followed(schema, option, deep - 1)


def _options(schema: Schema, node: Schema, written: Any) -> Iterator[tuple[str, Schema]]:
    """The options of a part; where it is of several kinds, of the kind that the config has, else of all."""
    named = {key: written.get(key) for key in KINDS} if isinstance(written, dict) else {}
    for choice in _followed(schema, node):
        properties = choice.get("properties", {})
        if all(_suits(properties.get(key, {}), value) for key, value in named.items()):
            yield from properties.items()


def _suits(option: Schema, value: Any) -> bool:
    """Whether an option that holds the name of its kind may have this value; any other option suits."""
    choices = [
        alternative for alternative in option.get("anyOf", ()) if "enum" in alternative or "pattern" in alternative
    ]
    if not isinstance(value, str) or not choices:
        return True
    return any(value in choice.get("enum", ()) or re.search(choice.get("pattern", "(?!)"), value) for choice in choices)


def _values(schema: Schema, node: Schema) -> Iterator[str]:
    """The words that an option accepts."""
    for choice in _followed(schema, node):
        yield from (str(word) for word in [*choice.get("enum", ()), *([choice["const"]] if "const" in choice else ())])
        if choice.get("type") == "boolean":
            yield from ("true", "false")
