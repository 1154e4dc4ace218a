"""Noisy digits, and what the network makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after
from backprop_cli.engine.arrays import Array

STD = 0.3  # of the noise, as in denoising.yaml


def _digits(runs: Runs) -> tuple[Array, Array, Array]:
    """Test digits clean, with noise, and as the network gives them."""
    prepared = after(runs["denoising"])
    clean = prepared.dataset.splits["test"].x[:256].reshape(-1, 784) / 255
    noisy = clean + STD * np.random.default_rng(0).standard_normal(clean.shape)
    return clean, noisy, prepared.network.forward(noisy.astype(np.float32)).copy()


def left(runs: Runs) -> float:
    clean, noisy, answer = _digits(runs)
    return float(((answer - clean) ** 2).mean() / ((noisy - clean) ** 2).mean())


def draw(figure: Any, runs: Runs) -> None:
    """Clean, noisy and answered digits, from top to bottom."""
    for column, axes in enumerate(figure.subplots(3, 8).T):
        for pictures, one in zip(_digits(runs), axes, strict=True):
            one.imshow(pictures[column].reshape(28, 28), cmap="Greys", vmin=0, vmax=1)
            one.set(xticks=[], yticks=[])
