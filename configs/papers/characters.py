"""How surprising the text is to the network, and what it writes itself."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from backprop_cli import load
from backprop_cli.commands.generate import generate
from backprop_cli.commands.lessons.look import Runs, after, answers, before
from backprop_cli.data.sample_files import sample_path
from backprop_cli.runs.metrics_log import read


def first_loss(runs: Runs) -> float:
    y, target = answers(before(runs["characters"]), "validation")
    return float(-np.log(np.take_along_axis(y, target[..., None], -1)).mean())


def over_frequencies(runs: Runs) -> float:
    """The last validation loss over the entropy of the letters."""
    targets = np.concatenate([target.ravel() for _, target in after(runs["characters"]).batches("train").epoch(0)])
    shares = np.bincount(targets) / len(targets)
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    return float(list(read(runs["characters"].metrics))[-1]["validation/loss"] / entropy)


def _written(runs: Runs) -> str:
    return "".join(generate(load(runs["characters"].path), 800, "It is ", temperature=0.7))


def words(runs: Runs) -> float:
    """The first and the last word are cut."""
    text = sample_path("pride_and_prejudice").read_text(encoding="utf-8").lower()
    known = set(re.findall(r"[a-z]+", text))
    drawn = re.findall(r"[a-z]+", _written(runs).lower())[1:-1]
    return float(np.mean([word in known for word in drawn]))


def draw(figure: Any, runs: Runs) -> None:
    """The losses, and a text."""
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    rows = list(read(runs["characters"].metrics))
    for split in ("train", "validation"):
        left.plot([row["epoch"] for row in rows], [row[f"{split}/loss"] for row in rows], label=split)
    left.set(xlabel="epoch", ylabel="nats a character")
    left.legend()
    right.text(0, 1, _written(runs)[:500], wrap=True, va="top", fontsize=7, family="monospace")
    right.axis("off")
