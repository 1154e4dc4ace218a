"""Changes to a config that a person can paste: `--set` flags, and the same as YAML in the words of their file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backprop_cli.config import Config, load_config
from backprop_cli.config.extends import read_extended
from backprop_cli.config.marked import Keys, Mark, Marked, dotted, plain
from backprop_cli.config.overrides import apply
from backprop_cli.config.spelling import flow
from backprop_cli.engine.graph import Network, Node
from backprop_cli.engine.layer import Activation
from backprop_cli.model.expand import Expander
from backprop_cli.training.measures import activation_of

WIDTH = 110  # of a line of YAML before it is written as a block


@dataclass(frozen=True)
class Edit:
    """Overrides that change a config, in the syntax of `--set`."""

    set: tuple[str, ...]

    @property
    def flags(self) -> str:
        """The overrides as `--set` flags for a shell."""
        return " ".join(f"--set {shlex.quote(setting)}" for setting in self.set)


@dataclass(frozen=True)
class Patient:
    """A config file with the overrides that go with it: what an edit is applied to."""

    path: Path
    overrides: tuple[str, ...] = ()
    fallback: bool = False  # a run that was trained on its dataset's fallback
    plugins: tuple[Path, ...] | None = None  # a run's own copies

    def config(self, edit: Edit | None = None) -> Config:
        """The config, or an edited one. Raises ConfigError."""
        cfg = load_config(self.path, [*self.overrides, *(edit.set if edit else ())], plugins=self.plugins)
        return cfg.on_fallback() if self.fallback else cfg

    def written(self, edit: Edit | None = None) -> Marked:
        """The tree of the file as it was written, defaults left out, with overrides and edit applied."""
        problems: list[Any] = []
        root = read_extended(self.path, problems)
        apply(root, [*self.overrides, *(edit.set if edit else ())], problems)
        return root

    def treated(self, edit: Edit) -> Patient:
        """The config with an edit applied for good."""
        return replace(self, overrides=(*self.overrides, *edit.set))

    def yaml(self, edit: Edit) -> str:
        """The sections that an edit changes as they read afterwards; of the architecture only the changed items."""
        written = self.written()
        before, after = plain(written), plain(self.written(edit))
        lines: list[str] = []
        for key, value in after.items():
            if value == before.get(key):
                continue
            if isinstance(value, list) and isinstance(before.get(key), list):
                lines.append(f"{key}:")
                for index, item in enumerate(value):
                    if item != before[key][index]:  # no edit makes the architecture longer
                        mark = written.value[key].value[index].mark
                        lines.append(f"  - {flow(item)}   # in place of item {index + 1}, {self._where(mark)}")
            else:
                lines += _section(key, value, before.get(key))
        return "\n".join(lines) + "\n"

    def _where(self, mark: Mark) -> str:
        """The line, and the file where that is another one, which this one extends."""
        return f"line {mark.line}" if mark.origin == str(self.path) else f"{mark.origin}:{mark.line}"


def _section(key: str, value: Any, before: Any) -> list[str]:
    line = f"{key}: {flow(value)}"
    if len(line) <= WIDTH or not isinstance(value, dict):
        return [line]
    old = before if isinstance(before, dict) else {}
    return [f"{key}:", *(f"  {name}: {flow(child)}" for name, child in value.items() if child != old.get(name))]


class Anatomy:
    """Which item of the config each layer of the network comes from."""

    def __init__(self, patient: Patient, cfg: Config, network: Network) -> None:
        expander = Expander(network.input_shape)
        expander.expand(cfg.architecture)
        self._tree = patient.written()
        self._places = {name: cfg.places.get(id(item)) for name, item in expander.sources.items()}
        self.network = network
        self.units = {node.name: node for node in network.nodes}

    def path(self, name: str) -> str | None:
        """Where a layer is written, as `--set` addresses it; None for one that shorthand made up."""
        written = self._places.get(name)
        if written is None or not {"residual", "parallel"}.isdisjoint(written[-1:]):
            return None
        return dotted(self._as_written(written))

    def _as_written(self, path: Keys) -> Keys:
        """`residual: [...]` has no key `layers` in the file."""
        kept: list[str | int] = []
        node: Any = self._tree
        for key in path:
            if isinstance(node.value, list) and not isinstance(key, int):
                continue
            kept.append(key)
            node = node.value[key]
        return tuple(kept)

    def option(self, name: str, option: str, value: Any) -> list[str]:
        """The override that sets an option of a layer; none where the layer has no such option or no place."""
        path = self.path(name)
        if path is None or not hasattr(self.units[name].layer, option):
            return []
        return [f"{path}.{option}={flow(value)}"]

    def activation(self, unit: Node, value: str) -> list[str]:
        """The override that gives a layer another activation, whether that is an option or an item of its own."""
        path = self.path(unit.name)
        if path is None:
            return []
        if isinstance(getattr(unit.layer, "activation", None), str):  # of a recurrent layer: relu or tanh only
            return []
        return [f"{path}.activation={value}" if hasattr(unit.layer, "activation") else f"{path}={value}"]

    def following(self, unit: Node) -> Activation | None:
        """The activation that a kernel's output goes through next, normalisation passed over."""
        current = unit
        while activation_of(current.layer) is None:
            after = [node for node in self.network.nodes if current.name in node.inputs]
            if len(after) != 1 or (hasattr(after[0].layer, "kernel_initializer") and after[0] is not unit):
                break
            current = after[0]
        return activation_of(current.layer)

    def initializer(self, unit: Node) -> str:
        """The usual initializer before this activation."""
        activation = self.following(unit)
        return activation.initializer if activation is not None else Activation.initializer


def merged(parts: Iterable[Sequence[str]]) -> Edit:
    """One edit of several overrides, each once: layers of a `repeat` share their place."""
    return Edit(tuple(dict.fromkeys(setting for part in parts for setting in part)))
