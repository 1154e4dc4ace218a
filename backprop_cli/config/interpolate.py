"""`${…}`: values taken from the environment or from other keys, resolved once.

    ${env:HOME}   ${env:LR,0.01}       an environment variable, and a default for when it is unset
    ${seed}   ${optimizer.learning_rate}   ${architecture.hidden.units}       another key
    $${                                 a literal ${

A value that is nothing but one `${…}` keeps the type of what it names; inside other text it is
written out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backprop_cli.config.marked import MAX_NODES, Keys, Mark, Marked, copy, in_run, problem, size
from backprop_cli.config.opened import MAX_BYTES
from backprop_cli.config.overrides import item_names
from backprop_cli.config.scalars import resolve
from backprop_cli.errors import ConfigError, Problem, did_you_mean, suggest
from backprop_cli.untrusted.consent import trained_here
from backprop_cli.untrusted.regular import read_regular

REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
MAX_NESTED = 150  # calls inside calls: levels of the tree and references that follow one another
MAX_TEXT = 65_536
SECRET = re.compile(r"token|passw|secret|credential|api_?key|(?<![a-z])key(?![a-z])", re.IGNORECASE)


def _own(mark: Mark) -> bool:
    """Whether this user wrote the file of a run that a value stands in."""
    try:
        return trained_here(read_regular(Path(mark.origin), MAX_BYTES, links=False))
    except OSError:
        return False


def escape(text: str) -> str:
    """Text that interpolates to itself."""
    return text.replace("${", "$${")


def interpolate(
    root: Marked, defaults: Mapping[str, Any], problems: list[Problem], environment: bool = True
) -> dict[Keys, str]:
    """Replace every `${…}` in place. `defaults` stand in for keys that the config leaves out.

    Without `environment`, `${env:…}` stays as it is. Gives the paths of what came from variables whose names, or
    whose keys, say that they are secret, with the text that was written there.
    """
    work = _Interpolation(root, defaults, problems, environment)
    work.visit(root, (), 0)
    return work.secrets


class _RefusedReferenceError(Exception):
    pass


class _Interpolation:
    def __init__(self, root: Marked, defaults: Mapping[str, Any], problems: list[Problem], environment: bool) -> None:
        self.root = root
        self.defaults = defaults
        self.problems = problems
        self.environment = environment
        self.secrets: dict[Keys, str] = {}
        self.done: set[int] = set()
        self.active: list[int] = []
        self.copied = 0

    def visit(self, node: Marked, path: Keys, nested: int) -> None:
        if id(node) in self.done:
            return
        if nested > MAX_NESTED:
            raise _RefusedReferenceError("too many references that follow one another")
        self.active.append(id(node))
        if isinstance(node.value, str):
            if "${" in node.value:
                try:
                    self.check(node, path)
                    written, node.value = node.value, self.text(node, path, nested)
                    self.pass_on(path, written)
                except _RefusedReferenceError as error:
                    self.problems.append(problem(node.mark, path, str(error)))
        else:
            for key, child in node.children():
                self.visit(child, (*path, key), nested + 1)
        self.active.pop()
        self.done.add(id(node))

    def check(self, node: Marked, path: Keys) -> None:
        """Note a secret; refuse what a run asks for that was not trained here: all its values are in its config."""
        names = [name.strip() for name in REFERENCE.findall(node.value) if name]
        variables = [name.removeprefix("env:").partition(",")[0] for name in names if name.startswith("env:")]
        if names and in_run(node.mark) and not (variables and _own(node.mark)):
            raise _RefusedReferenceError(f"{node.value!r:.80} refused in a run's config that was not written here")
        if any(SECRET.search(word) for variable in variables for word in (variable, str(path[-1]))):
            self.secrets[path] = node.value

    def pass_on(self, path: Keys, written: str) -> None:
        """What another key takes from a secret is one, too."""
        for name in REFERENCE.findall(written):
            keys = tuple(int(key) if key.isdecimal() else key for key in name.strip().split("."))
            if keys in self.secrets:
                self.secrets[path] = self.secrets.get(path, written).replace(f"${{{name}}}", self.secrets[keys])

    def text(self, node: Marked, path: Keys, nested: int) -> Any:
        whole = REFERENCE.fullmatch(node.value)
        if whole and whole.group(1) is not None and (self.environment or not whole.group(1).strip().startswith("env:")):
            referred = self.find(whole.group(1).strip(), nested)
            self.copied += size(referred)
            if self.copied > MAX_NODES // 10:
                raise _RefusedReferenceError("references that expand to too many values")
            try:
                return copy(referred, len(path)).value
            except ConfigError as error:
                raise _RefusedReferenceError(error.problems[0].message) from None

        def written(match: re.Match[str]) -> str:
            if match.group(1) is None:
                return "${"
            if not self.environment and match.group(1).strip().startswith("env:"):
                return match.group()
            value = self.find(match.group(1).strip(), nested).value
            if isinstance(value, dict | list):
                raise _RefusedReferenceError(
                    f"{match.group()} is a list or mapping; only a single value fits inside text"
                )
            if isinstance(value, bool):
                return str(value).lower()
            return "" if value is None else str(value)

        result = REFERENCE.sub(written, node.value)
        if len(result) > MAX_TEXT:
            raise _RefusedReferenceError(f"text of {len(result)} characters; expected at most {MAX_TEXT}")
        return result

    def find(self, name: str, nested: int) -> Marked:
        if name.startswith("env:"):
            variable, comma, default = name.removeprefix("env:").partition(",")
            value = os.environ.get(variable)
            if value is None and not comma:
                raise _RefusedReferenceError(
                    f"the environment variable {variable} is not set; set it, or give a default: "
                    f"${{env:{variable},default}}"
                )
            return Marked(resolve(default.strip() if value is None else value), self.root.mark)
        node = self.root
        for depth, key in enumerate(name.split(".")):
            child = _child(node, key)
            if child is None and depth == 0 and "." not in name and key in self.defaults:
                return Marked(self.defaults[key], self.root.mark)
            if child is None:
                known = [*(node.value if isinstance(node.value, dict) else ()), *(() if depth else self.defaults)]
                near = suggest(key, known)
                hint = did_you_mean(near)
                raise _RefusedReferenceError(f"${{{name}}} names no key of this config{hint}")
            node = child
        if id(node) in self.active:
            raise _RefusedReferenceError(f"${{{name}}} leads back to itself")
        self.visit(node, tuple(name.split(".")), nested + 1)
        return node


def _child(node: Marked, key: str) -> Marked | None:
    if isinstance(node.value, dict):
        child: Marked | None = node.value.get(key)
        return child
    if isinstance(node.value, list):
        names = item_names(node)
        index = int(key) if key.isdecimal() and len(key) < 10 else names.index(key) if key in names else -1
        return node.value[index] if 0 <= index < len(names) else None
    return None
