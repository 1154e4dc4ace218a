"""A JSON Schema (draft 7) of the config file, from the classes that check it.

Editors complete and check with it (`# yaml-language-server: $schema=…`). It knows every class that
is registered when it is made, plugins included. What goes beyond types (names that must agree)
only `bp check` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from backprop_cli import registry
from backprop_cli.config import leaves
from backprop_cli.config.schema import Options
from backprop_cli.config.spelling import camel_case
from backprop_cli.config.types import Leaf, ListOf, Named, OneOf, OptionType, Section, option_types
from backprop_cli.config.validate import SUGAR_BESIDE
from backprop_cli.registry import Registered

INTERPOLATION = {"$ref": "#/definitions/interpolation"}
Schema = dict[str, Any]


def schema() -> Schema:
    """The schema as plain data, ready for json.dumps."""
    maker = _Maker()
    top = maker.fields(Options, {"extends": {"type": "string", "description": "a config that this one changes"}})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "bp config",
        "description": _first_line(Options),
        **top,
        "required": [],
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": ["dataset", "architecture", "loss"]},
        "definitions": {
            "interpolation": {"type": "string", "pattern": r"\$\{", "description": "${key}, ${env:NAME,default}"},
            **dict(sorted(maker.definitions.items())),
        },
    }


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


class _Maker:
    """Walks the types as `validate` does, and adds one definition per class."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def of(self, of: OptionType) -> Schema:
        if isinstance(of, Named):
            return self.spec(of.marker)
        if isinstance(of, Section):
            return self.define(f"section.{of.cls.__name__}", partial(self.object, of.cls))
        if isinstance(of, Leaf) or not of.structural:
            leaf = _plain(leaves.adapter(of.annotation).json_schema())
            text = leaf.get("type") in ("string", "null") and "enum" not in leaf
            return leaf if text else _or(leaf, INTERPOLATION)
        if isinstance(of, OneOf):
            null = [{"type": "null"}] if of.optional else []
            return {"anyOf": [*(self.of(arm) for arm in of.arms), *null]}
        if isinstance(of, ListOf):
            return {"type": "array", "items": self.of(of.item)} | ({"minItems": of.least} if of.least else {})
        return {"type": "object", "additionalProperties": self.of(of.item)}

    def define(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.definitions:
            self.definitions[name] = {}  # stands in while a class that holds itself is described
            self.definitions[name] = make()
        return {"$ref": f"#/definitions/{name}"}

    def spec(self, marker: Registered) -> Schema:
        """Any class of a kind: a bare name, or a mapping."""
        if marker.kind == "section":
            cls = registry.get(marker.kind, marker.default)
            return _or(self.define(f"section.{marker.default}", partial(self.object, cls)), {"type": "null"})
        return self.define(marker.kind, lambda: self.kind(marker))

    def kind(self, marker: Registered) -> Schema:
        alone: list[str] = []
        forms: list[Schema] = []
        cls: Any
        for name, cls in registry.classes(marker.kind).items():
            kind, key = getattr(cls, "dispatch", (None, ""))
            inner: Any
            for inner in registry.classes(kind).values() if kind else [cls]:
                keys = {marker.key: _names(cls)} | ({key: _names(inner)} if kind else {})
                unnamed = () if marker.default != name else (marker.key,)
                forms.append(
                    self.define(f"{kind or marker.kind}.{inner.type_name}", partial(self.object, inner, keys, unnamed))
                )
            if not kind and not any(registry.required(cls, option) for option in registry.options(cls)):
                alone += _names(cls)
        if marker.kind == "layer":
            for word, cls in registry.classes("sugar").items():
                forms.append(self.define(f"sugar.{word}", partial(self.sugar, word, cls)))
            some = next(iter(registry.classes("layer").values()))
            again = {key: self.option(some, key) for key in ("shared", "name", "inputs")}
            forms.append({"type": "object", "properties": again, "required": ["shared"], "additionalProperties": False})
        return _or(_spelled(sorted(alone)), *forms, INTERPOLATION)

    def sugar(self, word: str, cls: Any) -> Schema:
        """`- residual: […]`, with the keys that may stand beside it."""
        forms = [self.define(f"sugar.{word}.options", partial(self.object, cls))]
        if not any(registry.required(cls, name) for name in registry.options(cls) if name != cls.main):
            forms.append(self.of(option_types(cls)[cls.main]))
        return {
            "type": "object",
            "description": _first_line(cls),
            "properties": {
                word: {**_or(*forms), "description": _first_line(cls)},
                **{key: self.option(cls, key) for key in SUGAR_BESIDE},
            },
            "required": [word],
            "additionalProperties": False,
        }

    def object(self, cls: type, keys: Mapping[str, list[str]] | None = None, unnamed: tuple[str, ...] = ()) -> Schema:
        """A mapping of a class's options. `keys` are those that name the class, `unnamed` those it may lack."""
        named: dict[str, Schema] = {
            key: {**_spelled(names), "description": _first_line(cls)} for key, names in (keys or {}).items()
        }
        described = self.fields(cls, named)
        required = [key for key in named if key not in unnamed]
        return {"description": _first_line(cls), **described, "required": [*required, *described["required"]]}

    def fields(self, cls: type, named: Mapping[str, Schema]) -> Schema:
        options = [name for name in registry.options(cls) if name not in named]
        return {
            "type": "object",
            "properties": {**named, **{name: self.option(cls, name) for name in options}},
            "required": [name for name in options if registry.required(cls, name)],
            "additionalProperties": False,
        }

    def option(self, cls: type, name: str) -> Schema:
        """One option: what it accepts, what it means, its default."""
        accepted, default = self.of(option_types(cls)[name]), registry.options(cls)[name].default
        if "$ref" in accepted:
            accepted = {"allOf": [accepted]}  # draft 7 ignores everything beside a reference
        known = {"default": default} if isinstance(default, str | int | float | bool) else {}
        return {**accepted, "description": registry.about(cls, name), **known}


def _names(cls: Any) -> list[str]:
    return [cls.type_name, *cls.aliases]


def _spelled(names: Iterable[str]) -> Schema:
    """One of these names, or its spelling in Keras or PyTorch: editors offer the former and accept the latter."""
    listed = list(names)
    spelled = sorted({spelling for name in listed for spelling in camel_case(name)} - set(listed))
    return {"anyOf": [{"enum": listed}, {"type": "string", "pattern": f"^({'|'.join(spelled)})$"}]}


def _or(*forms: Schema) -> Schema:
    """Any of these, flattened."""
    flat: list[Schema] = []
    for form in forms:
        flat += form["anyOf"] if set(form) == {"anyOf"} else [form]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _plain(node: Any) -> Any:
    """pydantic's schema (draft 2020-12) without its titles, tuples in draft 7's words. Its versions write whole bounds
    as 0 or 0.0, and a constant with or without its enum: here always 0, and without."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return int(node) if isinstance(node, float) and node.is_integer() else node
    node = {key: _plain(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
    if "const" in node:
        node.pop("enum", None)
    if "prefixItems" in node:
        node["items"] = node.pop("prefixItems")
        node["additionalItems"] = False
    return node
