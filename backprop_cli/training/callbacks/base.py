"""The base of callbacks that a config names: `trainer: {callbacks: [{type: stop_at, value: 0.99}]}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backprop_cli.registry import Component, register, slot
from backprop_cli.training.loop import Callback


def callback(name: str, *aliases: str) -> Any:
    """Class decorator: registers a callback under `trainer: {callbacks: [name]}`."""
    return register("callback", name, *aliases)


@dataclass(kw_only=True)
class NamedCallback(Component, Callback):
    """A callback with options. It is told before the row of an epoch is written: what it adds to the row is logged.

    What `state_dict` gives is in every checkpoint; `load_state_dict` gets it back when a run goes on. With
    `trainer.parallel` every rank has its own, and all must do the same.
    """

    position: int = slot()  # in the list, from 0

    @property
    def key(self) -> str:
        return f"{self.type_name}-{self.position}"
