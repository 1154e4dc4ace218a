"""What a column of `bp runs ls` can be called, whether or not any run has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from backprop_cli import registry
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.types import Leaf, option_types, parts

ROW = ("epoch", "step", "time", "learning_rate")  # in every row of metrics, beside the losses and metrics


def near(key: str) -> set[str]:
    """The metrics, and the options that a config can have where `key` stands; `key` itself if it is one of either."""
    alone = [cls for cls in registry.classes("metric").values() if not _required(cls)]
    names = ["loss", *(name for cls in alone for name in _names(cls, key))]
    tail = key.rpartition("/")[2]
    names += [tail for name in names if tail.endswith(f"_{name}")]  # `of_output`: the layer's name stands before it
    metrics = {*ROW, *(f"{split}/{name}" for split in ("train", "validation") for name in names)}
    *parents, _ = parts = key.split(".")
    whole = schema()
    beside = {name for form in _at(whole, parents) for name in form.get("properties", ())}
    options = {".".join([*parents, name]) for name in beside}
    return metrics | {f"best.{name}" for name in metrics} | options | ({key} if _at(whole, parts) else set())


def _required(cls: Any) -> bool:
    """Whether a metric has options that must be given."""
    return any(option.init and option.default is option.default_factory is MISSING for option in fields(cls))


def _names(cls: Any, key: str) -> Iterator[str]:
    """What a metric can be called in a row: `f1`, with another option `f1_macro`, with the number in `key` `top_3`."""
    default = cls()
    yield default.key
    number = re.search(r"\d+(\.\d+)?$", key)
    for option, of in option_types(cls).items():
        values: list[Any] = [word for part in parts(of) if isinstance(part, Leaf) for word in part.words]
        if number and type(getattr(default, option)) is int and number[0].isdigit():
            values.append(int(number[0]))
        if number and type(getattr(default, option)) is float and float(number[0]) <= 1:
            values.append(float(number[0]))
        for value in values:
            yield cls(**{option: value}).key


def _at(whole: dict[str, Any], keys: list[str]) -> list[dict[str, Any]]:
    """What may stand at a path of the config: the parts of its JSON Schema."""
    forms = _forms(whole, whole)
    for key in keys:
        inside = [form.get("properties", {}).get(key) for form in forms]
        inside += [form.get("items") for form in forms if key.isdigit()]
        inside += [form.get("additionalProperties") for form in forms]
        forms = [form for part in inside if isinstance(part, dict) for form in _forms(whole, part)]
    return forms


def _forms(whole: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    """A part of the schema, references followed and alternatives one by one."""
    if "$ref" in part:
        part = whole["definitions"][part["$ref"].rpartition("/")[2]]
    inside = [*part.get("anyOf", ()), *part.get("allOf", ())]
    return [part, *(form for path in inside for form in _forms(whole, path))]
