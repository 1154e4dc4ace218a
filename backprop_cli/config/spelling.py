"""Suggestions in errors: the name that was probably meant, and an example value that would be accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from backprop_cli import registry
from backprop_cli.config.dump import Dumper
from backprop_cli.config.leaves import accepts
from backprop_cli.config.types import Leaf, ListOf, MapOf, Named, OneOf, option_types, parts
from backprop_cli.errors import did_you_mean, expected, suggest
from backprop_cli.registry import Registered

CANDIDATES: list[Any] = [32, 1, 2, 0.1, 1.0, 0, -1, True, "name", [1], [2, 2], ["name"], {"name": 1}, {"name": "text"}]
SYNONYMS = {  # other libraries' words for an option
    "lr": "learning_rate",
    "wd": "weight_decay",
    "p": "rate",
    "prob": "rate",
    "out_features": "units",
    "hidden_size": "units",
    "neurons": "units",
    "out_channels": "filters",
    "channels": "filters",
    "kernel": "kernel_size",
    "pool_size": "kernel_size",
    "stride": "strides",
    "strides": "stride",
    "weight": "class_weights",
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
#: other libraries' words for how many there are: of units, or of rows
COUNTS = ("size", "samples", "n_samples", "num_samples", "rows", "n_rows", "count", "limit")
SECTIONS = {"trainer": ("section", "trainer"), "optimizer": ("optimizer", "adam")}
#: words that those libraries write in capitals, all or some
CAPITALS = {
    word: word.upper()
    for word in [
        "auc",
        "bce",
        "elu",
        "gelu",
        "gru",
        "kl",
        "l1",
        "l2",
        "lr",
        "lstm",
        "mae",
        "mse",
        "nll",
        "rms",
        "rnn",
        "selu",
        "sgd",
    ]
}
CAPITALS |= {word.lower(): word for word in ("AdamW", "NAdam", "PReLU", "RAdam", "ReLU", "RMSprop", "SiLU")}


def camel_case(name: str) -> set[str]:
    """`batch_norm1d` as other libraries write it: BatchNorm1d, BatchNorm1D."""
    words = name.split("_")
    plain = "".join(word[:1].upper() + word[1:] for word in words)
    short = "".join(CAPITALS.get(word, word[:1].upper() + word[1:]) for word in words)
    return {plain, short, *(spelled[:-1] + "D" for spelled in (plain, short) if spelled[-2:] in ("1d", "2d"))}


def nearest_key(word: str, known: Sequence[str]) -> str | None:
    """The option that a mistyped or borrowed one stands for, or None."""
    synonyms = [SYNONYMS.get(word.lower()), *(("units", "samples") if word.lower() in COUNTS else ())]
    return next((synonym for synonym in synonyms if synonym in known), None) or suggest(word, known)


def unknown_key(key: str, known: Sequence[str], owner: str = "", value: Any = None) -> str:
    """What to say about a key that is no option of its owner."""
    listed = f"expected one of {', '.join(known)}" if known else "it has no options"
    message = f"unknown key {key!r}{f' of {owner}' if owner else ''}; {listed}"
    if (
        key.lower() in COUNTS
        and isinstance(value, int)
        and value > 0
        and {"splits", "samples"} & {*known} == {"splits"}
    ):
        rows = flow({"splits": {"train": f"train[:{value}]"}})
        return f"{message}; did you mean {rows[1:-1]}?"
    return message + did_you_mean(nearest_key(key, known) or belongs(key))


def belongs(key: str) -> str | None:
    """The dotted path of an option that was given elsewhere: `epochs` is `trainer.epochs`."""
    for section, (kind, name) in SECTIONS.items():
        if key in registry.options(registry.get(kind, name)):
            return f"{section}.{key}"
    return None


def dataset_named(name: str) -> str | None:
    """The dataset that `dataset: iris` or `dataset: my.csv` means, as one writes it; None where there is none."""
    classes = registry.classes("source")
    for source in sorted(classes, key=("sample", "synthetic").__contains__, reverse=True):
        if name in (*classes[source].datasets(), *classes[source].downloads):
            return flow(dict(zip(("source", "name"), (source, name), strict=True)))
    return flow({"source": "files", "path": name}) if "/" in name or "." in name else None


def unnamed(marker: Registered, given: dict[str, Any]) -> str:
    """What to say about a mapping that does not name its class: `{dense: {units: 3}}`, `{units: 3}`."""
    known = registry.names(marker.kind)
    word = next((word for word in given if word in known), None)
    if word is None:
        return f"missing key {marker.key!r}; {expected('', known)}"
    options = given[word]
    rest = {key: value for key, value in given.items() if key != word}
    meant = {marker.key: word, **(options if isinstance(options, dict) else {}), **rest}
    return f"missing key {marker.key!r}; did you mean {flow(meant)}?"


def flow(value: Any) -> str:
    """A value as one line of YAML: `{type: dense, units: 3}`."""
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    text = text.strip("\n ").removesuffix("...").strip("\n ")
    return text if text.strip() == text else f'"{text}"'  # spaces of other kinds, at the ends of a word


def example(cls: type, name: str) -> str:
    """`name: value` with a value that the option's type accepts."""
    of = option_types(cls)[name]
    named = next((part.marker for part in parts(of) if isinstance(part, Named)), None)
    if named:
        first: Any = next(iter(registry.classes(named.kind)), "…")
        value = [first] if isinstance(of, ListOf) else first
        return flow({name: {named.key: value} if named.key != "type" else value})[1:-1]
    if isinstance(of, Leaf | ListOf | MapOf | OneOf):
        words = [word for part in parts(of) if isinstance(part, Leaf) for word in part.words]
        for value in [*words, *CANDIDATES]:
            if accepts(of, value):
                return flow({name: value})[1:-1]
    return f"{name}: …"
