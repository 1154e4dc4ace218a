"""Checks that types cannot express and that need no network: names that must agree across the config."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any

from backprop_cli import registry
from backprop_cli.config.marked import Keys, Mark, nearest, problem
from backprop_cli.errors import Problem, did_you_mean, suggest
from backprop_cli.registry import Component

DATA = "input"  # the name that stands for the data in a layer's `inputs`
LAYER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MAX_LAYERS = 10_000  # after `repeat` is written out
KERAS_PREFIX = {"val_": "validation/", "val/": "validation/", "training/": "train/", "": "train/"}


def check(values: Mapping[str, Any], places: Mapping[int, Keys], marks: Mapping[Keys, Mark]) -> list[Problem]:
    """Every disagreement between the parts of a config whose types are right."""
    wrong: list[tuple[Keys, str]] = []
    if isinstance(values.get("architecture"), list):
        layers = list(_walk(values["architecture"], ("architecture",)))
        wrong += _names(layers)
        wrong += _references(layers)
        wrong += _circles(values["architecture"])
        if sum(times for _, _, times in layers) > MAX_LAYERS:
            wrong.append((("architecture",), f"more than {MAX_LAYERS:,} layers once `repeat` is written out"))
    if isinstance(values.get("trainer"), Component):
        wrong += _twice(values["trainer"].metrics)
        wrong += _pruning(values["trainer"])
        splits = getattr(values.get("dataset"), "splits", None)
        wrong += monitors(values["trainer"], values.get("optimizer"), places, splits)
    return [problem(nearest(marks, path), path, message) for path, message in wrong]


def _twice(metrics: list[Any]) -> Iterator[tuple[Keys, str]]:
    """Metrics that would share a column of metrics.jsonl."""
    keys = [metric.key for metric in metrics]
    for index, key in enumerate(keys):
        if key == "loss":
            yield ("trainer", "metrics", index), "'loss' is the column of the loss; give the metric a key of its own"
        elif key in keys[:index]:
            yield ("trainer", "metrics", index), f"{key!r} is there already, as metric {keys.index(key)}; remove one"


def _pruning(trainer: Any) -> Iterator[tuple[Keys, str]]:
    """Rounds of pruning that do not fit the training."""
    policy, at = trainer.pruning, ("trainer", "pruning")
    if policy is None:
        return
    if (policy.fraction is None) == (policy.sparsity is None):
        yield at, "expected either fraction, of the remaining weights in each round, or sparsity, after the last one"
    if policy.every * policy.rounds >= trainer.epochs:
        needed = policy.every * (policy.rounds + 1)
        yield (
            (*at, "rounds"),
            f"{policy.rounds} rounds of {policy.every} epochs leave none of {trainer.epochs} epochs after the last; "
            f"set trainer.epochs: {needed}",
        )
    if trainer.early_stopping is not None:
        yield at, "early_stopping would end the training between two rounds; leave one of them out"


def _walk(items: list[Any], path: Keys, times: int = 1) -> Iterator[tuple[Any, Keys, int]]:
    """Every entry of the architecture, those inside sugar too, with how often it will be there."""
    for index, item in enumerate(items):
        sugar = registry.classes("sugar").get(item.type_name) is type(item)
        here: Keys = (*path, index, item.type_name) if sugar else (*path, index)
        yield item, here, times
        if sugar:
            inner = times * getattr(item, "times", 1)
            yield from _walk(getattr(item, "layers", []), (*here, "layers"), inner)
            for number, branch in enumerate(getattr(item, "branches", [])):
                yield from _walk(branch, (*here, "branches", number), inner)


def _names(layers: list[tuple[Any, Keys, int]]) -> Iterator[tuple[Keys, str]]:
    first: dict[str, Keys] = {}
    for item, path, _ in layers:
        if item.name is None:
            continue
        at = (*path, "name")
        if not LAYER_NAME.fullmatch(item.name) or item.name == DATA:
            taken = f"; {DATA!r} means the data" if item.name == DATA else ""
            yield at, f"expected a name of letters, digits, _ and -, got {item.name!r}{taken}"
        elif item.name in first:
            other = ".".join(map(str, first[item.name]))
            yield at, f"the layer name {item.name!r} is taken by {other}; choose another"
        first.setdefault(item.name, path)


def _references(layers: list[tuple[Any, Keys, int]]) -> Iterator[tuple[Keys, str]]:
    """`inputs` and `shared` that name no layer."""
    given = {DATA, *(item.name for item, _, _ in layers if item.name)}
    automatic = _automatic(layers, given)
    bases = {*given, *registry.classes("layer")} if _has_sugar(layers) else set()  # its names the builder makes up
    for item, path, _ in layers:
        wanted = [((*path, "inputs", index), name) for index, name in enumerate(item.inputs or [])]
        if getattr(item, "shared", None):
            wanted.append(((*path, "shared"), item.shared))
        for at, name in wanted:
            if name not in given and name not in automatic and re.sub(r"(_\d+)+$", "", name) not in bases:
                near = suggest(name, given) or suggest(name, automatic)
                hint = did_you_mean(near)
                yield at, f"there is no layer {name!r}; expected one of {', '.join(sorted(given))}{hint}"


def _automatic(layers: list[tuple[Any, Keys, int]], given: set[str]) -> set[str]:
    """The names of layers that are given none: `dense_1`, `dense_2`, …"""
    counts: Counter[str] = Counter()
    for item, _, _ in layers:
        if not item.name:
            counts[item.type_name] += 1
            while f"{item.type_name}_{counts[item.type_name]}" in given:
                counts[item.type_name] += 1
    return {f"{kind}_{number + 1}" for kind, count in counts.items() for number in range(count)}


def _has_sugar(layers: list[tuple[Any, Keys, int]]) -> bool:
    return any(path[-1] == item.type_name for item, path, _ in layers)


def _circles(items: list[Any]) -> Iterator[tuple[Keys, str]]:
    """Layers of the outermost list that need their own output."""
    numbers = {item.name: index for index, item in enumerate(items) if item.name}
    feeds: dict[int, list[int]] = {}
    for index, item in enumerate(items):
        before = [index - 1] if index else []
        feeds[index] = before if item.inputs is None else [numbers[name] for name in item.inputs if name in numbers]
    state: dict[int, bool] = {}  # False while being followed, True when done
    for start in feeds:
        trail = [(start, iter(feeds[start]))]
        while start not in state or trail:
            state.setdefault(trail[-1][0], False)
            following = next(trail[-1][1], None)
            if following is None:
                state[trail.pop()[0]] = True
            elif following not in state:
                trail.append((following, iter(feeds[following])))
            elif state[following] is False:
                loop = [index for index, _ in trail]
                loop = loop[loop.index(following) :]
                closing = next(index for index in loop if items[index].inputs is not None)
                names = " -> ".join(
                    items[index].name or f"architecture.{index}" for index in reversed([*loop, loop[0]])
                )
                yield ("architecture", closing, "inputs"), f"these inputs form a cycle: {names}"
                return


def monitors(
    trainer: Any, optimizer: Any, places: Mapping[int, Keys], splits: Container[str] | None
) -> Iterator[tuple[Keys, str]]:
    """Every `monitor` that names no number that is computed: (its path, what is wrong).

    `splits` are those of the dataset, None where only loading it will tell.
    """
    metrics = [metric.key for metric in trainer.metrics]
    validated = not splits or "validation" in splits
    parts = ("train", "validation") if validated else ("train",)
    known = [f"{part}/{name}" for part in parts for name in ("loss", *metrics)]
    for watcher in (*_holders(trainer), *_holders(optimizer)):
        monitor = watcher.monitor
        if monitor is None or monitor in known:
            continue
        at = (*places.get(id(watcher), ("trainer",)), "monitor")
        part, _, name = monitor.rpartition("/")
        if part == "validation" and not validated:
            yield at, f"{monitor!r} needs a validation split; add one to dataset.splits, or monitor train/{name}"
        elif part in parts and registry.find("metric", name):
            kind = registry.get("metric", name).type_name
            remedy = f"did you mean '{part}/{kind}'?" if kind in metrics else f"add it: --set trainer.metrics+={kind}"
            yield at, f"{monitor!r} is not computed; expected one of {', '.join(known)}; {remedy}"
        else:
            near = _respelled(monitor, known) or suggest(monitor, known)
            hint = did_you_mean(near)
            yield at, f"{monitor!r} is not computed; expected one of {', '.join(known)}{hint}"


def _respelled(monitor: str, known: list[str]) -> str | None:
    """`val_loss`, `val_acc` and `loss` as this package spells them."""
    for old, new in KERAS_PREFIX.items():
        name = monitor.removeprefix(old)
        if registry.find("metric", name):
            name = registry.get("metric", name).type_name
        if monitor.startswith(old) and new + name in known:
            return new + name
    return None


def _holders(instance: Any) -> Iterator[Any]:
    """The dataclass instances inside one, itself and those of its lists included, that have a `monitor`."""
    if isinstance(instance, list):
        for item in instance:
            yield from _holders(item)
    if not dataclasses.is_dataclass(instance):
        return
    if hasattr(instance, "monitor"):
        yield instance
    for field in dataclasses.fields(instance):
        yield from _holders(getattr(instance, field.name))
