"""`--set`: changes to the tree of a config before it is checked.

    a.b=value         sets; the value is YAML; missing mappings on the way are made
    a.b+=value        appends to a list (a list is appended item by item)
    ~a.b              removes

List items are addressed by index (from 0, or from the end as -1) or by name: a layer's `name`,
else `dense_1` for the first dense layer. A name given bare (`loss: mse`) becomes `{type: mse}`
when a key is set on it. Keys that do not exist are left to the check of the whole config,
which knows every key and suggests the nearest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from backprop_cli import registry
from backprop_cli.config.marked import MAX_DEPTH, Keys, Mark, Marked, dotted, problem, stamped
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError, Problem, did_you_mean, expected, suggest

#: characters that mean something to YAML at the start of a value, and nothing alone: `delimiter=|` is that character
_SIGNS = ("|", ">", "#", "-", "?", ":", "&", "*", "!", "%", "@", "`", ",")


def apply(root: Marked, overrides: Iterable[str], problems: list[Problem]) -> None:
    """Apply each override in turn, in place; what cannot be applied goes to `problems`."""
    for text in overrides:
        mark = Mark(f"--set {text if len(text) <= 100 else text[:97] + '...'}")
        try:
            _apply(root, text, mark)
        except _RefusedOverrideError as error:
            problems.append(problem(mark, error.path, str(error)))
        except ConfigError as error:  # the value is not YAML
            problems.extend(Problem(mark.origin, None, None, "", inner.message) for inner in error.problems)


class _RefusedOverrideError(Exception):
    def __init__(self, message: str, path: Keys = ()) -> None:
        self.path = path
        super().__init__(message)


def _apply(root: Marked, text: str, mark: Mark) -> None:
    left, equals, right = text.partition("=")
    remove, append = text.startswith("~"), left.endswith("+")
    if not equals and not remove:
        raise _RefusedOverrideError("expected key=value, key+=value or ~key")
    keys = _split(text[1:] if remove else left.removesuffix("+"))
    if keys[0] == "extends":
        raise _RefusedOverrideError("is read before --set; edit the file instead", ("extends",))
    parent, done = root, ()  # type: tuple[Marked, Keys]
    for index, key in enumerate(keys[:-1]):
        parent = _step(parent, key, (*done, key), mark, make=not remove, following=keys[index + 1 :])
        done = (*done, key)
    key = keys[-1]
    if remove:
        _remove(parent, key, (*done, key))
        return
    problems: list[Problem] = []
    value = stamped(parse(f"'{right}'" if right in _SIGNS else right, mark.origin, problems), mark)
    if problems:
        raise ConfigError(problems)
    if append:
        _append(parent, key, value, (*done, key), mark)
    elif isinstance(parent.value, list):
        parent.value[_index(parent, key, (*done, key))] = value
    else:
        _mapping(parent, done, mark)[key] = value


def _split(path: str) -> list[str]:
    keys = path.split(".")
    if keys[0] == "parameters" and len(keys) > 1:
        keys = ["parameters", ".".join(keys[1:])]  # their names have dots: dense_1.W
    if not all(key.strip() == key and key for key in keys) or len(keys) > MAX_DEPTH:
        raise _RefusedOverrideError(f"expected a dotted path such as optimizer.learning_rate, got {path!r}")
    return keys


def _step(node: Marked, key: str, path: Keys, mark: Mark, *, make: bool, following: list[str]) -> Marked:
    """The child to go into; makes a missing mapping where `make`."""
    if isinstance(node.value, list) and key in ("layers", "branches"):
        return node  # `residual: […]` is short for `residual: {layers: […]}`, and errors name the long path
    if isinstance(node.value, list):
        child: Marked = node.value[_index(node, key, path)]
        return child
    mapping = _mapping(node, path[:-1], mark)
    if key not in mapping:
        if not make:
            raise _RefusedOverrideError(_nothing_here(key, mapping), path)
        if following[0].isdigit():
            raise _RefusedOverrideError(f"there is no such list to take item {following[0]} of", path)
        mapping[key] = Marked({}, mark, mark)
    inner: Marked = mapping[key]
    return inner


def _mapping(node: Marked, path: Keys, mark: Mark) -> dict[str, Marked]:
    """The mapping to set a key in: a bare name becomes {type: name}, null an empty mapping."""
    if isinstance(node.value, str):
        key = "source" if path and path[-1] in ("dataset", "fallback") else "type"
        node.value = {key: Marked(node.value, node.mark, node.mark)}
    elif node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _RefusedOverrideError(f"holds {node.value!r}; expected a mapping to set a key in", path)
    return node.value


def _append(parent: Marked, key: str, value: Marked, path: Keys, mark: Mark) -> None:
    if isinstance(parent.value, list):
        target: Marked = parent.value[_index(parent, key, path)]
    else:
        target = _mapping(parent, path[:-1], mark).setdefault(key, Marked([], mark, mark))
    if not isinstance(target.value, list):
        raise _RefusedOverrideError("is not a list; use = to replace it", path)
    target.value.extend(value.value if isinstance(value.value, list) else [value])


def _remove(parent: Marked, key: str, path: Keys) -> None:
    if isinstance(parent.value, list):
        del parent.value[_index(parent, key, path)]
    elif isinstance(parent.value, dict) and key in parent.value:
        del parent.value[key]
    else:
        raise _RefusedOverrideError(_nothing_here(key, parent.value if isinstance(parent.value, dict) else ()), path)


def _nothing_here(key: str, known: Iterable[str]) -> str:
    near = suggest(key, known)
    return "is not given, so there is nothing to remove" + did_you_mean(near)


def _index(node: Marked, key: str, path: Keys) -> int:
    """The position of a list item given by index or name."""
    count = len(node.value)
    if key.removeprefix("-").isdecimal():
        index = int(key) if len(key) < 10 else count
        if -count <= index < count:
            return index % count
        raise _RefusedOverrideError(f"there are {count} items, 0 to {count - 1}" if count else "is empty", path)
    names = item_names(node)
    if key in names:
        return names.index(key)
    raise _RefusedOverrideError(
        f"no item of {dotted(path[:-1])} has this name; {expected(key, filter(None, names))}", path
    )


def item_names(node: Marked) -> list[str]:
    """What the items of a list are called: their `name`, else type and count as the builder counts (`dense_1`).

    Behind shorthand, which expands to a number of layers that only the builder knows, an item without
    a name is called "".
    """
    fields = [item.value if isinstance(item.value, dict) else {"type": item} for item in node.value]
    given = {keys["name"].value for keys in fields if "name" in keys and isinstance(keys["name"].value, str)}
    counts: Counter[str] = Counter()
    names, expands = [], False
    for keys in fields:
        expands = expands or any(word in keys for word in registry.names("sugar"))
        if "name" in keys:
            names.append(str(keys["name"].value))
            continue
        kind = _type_name(keys["type"].value) if "type" in keys else ""
        counts[kind] += 1
        while f"{kind}_{counts[kind]}" in given:
            counts[kind] += 1
        names.append("" if expands or not kind else f"{kind}_{counts[kind]}")
    return names


def _type_name(kind: Any) -> str:
    """The first name of a layer's class, whichever alias was written."""
    cls = registry.find("layer", kind)
    return str(cls.type_name if cls else kind)
