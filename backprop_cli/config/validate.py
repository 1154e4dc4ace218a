"""Checks nodes against dataclasses: walks along the types, collects every problem, returns instances.

Structure is ours (registered classes, nested dataclasses, lists and mappings of them); what is
inside a leaf is pydantic's (`leaves.py`). Bare names are written out in the nodes on the way
(`relu` becomes `{type: relu}`), so that afterwards the nodes look like the resolved config. The
kinds of option are in one file because a walk goes from any of them into any other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.config import leaves
from backprop_cli.config.marked import DEFAULT, Keys, Marked, copy, dotted, plain, problem
from backprop_cli.config.spelling import dataset_named, example, nearest_key, unknown_key, unnamed
from backprop_cli.config.types import Leaf, ListOf, MapOf, Named, OneOf, OptionType, Section, option_types
from backprop_cli.config.words import describe, got, one
from backprop_cli.errors import BpError, Problem, UnknownNameError, expected
from backprop_cli.registry import Registered

INVALID: Any = object()
SHIPPED = "sample:"  # what the path of a text that ships with bp begins with
MAX_UNKNOWN = 20  # unknown keys of one mapping that are reported one by one
OWN = (
    "name",
    "inputs",
    "shared",
    "frozen",
    "l1",
    "l2",
    "constraint",
    "weight_mask",
)  # what `{shared: NAME}` does not take over
SUGAR_BESIDE = ("name", "inputs")  # keys that may stand beside `residual:` in a list item


class Validator:
    """Collects problems; `places` remembers which path each instance comes from, by its id."""

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        self.folder = folder
        self.relative: set[Path] = set()  # what was written relative to its file, made absolute
        self.problems = problems
        self.places: dict[int, Keys] = {}
        self.locates = True  # whether paths start where they are written
        self.beside: Path | None = None  # where else one may lie, in which case it stays as it is written if it is not
        self.named: dict[str, Marked] = {}  # layers that are given a name, for `shared`

    def complain(self, node: Marked, path: Keys, message: str) -> Any:
        """Add a problem with the value at `path`; INVALID."""
        self.problems.append(problem(node.mark, path, message))
        return INVALID

    def value(self, of: OptionType, node: Marked, path: Keys) -> Any:
        """The checked value of a node, or INVALID."""
        if isinstance(of, Named):
            return self.spec(of.marker, node, path)
        if isinstance(of, Section):
            return self.mapping(of.cls, node, path)
        if isinstance(of, Leaf) or not of.structural:
            return self.leaf(of, node, path)
        if isinstance(of, OneOf):
            return self.union(of, node, path)
        return self.items(of, node, path) if isinstance(of, ListOf) else self.entries(of, node, path)

    def leaf(self, of: Leaf | ListOf | MapOf | OneOf, node: Marked, path: Keys) -> Any:
        """The checked value of a type that holds no registered class, its paths made absolute, or INVALID."""
        value, failures = leaves.check(of, plain(node))
        for inside, message in failures:
            part = node
            for key in inside:
                part = part.value[key]
            self.complain(part, (*path, *inside), self.as_written(message, part))
        return INVALID if failures else self.located(value, node, path)

    def as_written(self, message: str, node: Marked) -> str:
        """A hint to quote a number, with the number as it is written: "1.10" and not "1.1"."""
        if not isinstance(node.value, int | float) or node.written is None:
            return message
        return message.replace(f'"{json.dumps(node.value)}" (quoted)', f'"{node.written}" (quoted)')

    def located(self, value: Any, node: Marked, path: Keys) -> Any:
        """Paths to read from, made absolute. They start where they are written: in the folder of their file, for
        --set in the working directory; what is not there is looked for in the other one."""
        if isinstance(value, list):
            return [self.located(item, part, path) for item, part in zip(value, node.value, strict=True)]
        if isinstance(value, dict):
            return {key: self.located(item, node.value[key], path) for key, item in value.items()}
        if not isinstance(value, Path) or not self.locates or path[0] == "trainer" or value.name.startswith(SHIPPED):
            return value
        value = value.expanduser()
        if value.is_absolute():
            return value
        places = [Path(node.mark.origin).parent, Path()] if node.mark.line else [Path(), self.folder]
        if self.beside is not None:
            places.insert(1, self.beside)
        candidates = [Path(os.path.normpath(os.path.realpath(folder) / value)) for folder in places]
        chosen = next(
            (candidate for candidate in candidates if os.path.lexists(candidate)),
            None if self.beside else candidates[0],
        )
        if chosen is None:
            return value
        self.relative.add(chosen)
        return chosen

    def union(self, of: OneOf, node: Marked, path: Keys) -> Any:
        """The checked value by the first type that suits it, or INVALID."""
        given = node.value
        if given is None and of.optional:
            return None
        for arm in of.arms:
            if not isinstance(arm, Named | Section) and not arm.structural and leaves.accepts(arm, plain(node)):
                return self.leaf(arm, node, path)
        deep = [arm for arm in of.arms if arm.structural]
        for arm in deep:
            if isinstance(arm, ListOf) == isinstance(given, list) and isinstance(given, str | dict | list):
                return self.value(arm, node, path)
        if len(deep) < len(of.arms) and not isinstance(given, dict | list):
            return self.complain(node, path, f"expected {describe(of)}, got {got(given)}")
        return self.value(deep[0], node, path)

    def items(self, of: ListOf, node: Marked, path: Keys) -> Any:
        """The list of checked items, or INVALID if any of them is wrong, or there are too few."""
        if not isinstance(node.value, list):
            return self.complain(node, path, f"expected a list (`- …` lines, or [ ]), got {got(plain(node))}")
        if len(node.value) < of.least:
            return self.complain(node, path, f"expected a list of at least {of.least}, got {got(plain(node))}")
        values = [self.value(of.item, child, (*path, index)) for index, child in enumerate(node.value)]
        return INVALID if any(value is INVALID for value in values) else values

    def entries(self, of: MapOf, node: Marked, path: Keys) -> Any:
        """The checked values by name, or INVALID if any of them is wrong."""
        if not isinstance(node.value, dict):
            return self.complain(node, path, f"expected a mapping of names, got {got(plain(node))}")
        values = {key: self.value(of.item, child, (*path, key)) for key, child in node.value.items()}
        return INVALID if any(value is INVALID for value in values.values()) else values

    def spec(self, marker: Registered, node: Marked, path: Keys) -> Any:
        """An instance of the registered class that a bare name or a mapping names, or INVALID."""
        kind, key = marker.kind, marker.key
        if isinstance(node.value, str) and kind != "section":
            node.value = {key: Marked(node.value, node.mark, node.mark)}
        elif node.value is None and marker.default:
            node.value = {}
        if not isinstance(node.value, dict):
            wanted = "a mapping" if kind == "section" else describe(Named(marker))
            return self.complain(node, path, f"expected {wanted}, got {got(plain(node))}")
        if kind == "layer" and key not in node.value:
            word = next((word for word in node.value if word in registry.names("sugar")), None)
            if word:
                return self.sugar(word, node, path)
            self.like_shared(node)
        named = node.value.get(key)
        if named is None:
            if marker.default is None:
                return self.complain(node, path, unnamed(marker, plain(node)))
            named = node.value[key] = Marked(marker.default, DEFAULT, DEFAULT)
        cls = self.lookup(kind, named, (*path, key))
        if cls is None:
            return INVALID
        for option, value in registry.implied(cls, named.value, plain(node)).items():
            given = node.value.get(option) or node
            node.value[option] = Marked(value, given.mark, given.key)
        if kind == "layer" and "name" in node.value:
            self.named.setdefault(str(node.value["name"].value), node)
        dispatch = getattr(cls, "dispatch", None)
        if dispatch is None:
            return self.mapping(cls, node, path, besides=(key,), label=f"{kind} {named.value}")
        kind, second = dispatch
        if second not in node.value:
            known = ", ".join(registry.classes(kind))
            return self.complain(node, path, f"missing key {second!r}; expected one of {known}")
        named = node.value[second]
        cls = self.lookup(kind, named, (*path, second))
        if cls is None:
            return INVALID
        return self.mapping(cls, node, path, besides=(key, second), label=f"{kind} {named.value}")

    def like_shared(self, node: Marked) -> None:
        """Write out `{shared: NAME}`: the same layer once more, so the options of the one named before."""
        shared = node.value.get("shared")
        twin = self.named.get(shared.value) if shared and isinstance(shared.value, str) else None
        for option, given in twin.value.items() if twin else ():
            if option not in OWN:
                node.value.setdefault(option, copy(given))

    def lookup(self, kind: str, named: Marked, path: Keys) -> type | None:
        """The registered class that a node names; None, with a problem added, where there is none."""
        if not isinstance(named.value, str):
            self.complain(named, path, f"expected the name of {one(kind)}, got {got(plain(named))}")
            return None
        try:
            cls: type = registry.get(kind, named.value)
        except UnknownNameError:
            shorthand = registry.names("sugar") if kind == "layer" else []
            if named.value in shorthand:
                self.complain(named, path, f"{named.value!r} is no type; write `- {named.value}: …`")
            else:
                known = expected(named.value, registry.names(kind))
                meant = dataset_named(named.value) if kind == "source" else None
                hint = f"; did you mean {meant}?" if meant else ""
                self.complain(named, path, f"unknown {kind} {named.value!r}; {known}{hint}")
            return None
        return cls

    def sugar(self, word: str, node: Marked, path: Keys) -> Any:
        """An instance of the shorthand `word`, with `name` and `inputs` beside it or inside, or INVALID."""
        cls = registry.get("sugar", word)
        inner = node.value[word]
        written = (*path, word)
        if isinstance(inner.value, list):
            inner.value = {cls.main: Marked(inner.value, inner.mark, inner.mark)}
        if not isinstance(inner.value, dict):
            return self.complain(inner, written, f"expected a list of layers, got {got(inner.value)}")
        for beside in [key for key in node.value if key != word]:
            if beside in SUGAR_BESIDE and beside not in inner.value:
                inner.value[beside] = node.value.pop(beside)
            else:
                mark = node.value[beside]
                at = Marked(None, mark.key or mark.mark)
                self.complain(at, (*path, beside), unknown_key(beside, SUGAR_BESIDE, word))
        return self.mapping(cls, inner, written, label=word)

    def mapping(self, cls: type, node: Marked, path: Keys, besides: tuple[str, ...] = (), label: str = "") -> Any:
        """An instance of a dataclass from the keys of a mapping, or INVALID."""
        if node.value is None:
            node.value = {}
        if not isinstance(node.value, dict):
            return self.complain(node, path, f"expected a mapping, got {got(plain(node))}")
        options, types = registry.options(cls), option_types(cls)
        before = len(self.problems)
        unknown = [key for key in node.value if key not in options and key not in besides]
        own_first = list(registry.own_first(cls))
        meant = {nearest_key(key, own_first) for key in unknown[:MAX_UNKNOWN]}
        for key in unknown[:MAX_UNKNOWN]:
            child = node.value[key]
            at_key = Marked(None, child.key or child.mark)
            named = node.value.get(besides[0]) if besides else None
            if named is not None and named.mark.is_override and not child.mark.is_override:
                text = f"{key!r} is no option of {label}, which {named.mark.origin} asks for; remove it too: --unset "
                self.complain(at_key, (*path, key), text + dotted((*path, key)))
            else:
                owner = label.removeprefix("section ")
                self.complain(at_key, (*path, key), unknown_key(key, own_first, owner, child.value))
        if len(unknown) > MAX_UNKNOWN:
            self.complain(node, path, f"{len(unknown) - MAX_UNKNOWN:,} more unknown keys")
        values: dict[str, Any] = {}
        for name in options:
            if name in node.value:
                inside = getattr(cls, "inside", None)  # a layer may have an array of that name
                beside = getattr(cls, "beside", None)
                self.locates = not isinstance(inside, dict) or inside.get(name) not in node.value
                if isinstance(beside, dict) and name in beside:
                    other = values.get(beside[name])
                    self.beside = other.parent if isinstance(other, Path) else self.folder
                values[name] = self.value(types[name], node.value[name], (*path, name))
                self.locates, self.beside = True, None
            elif registry.required(cls, name):
                if name in meant:  # said already, at the mistyped key
                    continue
                self.complain(node, path, f"missing key {name!r}; for example {example(cls, name)}")
        if len(self.problems) > before:
            return INVALID
        try:
            component = cls(**values)
        except (ValueError, BpError) as error:  # what the class itself refuses
            return self.complain(node, path, str(error))
        self.places[id(component)] = path
        return component
