"""How often `bp doctor` is right about configs nobody tuned it on: a grid of healthy ones, and the same made sick.

    python benchmarks/doctor_survey.py [--seeds 1] [--only HOW]

A config counts as sick if it ends a tenth worse than the healthy one it was made from. Prints every healthy config
that is accused, every sick one that is not named, every cure that cures nothing, and the counts.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from backprop_cli import load_config
from backprop_cli.insight.doctor.examine import examine_config
from backprop_cli.insight.doctor.probe import probe
from backprop_cli.insight.doctor.verdicts import Limits

Spec = dict[str, Any]
STANDARD = [{"type": "standardize"}]
HALF = {"train": "train[:80%]", "validation": "train[80%:]"}
DATA: dict[str, tuple[Spec, int]] = {
    "iris": ({"source": "sample", "name": "iris", "transforms": STANDARD}, 3),
    "wine": ({"source": "sample", "name": "wine", "transforms": STANDARD}, 3),
    "breast_cancer": ({"source": "sample", "name": "breast_cancer", "transforms": STANDARD}, 2),
    "digits": ({"source": "sample", "name": "digits", "transforms": [{"type": "scale", "by": 0.0625}]}, 10),
    "moons": ({"source": "synthetic", "name": "moons", "samples": 800, "noise": 0.15, "splits": HALF}, 2),
    "circles": ({"source": "synthetic", "name": "circles", "samples": 800, "noise": 0.1, "splits": HALF}, 2),
    "spirals": ({"source": "synthetic", "name": "spirals", "samples": 800, "noise": 0.1, "splits": HALF}, 2),
    "sine": ({"source": "synthetic", "name": "sine", "samples": 500, "splits": HALF}, 0),
    "diabetes": ({"source": "sample", "name": "diabetes", "transforms": STANDARD}, 0),
}
HIDDEN: dict[str, list[Any]] = {
    "one relu": [{"type": "dense", "units": 32, "activation": "relu", "kernel_initializer": "he_normal"}],
    "two tanh": [{"type": "dense", "units": 32, "activation": "tanh"}] * 2,
    "three gelu": [{"type": "dense", "units": 24, "activation": "gelu"}] * 3,
    "six normed": [{"type": "dense", "units": 24, "kernel_initializer": "he_normal"}, "batch_norm", "relu"] * 6,
}
OPTIMIZERS: list[Spec] = [
    {"type": "adam", "learning_rate": 0.003},
    {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    {"type": "adamw", "learning_rate": 0.002, "schedule": {"type": "cosine"}},
]


def healthy(seeds: int) -> Iterator[tuple[str, Spec]]:
    for (data, (dataset, classes)), (name, hidden), optimizer, seed in itertools.product(
        DATA.items(), HIDDEN.items(), OPTIMIZERS, range(seeds)
    ):
        if data == "diabetes" and optimizer["type"] == "sgd":
            continue  # its targets, in the hundreds, want a smaller rate
        last = {"type": "dense", "units": classes or 1} | ({"activation": "softmax"} if classes else {})
        yield (
            f"{data}, {name}, {optimizer['type']}, seed {seed}",
            {
                "seed": seed,
                "dataset": dataset,
                "architecture": ["flatten", *hidden, last],
                "loss": "sparse_categorical_crossentropy" if classes else "mean_squared_error",
                "optimizer": dict(optimizer),
                "trainer": {"epochs": 20, "batch_size": 32},
            },
        )


def sick(how: str, spec: Spec) -> Spec | None:
    """The config with a disease, or None where it would not show."""
    made: Spec = yaml.safe_load(yaml.safe_dump(spec))
    dense = [layer for layer in made["architecture"] if isinstance(layer, dict) and layer["type"] == "dense"]
    normed = "batch_norm" in made["architecture"]
    if how == "learning_rate_too_large":
        made["optimizer"]["learning_rate"] *= 1000
        return None if normed else made
    if how == "learning_rate_too_small":
        made["optimizer"]["learning_rate"] *= 1e-6
    elif how == "wrong_init":
        for layer in dense:
            layer["kernel_initializer"] = "zeros"
    elif how == "unscaled_inputs":
        made["dataset"]["transforms"] = [*made["dataset"].get("transforms", []), {"type": "scale", "by": 300.0}]
        return None if normed else made
    elif how == "dead_relu":
        if dense[0].get("activation") != "relu":
            return None
        dense[0]["bias_initializer"] = {"type": "constant", "value": -20.0}
    elif how == "vanishing_gradients":
        if len(dense) != 2:
            return None
        made["architecture"][1:-1] = [{"type": "dense", "units": 24, "activation": "sigmoid"}] * 10
    return made


DISEASES = (
    "learning_rate_too_large",
    "learning_rate_too_small",
    "wrong_init",
    "unscaled_inputs",
    "dead_relu",
    "vanishing_gradients",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=("healthy", *DISEASES))
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"

        def diseases(spec: Spec, *edit: str) -> Any:
            path.write_text(yaml.safe_dump(spec))
            return examine_config(path, edit, Limits(300, 60)).verdicts

        def score(spec: Spec) -> float:
            path.write_text(yaml.safe_dump(spec))
            return probe(load_config(path), 300, 60).score

        for name, spec in healthy(given.seeds):
            well = score(spec)
            if given.only in (None, "healthy"):
                found = diseases(spec)
                counts["healthy"] += 1
                counts["healthy, accused"] += bool(found)
                for verdict in found:
                    print(f"accused: {name}: {verdict.sentence}; {verdict.edit and verdict.edit.flags} {verdict.tried}")
            for how in DISEASES:
                made = sick(how, spec) if given.only in (None, how) else None
                if made is None or score(made) < 1.1 * well:
                    continue
                found = diseases(made)
                named = bool(found) and found[0].disease == how
                counts[how] += 1
                counts[f"{how}, named"] += named
                if not named:
                    print(f"not named: {how} of {name}: {[each.sentence for each in found]}")
                elif found[0].edit is not None:
                    again = diseases(made, *found[0].edit.set)
                    cured = how not in [each.disease for each in again]
                    counts[f"{how}, cured"] += cured
                    if not cured:
                        print(f"not cured: {how} of {name}: {found[0].edit.flags}: {again[0].sentence}")
    for key, count in sorted(counts.items()):
        print(f"{count:5d}  {key}")


if __name__ == "__main__":
    main()
