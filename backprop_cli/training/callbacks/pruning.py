"""Puts weights at 0 for good, in rounds between epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.parameters import ParameterStore
from backprop_cli.engine.weight_masks import prune
from backprop_cli.errors import BuildError
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.training.options import PruningPolicy


class Pruning(Callback):
    """The rounds of a `PruningPolicy`. `first` holds the network's vectors at the start, where they come back.

    The row of an epoch has `sparsity`, the share of the pruned parameters that was 0 in it. The best epoch is one after
    the last round. Raises BuildError where the policy matches nothing.
    """

    def __init__(self, policy: PruningPolicy, store: ParameterStore, seed: int) -> None:
        self.policy, self.seed, self.store = policy, seed, store
        self.groups = _groups(policy, store)
        self.mask = store.take_mask()
        self.done = 0  # rounds
        self.first: dict[str, Array] = {}
        if policy.rewind is not None:
            self.first = {"values": store.values.copy(), "state": store.state.copy()}

    def start(self, loop: Loop) -> None:
        if self.policy.rewind is not None:  # a schedule lasts for a round
            per_epoch = loop.optimizer.updates_per_epoch
            loop.optimizer.schedule.bind(self.policy.every * per_epoch, per_epoch)

    @property
    def sparsity(self) -> float:
        """The share of weights that are held at 0, of those that may be."""
        places = np.concatenate(self.groups)
        return float(1 - self.mask[places].mean())

    def epoch(self, loop: Loop, row: Row) -> None:
        row["sparsity"] = self.sparsity
        due = self.done < self.policy.rounds and (loop.epoch - 1) % self.policy.every == 0
        if not due or loop.finished:
            return
        self.done += 1
        store, share = self.store, _share(self.policy, self.done)
        for index, places in enumerate(self.groups):
            prune(self.mask, places, store.values, share, self.policy.by, self.seed, self.done, index)
        if self.policy.rewind is not None:
            np.copyto(store.values, self.first["values"])
            np.copyto(store.state, self.first["state"])
            loop.optimizer.restart()
        store.hold()
        for vector in loop.optimizer.memory.values():
            np.multiply(vector, self.mask, out=vector)

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        return self.first, {"done": self.done}

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        self.done = int(values["done"])
        for name, vector in self.first.items():
            np.copyto(vector, arrays[name])


def _share(policy: PruningPolicy, done: int) -> float:
    """The share of weights that are 0 after so many rounds."""
    if policy.fraction is not None:
        return float(1 - (1 - policy.fraction) ** done)
    assert policy.sparsity is not None, "checked when the policy was read"
    return policy.sparsity * done / policy.rounds


def _groups(policy: PruningPolicy, store: ParameterStore) -> Sequence[Array]:
    """The places in the flat vector of the weights that are ranked together."""
    trained = [entry for entry in store.entries.values() if not entry.frozen]
    chosen = [
        entry for entry in trained if (entry.decay if policy.match is None else fnmatchcase(entry.name, policy.match))
    ]
    if not chosen:
        raise BuildError(
            f"match: {policy.match or 'kernels'!r} matches no trained parameter; expected a pattern such as '*.W' for "
            f"some of {', '.join(entry.name for entry in trained) or 'none'}"
        )
    by_layer: dict[str, list[Array]] = {}
    for entry in chosen:
        span = store.spans[entry.name]
        key = entry.name.partition(".")[0] if policy.scope == "layer" else ""
        by_layer.setdefault(key, []).append(np.arange(span.start, span.stop))
    return [np.concatenate(places) for places in by_layer.values()]
