"""The files that `bp config init` writes: complete, commented, and training at once without a download."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.config.catalogue import nested
from backprop_cli.config.spelling import flow
from backprop_cli.errors import UsageError, expected

_TRAINER = """\
trainer:
  {epochs}
  {batch_size}
  {metrics}
  early_stopping:
    {monitor}
    {patience}
"""

_CLASSIFICATION = """\
# Which of two classes is a point of?
#   bp train {file}
# yaml-language-server: $schema=bp.schema.json        (bp config schema > bp.schema.json)
name: moons
seed: 0

dataset:
  source: synthetic          # `bp data ls` lists what there is; your own: {{source: files, path: my.csv, target: y}}
  name: moons
  samples: 1000
  noise: 0.2
  splits: {{train: "train[:70%]", validation: "train[70%:85%]", test: "train[85%:]"}}

architecture:                # one layer after the other; `bp layers` lists them
  - {{type: dense, units: 16, activation: relu}}
  - {{type: dense, units: 16, activation: relu}}
  - {{type: dense, units: 2, activation: softmax}}     # one unit a class

loss: sparse_categorical_crossentropy     # classes as numbers 0, 1, …
optimizer: {{type: adam, learning_rate: 1e-2}}
"""

_REGRESSION = """\
# A number from ten others, by Friedman's formula.
#   bp train {file}
# yaml-language-server: $schema=bp.schema.json        (bp config schema > bp.schema.json)
name: friedman
seed: 0

dataset:
  source: synthetic          # `bp data ls` lists what there is; your own: {{source: files, path: my.csv, target: y}}
  name: friedman
  samples: 2000
  splits: {{train: "train[:70%]", validation: "train[70%:85%]", test: "train[85%:]"}}

architecture:
  - {{type: dense, units: 32, activation: tanh}}
  - {{type: dense, units: 32, activation: tanh}}
  - {{type: dense, units: 1}}    # the value itself: no activation

loss: mse
optimizer: {{type: adam, learning_rate: 1e-2, schedule: {{type: cosine}}}}   # the rate falls to 0 by the last step
"""

_SEQUENCE = """\
# Add the two marked numbers of a sequence: something to remember over its length.
#   bp train {file}
# yaml-language-server: $schema=bp.schema.json        (bp config schema > bp.schema.json)
name: adding
seed: 0

dataset:
  source: synthetic
  name: adding               # rows (T, 2): a number and a mark at each step
  samples: 2000
  splits: {{train: "train[:70%]", validation: "train[70%:85%]", test: "train[85%:]"}}

architecture:
  - {{type: gru, units: 32}}     # the state after the last step
  - {{type: dense, units: 1}}

loss: mse
optimizer: {{type: adam, learning_rate: 1e-2, clip_norm: 1.0}}    # recurrent gradients can explode; this bounds them
"""

_IMAGES = """\
# Handwritten digits with a small convolutional network.
#   bp train {file}
# yaml-language-server: $schema=bp.schema.json        (bp config schema > bp.schema.json)
name: digits
seed: 0

dataset:
  source: sample             # 5,000 digits of MNIST that come with bp; all of it: {{source: tfds, name: mnist}}
  name: mnist5k
  transforms: [{{type: scale, by: 0.00392156862745098}}]      # 0…255 to 0…1

architecture:                # images are (height, width, channels)
  - {{type: conv2d, filters: 8, kernel_size: 3, activation: relu}}
  - {{type: max_pool2d}}
  - {{type: conv2d, filters: 16, kernel_size: 3, activation: relu}}
  - {{type: max_pool2d}}
  - flatten
  - {{type: dropout, rate: 0.2}}
  - {{type: dense, units: 10, activation: softmax}}

loss: sparse_categorical_crossentropy
optimizer: {{type: adam, learning_rate: 1e-3}}
"""

_STARTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "classification": (_CLASSIFICATION, {"epochs": 40, "batch": 32, "metrics": "accuracy", "patience": 10}),
    "regression": (_REGRESSION, {"epochs": 60, "batch": 32, "metrics": "mae", "patience": 15}),
    "sequence": (_SEQUENCE, {"epochs": 20, "batch": 32, "metrics": "mae", "patience": 5}),
    "images": (_IMAGES, {"epochs": 5, "batch": 64, "metrics": "accuracy", "patience": 2}),
}
TASKS = tuple(_STARTERS)


def starter(task: str = "classification", file: str = "config.yaml") -> str:
    """The text of a first config for a task. Raises UsageError for a task there is none for."""
    if task not in _STARTERS:
        raise UsageError(f"no starter for {task!r}; {expected(task, TASKS)}")
    text, values = _STARTERS[task]
    return text.format(file=file) + trainer(**values)


def opening(about: str, file: str, data: str, *hints: str) -> list[str]:
    """The first lines of a config for somebody's data: what it learns, commands to go on with, where the data lie."""
    name = Path(data).absolute().name.split(".")[0].strip() or "data"
    lines = [f"# {about}.", f"#   bp data info {file}      how the data are read", f"#   bp train {file}"]
    lines += [f"#   {hint}" for hint in hints]
    return [*lines, f"name: {flow(name)}", "seed: 0", "", "dataset:", "  source: files", f"  path: {flow(data)}"]


def dealt(own: Collection[str]) -> tuple[list[str], str]:
    """The line that deals rows into splits, none where the data come in splits of their `own`; and the loss that early
    stopping watches."""
    if len(own) > 1:
        return [], "validation/loss" if "validation" in own else "train/loss"
    return ["  splits: {train: 70%, validation: 15%, test: 15%}"], "validation/loss"


def trainer(epochs: int, batch: int, metrics: str, patience: int, monitor: str = "validation/loss") -> str:
    """The section `trainer:` of a first config, each option beside what it means."""
    cls: Any = registry.get("section", "trainer")
    stopping = nested(cls)["early_stopping"]
    return _TRAINER.format(
        epochs=commented(cls, "epochs", epochs),
        batch_size=commented(cls, "batch_size", batch),
        metrics=commented(cls, "metrics", f"[{metrics}]"),
        monitor=commented(stopping, "monitor", monitor),
        patience=commented(stopping, "patience", patience),
    )


def commented(cls: type, option: str, value: object) -> str:
    """`option: value   # what it means`, in the words that the reference has."""
    return f"{f'{option}: {value}':<26} # {registry.about(cls, option)}"
