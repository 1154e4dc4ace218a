"""Every option says what it means, wherever options are shown."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from backprop_cli import registry
from backprop_cli.config.catalogue import entry, nested
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.schema import Options
from backprop_cli.config.starter import TASKS, starter
from backprop_cli.registry import Doc
from tests.conftest import ROOT

LONGEST = 170  # letters of a sentence: two lines of an editor's tooltip


def sections(cls: type) -> Iterator[type]:
    """A dataclass, and those that its options are mappings of."""
    yield cls
    parts = [registry.hints(cls)[name] for name in registry.options(cls)]
    for part in parts:
        parts += typing.get_args(part)
        if isinstance(part, type) and dataclasses.is_dataclass(part):
            yield from sections(part)


def options() -> list[tuple[type, str]]:
    classes: list[type] = [Options, *(cls for kind in registry.PACKAGES for cls in registry.classes(kind).values())]
    return [(part, name) for cls in classes for part in sections(cls) for name in registry.options(part)]


def test_every_option_has_a_sentence() -> None:
    assert [f"{cls.__qualname__}.{name}" for cls, name in options() if not registry.about(cls, name)] == []


def test_a_sentence_says_more_than_the_name() -> None:
    for cls, name in options():
        text = registry.about(cls, name)
        assert 10 <= len(text) <= LONGEST and not text.endswith("."), f"{cls.__qualname__}.{name}: {text}"
        words = set(text.lower().split()) - {"the", "a", "an", "of"}
        assert not words <= set(name.split("_")), f"{cls.__qualname__}.{name}: {text}"


def test_an_inherited_option_has_the_sentence_of_its_base() -> None:
    @dataclasses.dataclass(kw_only=True)
    class Base:
        size: Annotated[int, Ge(0), Doc("places it takes")] = 3
        other: int = 0

    @dataclasses.dataclass(kw_only=True)
    class Narrow(Base):
        size: Annotated[int, Ge(1)] = 4
        other: Annotated[int, Doc("something else")] = 1

    assert registry.about(Narrow, "size") == "places it takes"
    assert (registry.about(Base, "other"), registry.about(Narrow, "other")) == ("", "something else")


def properties(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, each in node.get("properties", {}).items():
            yield f"{path}.{name}", each
        for key, each in node.items():
            yield from properties(each, f"{path}.{key}")
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from properties(each, f"{path}.{index}")


def test_every_property_of_the_schema_is_described() -> None:
    found = dict(properties(schema()))
    assert len(found) > 1000
    assert [
        path for path, each in found.items() if path.count(".properties") == 0 and not each.get("description")
    ] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_first_config_says_what_its_options_mean(task: str) -> None:
    text = starter(task)
    trainer = registry.get("section", "trainer")
    for cls, option in ((trainer, "epochs"), (trainer, "batch_size"), (nested(trainer)["early_stopping"], "patience")):
        assert any(line.strip().startswith(f"{option}:") and line.endswith(f"# {registry.about(cls, option)}")
                   for line in text.splitlines()), option  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "option"), [("layer", "dense", "units"), ("optimizer", "sgd", "clip_norm")])
def test_the_sentence_is_where_people_look(bp, kind: str, name: str, option: str) -> None:
    text = registry.about(registry.get(kind, name), option)
    assert text in (ROOT / "docs/config.md").read_text(encoding="utf-8")
    assert text in " ".join(bp(f"{kind}s", name).out.split())
    assert text in [each["about"] for each in entry(kind, name)["options"]]
