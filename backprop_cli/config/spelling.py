"""The name that was meant, and values that would do: the second half of an error."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import yaml

from backprop_cli import registry
from backprop_cli.config.dump import Dumper
from backprop_cli.config.leaves import accepts, bare

SYNONYMS = {  # other libraries' words for an option
    "lr": "learning_rate",
    "wd": "weight_decay",
    "p": "rate",
    "prob": "rate",
    "out_features": "units",
    "hidden_size": "units",
    "neurons": "units",
    "size": "units",
    "out_channels": "filters",
    "channels": "filters",
    "kernel": "kernel_size",
    "pool_size": "kernel_size",
    "stride": "strides",
    "strides": "stride",
    "betas": "beta_1",
    "eps": "epsilon",
    "epsilon": "eps",
    "epoch": "epochs",
    "bs": "batch_size",
    "model": "architecture",
    "layers": "architecture",
    "network": "architecture",
    "data": "dataset",
    "training": "trainer",
}


def nearest_key(word: str, known: Sequence[str]) -> str | None:
    """The option that a mistyped or borrowed one stands for, or None."""
    synonym = SYNONYMS.get(word.lower())
    return synonym if synonym in known else registry.suggest(word, known)


def one(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def flow(value: Any) -> str:
    """A value as one line of YAML: `{type: dense, units: 3}`."""
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.strip().removesuffix("...").strip()


def example(cls: type, name: str) -> str:
    """`name: value` with a value that the option's type accepts."""
    annotation = registry.hints(cls)[name]
    marker = registry.marker_of(annotation)
    if marker:
        value: Any = next(iter(registry.classes(marker.kind)), "…")
        inner = bare(annotation)[0]
        value = [value] if typing.get_origin(inner) in (list, Sequence) else value
        return flow({name: {marker.key: value} if marker.key != "type" else value})[1:-1]
    for value in _candidates(annotation):
        if accepts(annotation, value):
            return flow({name: value})[1:-1]
    return f"{name}: …"


def _candidates(annotation: Any) -> Iterable[Any]:
    inner, _ = bare(annotation)
    if typing.get_origin(inner) is Literal:
        yield from typing.get_args(inner)
    yield from (32, 1, 2, 0.1, 1.0, 0, -1, True, "name", [1], [2, 2], ["name"], {"name": 1}, {"name": "text"})
