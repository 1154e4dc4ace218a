"""Configs that diverge: stopped within a step of the first number that is not finite.

    python -m tests.reliability.diverging --trials 100

A callback looks at every weight, gradient and loss after each step, one by one, and notes the first step
after which something is not finite; the run must have stopped at that step or the next.
"""

from __future__ import annotations

import json
import random
import re

import numpy as np

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import DivergedError
from backprop_cli.training.loop import Callback, Loop
from tests.checkpoints import Checkpoint
from tests.reliability.compare import EVERYTHING, rows
from tests.reliability.harness import folder, trials

ACTIVATIONS = ["relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "leaky_relu", "linear"]
OPTIMIZERS = ["sgd", "{type: sgd, momentum: 0.9}", "adam", "adamw", "rmsprop", "nadam", "adagrad"]
LOSSES = ["sparse_categorical_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error"]


class Watch(Callback):
    """Looks at everything after each step."""

    first: int | None = None

    def step(self, loop: Loop, loss: float) -> None:
        store = loop.network.store
        vectors = (store.values, store.gradients[: store.trainable], store.state, *loop.optimizer.memory.values())
        if self.first is None and not (np.isfinite(loss) and all(np.isfinite(v).all() for v in vectors[:3])):
            self.first = loop.step


def settings(rng: random.Random) -> list[str]:
    """A training that will not go well."""
    mean = rng.choice(LOSSES) == "mean_squared_error"
    exponent = rng.choice([3, 6, 12, 20, 30, 37])
    chosen = [
        f"optimizer={rng.choice(OPTIMIZERS)}",
        f"optimizer.learning_rate={rng.uniform(1, 9):.3f}e{exponent}",
        f"architecture.3={rng.choice(ACTIVATIONS)}",
        f"dtype={rng.choice(['float32', 'float32', 'float64'])}",
        "trainer.epochs=30",
        "trainer.early_stopping.patience=30",
        "trainer.checkpoint.every_steps=1",
    ]
    if mean:
        chosen += ["loss=mean_squared_error", "dataset.transforms+={type: one_hot, classes: 10}"]
        chosen += ["architecture.6={type: dense, units: 10}", "trainer.metrics=[]"]
    if rng.random() < 0.4:
        chosen.append("architecture.2=linear")  # without batch norm
    return chosen


def main() -> None:
    count = trials(100)
    diverged = late = tried = 0
    while diverged < count:
        rng, watch = random.Random(tried), Watch()
        tried += 1
        with folder() as path, np.errstate(all="ignore"):
            cfg = load_config(EVERYTHING, settings(rng))
            try:
                train(cfg, run_dir=path / "run", callbacks=[watch], warn=lambda text: None)
                assert watch.first is None, f"{settings(rng)}: not finite after step {watch.first}, and trained on"
                continue
            except DivergedError as error:
                text = str(error)
            diverged += 1
            stopped = int(re.search(r"(?:at|after) step (\d+)", text)[1])  # type: ignore[index]  # it says so
            late += watch.first is not None and stopped > watch.first + 1
            assert "layer" in text or "loss" in text, text
            rows(path / "run")
            assert json.loads((path / "run" / "run.json").read_text())["status"] == "diverged"
            for file in (path / "run" / "checkpoints").iterdir():
                assert all(np.isfinite(array).all() for array in Checkpoint.read(file).arrays.values()), file
    print(f"{count} configs that diverge (of {tried}): {count - late} stopped within 1 step, no checkpoint spoilt")
    assert late == 0


if __name__ == "__main__":
    main()
