"""YAML text to nodes: safe, with marks, and with the scalars that people expect.

Built on the parser's event stream, so that nesting, aliases and tags are refused before
anything is made of them. Scalars are resolved in `scalars`; keys are always strings.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from backprop_cli.config.marked import MAX_DEPTH, MAX_NODES, Mark, Marked, copy, problem, size
from backprop_cli.config.scalars import is_number, resolve
from backprop_cli.errors import ConfigError, Problem, suggest

MAX_ALIASED = 100_000  # values that aliases stand for, all together
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep; expected a flatter file"
MAX_DIGITS = 100  # a 128-bit seed has 39

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser reads ten times faster
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_PLAINER = {  # what the YAML library says -> what to do about it
    "found character '\\t' that cannot start any token": "a tab; indent with spaces",
    "found character that cannot start any token": "a tab or one of @ ` %; indent with spaces, quote text",
    "mapping values are not allowed in this context": "a ':' that does not belong here; "
    "check the indentation and the line above, or quote the text",
    "could not find expected ':'": "a line without ':'; expected `key: value`",
    "did not find expected key": "expected `key: value` here; check the indentation and the brackets above",
    "did not find expected '-' indicator": "expected a list item `- …` here; check the indentation",
    "did not find expected ',' or ']'": "expected ',' or ']' to go on or close the list",
    "did not find expected ',' or '}'": "expected ',' or '}' to go on or close the mapping",
    "did not find expected node content": "expected a value here",
    "found unexpected end of stream": "a quote that is never closed",
}


def parse(text: str, origin: str, problems: list[Problem]) -> Marked:
    """YAML text to a node. Adds what can be passed over (a duplicate key, a tag) to `problems`.

    Raises ConfigError, with those before it, at a mistake that ends the reading.
    """
    control = _CONTROL.search(text)
    if control:
        before = text[: control.start()]
        mark = Mark(origin, before.count("\n") + 1, control.start() - before.rfind("\n"))
        message = f"control character {control.group()!r}; expected plain text"
        raise ConfigError([problem(mark, (), message)])
    builder = _Builder(origin, problems)
    loader = _Loader(text)
    try:
        while loader.check_event():
            builder.take(loader.get_event())
    except yaml.MarkedYAMLError as error:
        raise ConfigError([*problems, _syntax(error, text, origin)]) from None
    except yaml.YAMLError as error:
        message = f"not YAML: cannot be read ({error}); expected `key: value` lines"
        raise ConfigError([*problems, Problem(origin, None, None, "", message)]) from None
    finally:
        loader.dispose()
    return builder.root or Marked(None, Mark(origin, 1, 1))


def _syntax(error: yaml.MarkedYAMLError, text: str, origin: str) -> Problem:
    """What is wrong, in our words: those of the library change from one release to the next."""
    at, words = error.problem_mark or error.context_mark, error.problem or "cannot be read"
    if at and _open_brackets(text, at) > MAX_DEPTH:  # the library has a limit of its own, and may come to it first
        return problem(Mark(origin, at.line + 1, at.column + 1), (), _TOO_DEEP)
    if "expected ':'" in words and error.context_mark:
        at = error.context_mark  # the key without a colon, not the line after it
    plainer = _PLAINER.get(words) or f"cannot be read from here on; check quotes, brackets and indentation ({words})"
    message = "not YAML: " + plainer
    opened = error.context_mark
    if opened and at and opened.line != at.line and error.context:
        message += f" ({error.context} that starts in line {opened.line + 1})"
    return problem(Mark(origin, at.line + 1, at.column + 1) if at else Mark(origin), (), message)


def _open_brackets(text: str, at: yaml.Mark) -> int:
    """How many brackets are open at a place of the text."""
    lines = text.splitlines()[: at.line + 1]
    before = "".join(lines[:-1]) + lines[-1][: at.column] if lines else ""
    return sum(before.count(bracket) for bracket in "[{") - sum(before.count(bracket) for bracket in "]}")


class _Builder:
    """Takes parser events one by one and keeps a stack of the collections that are open."""

    def __init__(self, origin: str, problems: list[Problem]) -> None:
        self.origin = origin
        self.problems = problems
        self.root: Marked | None = None
        self.open: list[Marked] = []
        self.anchor_of: list[str | None] = []
        self.keys: list[tuple[str, Mark] | None] = []  # the key that waits for its value, per open mapping
        self.anchors: dict[str, Marked] = {}
        self.nodes = self.aliased = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            mark = self.mark(event)
            if self.wants_key():
                self.keys[-1] = (event.value, mark)
            else:
                scalar = Marked(self.scalar(event, mark), mark)
                scalar.written = event.value
                self.place(scalar, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            node, anchor = self.open.pop(), self.anchor_of.pop()
            self.keys.pop()
            if isinstance(node.value, dict) and "<<" in node.value:
                self.merge(node)
            self.place(node, anchor)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self.fatal(self.mark(event), "a second YAML document; expected one per file")

    def begin(self, event: Any) -> None:
        mark = self.mark(event)
        if self.wants_key():
            raise self.fatal(mark, "a list or mapping as a key; expected a name")
        if len(self.open) >= MAX_DEPTH:
            raise self.fatal(mark, _TOO_DEEP)
        self.untagged(event, mark)
        self.open.append(Marked({} if isinstance(event, yaml.MappingStartEvent) else [], mark))
        self.anchor_of.append(event.anchor)
        self.keys.append(None)

    def alias(self, event: Any) -> None:
        mark = self.mark(event)
        anchored = self.anchors.get(event.anchor)
        if anchored is None or self.wants_key():
            near = suggest(event.anchor, self.anchors)
            hint = f"; did you mean '*{near}'?" if near else "; define it earlier in the file"
            raise self.fatal(mark, f"'*{event.anchor}' is not defined before its use{hint}")
        self.aliased += size(anchored)
        if self.aliased > MAX_ALIASED:
            raise self.fatal(mark, f"aliases that expand to more than {MAX_ALIASED:,} values")
        copied = copy(anchored, len(self.open))
        copied.mark = mark
        self.place(copied, None)

    def place(self, node: Marked, anchor: str | None) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.fatal(node.mark, f"more than {MAX_NODES:,} values; expected a smaller file")
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        parent, waiting = self.open[-1].value, self.keys[-1]
        if waiting is None:
            parent.append(node)
            return
        key, node.key = waiting
        self.keys[-1] = None
        if key in parent:
            first = parent[key].key
            self.add(node.key, (key,), f"duplicate key {key!r}; it is first given in line {first.line}")
        else:
            parent[key] = node

    def merge(self, node: Marked) -> None:
        """`<<: *base` puts in the keys of another mapping that are not given here."""
        given = node.value.pop("<<")
        for base in given.value if isinstance(given.value, list) else [given]:
            if not isinstance(base.value, dict):
                raise self.fatal(base.mark, "expected an alias of a mapping after '<<:'")
            for key, child in base.value.items():
                node.value.setdefault(key, child)

    def scalar(self, event: Any, mark: Mark) -> Any:
        self.untagged(event, mark)
        if event.style:
            if "\0" in event.value:
                raise self.fatal(mark, "a NUL character; expected plain text")
            return event.value
        if len(event.value) > MAX_DIGITS and is_number(event.value):
            raise self.fatal(mark, f"a number of {len(event.value)} digits; expected at most {MAX_DIGITS}")
        return resolve(event.value)

    def untagged(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.add(mark, (), f"the tag {tag!r} is not allowed; write plain values, and quote text")

    def wants_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.keys[-1] is None

    def path(self) -> tuple[str | int, ...]:
        return tuple(
            waiting[0] if waiting else len(node.value)
            for node, waiting in zip(self.open, self.keys, strict=True)
            if waiting or isinstance(node.value, list)
        )

    def mark(self, event: Any) -> Mark:
        return Mark(self.origin, event.start_mark.line + 1, event.start_mark.column + 1)

    def add(self, mark: Mark, key: tuple[str, ...], message: str) -> None:
        if len(self.problems) < 100:  # a hostile file has more than anyone wants to read
            self.problems.append(problem(mark, (*self.path(), *key), message))

    def fatal(self, mark: Mark, message: str) -> ConfigError:
        return ConfigError([*self.problems, problem(mark, self.path(), message)])
