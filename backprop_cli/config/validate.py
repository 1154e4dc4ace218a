"""Nodes against dataclasses: a walk along the types, all problems at once, instances as the result.

Structure is ours (registered classes, nested dataclasses, lists and mappings of them); what is
inside a leaf is pydantic's (`leaves.py`). Bare names are written out in the nodes on the way
(`relu` becomes `{type: relu}`), so that afterwards the nodes look like the resolved config.
"""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union

from backprop_cli import registry
from backprop_cli.config import leaves
from backprop_cli.config.marked import DEFAULT, Keys, Marked, copy, dotted, plain, problem
from backprop_cli.config.spelling import example, flow, nearest_key, one
from backprop_cli.errors import BpError, Problem, UnknownNameError
from backprop_cli.registry import Registered

INVALID: Any = object()
SHIPPED = "sample:"  # what the path of a text that ships with bp begins with
MAX_UNKNOWN = 20  # unknown keys of one mapping that are reported one by one
OWN = ("name", "inputs", "shared", "frozen", "l1", "l2", "constraint")  # what `{shared: NAME}` does not take over
SUGAR_BESIDE = ("name", "inputs")  # keys that may stand beside `residual:` in a list item


def structural(annotation: Any) -> bool:
    """Whether a type holds registered classes or dataclasses, so that this walk must go into it."""
    if registry.marker_of(annotation) or (isinstance(annotation, type) and dataclasses.is_dataclass(annotation)):
        return True
    if typing.get_origin(annotation) is typing.Literal:
        return False
    parts = typing.get_args(annotation)
    return any(structural(part) for part in (parts[:1] if typing.get_origin(annotation) is Annotated else parts))


class Validator:
    """Collects problems; `places` remembers which path each instance comes from, by its id."""

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        self.folder = folder
        self.relative: set[Path] = set()  # what was written relative to its file, made absolute
        self.problems = problems
        self.places: dict[int, Keys] = {}
        self.locates = True  # whether paths start where they are written
        self.named: dict[str, Marked] = {}  # layers that are given a name, for `shared`

    def complain(self, node: Marked, path: Keys, message: str) -> Any:
        self.problems.append(problem(node.mark, path, message))
        return INVALID

    def value(self, annotation: Any, node: Marked, path: Keys, marker: Registered | None = None) -> Any:
        """The checked value of a node, or INVALID. A marker around a list is meant for its items."""
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if marker is None and not structural(annotation):
            return self.leaf(annotation, node, path)
        if origin is Annotated:
            own = next((extra for extra in annotation.__metadata__ if isinstance(extra, Registered)), marker)
            least = max((getattr(extra, "min_length", 0) for extra in annotation.__metadata__), default=0)
            if isinstance(node.value, list) and len(node.value) < least:
                return self.complain(node, path, f"expected a list of at least {least}, got {leaves.got(plain(node))}")
            return self.value(args[0], node, path, own)
        if origin in (Union, types.UnionType):
            return self.union(args, node, path, marker)
        if annotation is Any and marker:
            return self.spec(marker, node, path)
        if origin in (list, Sequence):
            return self.items(args[0], node, path, marker)
        if origin in (dict, Mapping):
            return self.entries(args[1], node, path, marker)
        if dataclasses.is_dataclass(annotation):
            return self.mapping(typing.cast(type, annotation), node, path)
        raise TypeError(f"{annotation} is no type for an option")

    def leaf(self, annotation: Any, node: Marked, path: Keys) -> Any:
        value, failures = leaves.check(annotation, plain(node))
        for inside, message in failures:
            part = node
            for key in inside:
                part = part.value[key]
            self.complain(part, (*path, *inside), message)
        return INVALID if failures else self.located(value, node, path)

    def located(self, value: Any, node: Marked, path: Keys) -> Any:
        """Paths to read from, made absolute. They start where they are written: in the folder of their file, for
        --set in the working directory; what is not there is looked for in the other one."""
        if isinstance(value, list):
            return [self.located(each, part, path) for each, part in zip(value, node.value, strict=True)]
        if isinstance(value, dict):
            return {key: self.located(each, node.value[key], path) for key, each in value.items()}
        if not isinstance(value, Path) or not self.locates or path[0] == "trainer" or value.name.startswith(SHIPPED):
            return value
        value = value.expanduser()
        if value.is_absolute():
            return value
        places = [Path(node.mark.origin).parent, Path()] if node.mark.line else [Path(), self.folder]
        found = [Path(os.path.normpath(os.path.realpath(place) / value)) for place in places]
        chosen = next((each for each in found if os.path.lexists(each)), found[0])
        self.relative.add(chosen)
        return chosen

    def union(self, arms: Sequence[Any], node: Marked, path: Keys, marker: Registered | None) -> Any:
        given = node.value
        if given is None and leaves.NONE in arms:
            return None
        simple = [arm for arm in arms if arm is not leaves.NONE and marker is None and not structural(arm)]
        deep = [arm for arm in arms if arm is not leaves.NONE and arm not in simple]
        for arm in simple:
            if leaves.accepts(arm, plain(node)):
                return self.leaf(arm, node, path)
        for arm in deep:
            holder = typing.get_origin(leaves.bare(arm)[0])
            if (holder in (list, Sequence)) == isinstance(given, list) and isinstance(given, str | dict | list):
                return self.value(arm, node, path, marker)
        if simple and not isinstance(given, dict | list):
            wanted = " or ".join(leaves.describe(arm) for arm in simple)
            kinds = [found.kind for arm in deep if (found := registry.marker_of(arm))]
            wanted += "".join(f" or the name of {one(kind)}" for kind in kinds)
            return self.complain(node, path, f"expected {wanted}, got {leaves.got(given)}")
        return self.value(deep[0], node, path, marker)

    def items(self, annotation: Any, node: Marked, path: Keys, marker: Registered | None) -> Any:
        if not isinstance(node.value, list):
            got = leaves.got(plain(node))
            return self.complain(node, path, f"expected a list (`- …` lines, or [ ]), got {got}")
        made = [self.value(annotation, child, (*path, index), marker) for index, child in enumerate(node.value)]
        return INVALID if any(each is INVALID for each in made) else made

    def entries(self, annotation: Any, node: Marked, path: Keys, marker: Registered | None) -> Any:
        if not isinstance(node.value, dict):
            return self.complain(node, path, f"expected a mapping of names, got {leaves.got(plain(node))}")
        made = {key: self.value(annotation, child, (*path, key), marker) for key, child in node.value.items()}
        return INVALID if any(each is INVALID for each in made.values()) else made

    def spec(self, marker: Registered, node: Marked, path: Keys) -> Any:
        """An instance of the registered class that a bare name or a mapping names."""
        kind, key = marker.kind, marker.key
        if isinstance(node.value, str) and kind != "section":
            node.value = {key: Marked(node.value, node.mark, node.mark)}
        elif node.value is None and marker.default:
            node.value = {}
        if not isinstance(node.value, dict):
            wanted = "a mapping" if kind == "section" else f"the name of {one(kind)}, or a mapping with its options"
            return self.complain(node, path, f"expected {wanted}, got {leaves.got(plain(node))}")
        if kind == "layer" and key not in node.value:
            word = next((word for word in node.value if word in registry.names("sugar")), None)
            if word:
                return self.sugar(word, node, path)
            self.like_shared(node)
        named = node.value.get(key)
        if named is None:
            if marker.default is None:
                return self.complain(node, path, self.unnamed(marker, node))
            named = node.value[key] = Marked(marker.default, DEFAULT, DEFAULT)
        cls = self.lookup(kind, named, (*path, key))
        if cls is None:
            return INVALID
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
        known = registry.names(kind)
        if not isinstance(named.value, str):
            self.complain(named, path, f"expected the name of {one(kind)}, got {leaves.got(plain(named))}")
            return None
        try:
            found: type = registry.get(kind, named.value)
        except UnknownNameError:
            shorthand = registry.names("sugar") if kind == "layer" else []
            if named.value in shorthand:
                self.complain(named, path, f"{named.value!r} is no type; write `- {named.value}: …`")
            else:
                self.complain(named, path, f"unknown {kind} {named.value!r}; {registry.expected(named.value, known)}")
            return None
        return found

    def unnamed(self, marker: Registered, node: Marked) -> str:
        """What to say about a mapping that does not say which class it is."""
        known = registry.names(marker.kind)
        word = next((word for word in node.value if word in known), None)
        if word is None:
            return f"missing key {marker.key!r}; {registry.expected('', known)}"
        given = plain(node)
        options = given.pop(word)
        meant = {marker.key: word, **(options if isinstance(options, dict) else {}), **given}
        return f"missing key {marker.key!r}; did you mean {flow(meant)}?"

    def sugar(self, word: str, node: Marked, path: Keys) -> Any:
        """`residual: […]`, with `name` and `inputs` beside it or inside."""
        cls = registry.get("sugar", word)
        inner = node.value[word]
        written = (*path, word)
        if isinstance(inner.value, list):
            inner.value = {cls.main: Marked(inner.value, inner.mark, inner.mark)}
        if not isinstance(inner.value, dict):
            return self.complain(inner, written, f"expected a list of layers, got {leaves.got(inner.value)}")
        for beside in [each for each in node.value if each != word]:
            if beside in SUGAR_BESIDE and beside not in inner.value:
                inner.value[beside] = node.value.pop(beside)
            else:
                mark = node.value[beside]
                self.unknown(Marked(None, mark.key or mark.mark), (*path, beside), beside, SUGAR_BESIDE, word)
        return self.mapping(cls, inner, written, label=word)

    def mapping(self, cls: type, node: Marked, path: Keys, besides: tuple[str, ...] = (), label: str = "") -> Any:
        """An instance of a dataclass from the keys of a mapping."""
        if node.value is None:
            node.value = {}
        if not isinstance(node.value, dict):
            return self.complain(node, path, f"expected a mapping, got {leaves.got(plain(node))}")
        options, hints = registry.options(cls), registry.hints(cls)
        before = len(self.problems)
        unknown = [key for key in node.value if key not in options and key not in besides]
        own_first = sorted(options, key=lambda name: name not in vars(cls).get("__annotations__", ()))
        meant = {nearest_key(key, own_first) for key in unknown[:MAX_UNKNOWN]}
        for key in unknown[:MAX_UNKNOWN]:
            child = node.value[key]
            place = Marked(None, child.key or child.mark)
            stale = self.stale(node, besides, child, (*path, key), label)
            if stale:
                self.complain(place, (*path, key), stale)
            else:
                self.unknown(place, (*path, key), key, own_first, label)
        if len(unknown) > MAX_UNKNOWN:
            self.complain(node, path, f"{len(unknown) - MAX_UNKNOWN:,} more unknown keys")
        values = {}
        for name, field in options.items():
            if name in node.value:
                self.locates = getattr(cls, "inside", {}).get(name) not in node.value
                values[name] = self.value(hints[name], node.value[name], (*path, name))
                self.locates = True
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                if name in meant:  # said already, at the mistyped key
                    continue
                self.complain(node, path, f"missing key {name!r}; for example {example(cls, name)}")
        if len(self.problems) > before:
            return INVALID
        try:
            made = cls(**values)
        except (ValueError, BpError) as error:  # what the class itself refuses
            return self.complain(node, path, str(error))
        self.places[id(made)] = path
        return made

    def stale(self, node: Marked, besides: tuple[str, ...], child: Marked, path: Keys, label: str) -> str:
        """What to say about an unknown key that is left over from the class which a --set has replaced."""
        named = node.value.get(besides[0]) if besides else None
        if named is None or not named.mark.origin.startswith("--set ") or child.mark.origin.startswith("--set "):
            return ""
        return (
            f"{path[-1]!r} is no option of {label}, which {named.mark.origin} asks for; "
            f"remove it too: --unset {dotted(path)}"
        )

    def unknown(self, place: Marked, path: Keys, key: str, known: Sequence[str], label: str) -> None:
        where = f" of {label.removeprefix('section ')}" if label else ""
        near = nearest_key(key, known)
        listed = f"expected one of {', '.join(known)}" if known else "it has no options"
        message = f"unknown key {key!r}{where}; {listed}"
        self.complain(place, path, message + (f"; did you mean {near!r}?" if near else ""))
