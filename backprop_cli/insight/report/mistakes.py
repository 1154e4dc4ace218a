"""The examples a network is most surely wrong about, and pictures of them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.insight.view import SplitAnswers, View

LARGEST = 96  # pixels along the longer side of a picture


@dataclass(frozen=True)
class Mistake:
    """One example: its row in the split, its class, the predicted one, and how surely: the probability, or for
    scores the distance to the next answer."""

    row: int
    true: str
    predicted: str
    sureness: float


def mistakes(view: View, answers: SplitAnswers, count: int = 24) -> list[Mistake]:
    """The wrong answers, the surest first. Empty where one example has many answers (a class for each step)."""
    if len(answers.y) != len(answers.truth):
        return []
    sure = view.prepared.reading.sureness(answers.y)
    wrong = np.flatnonzero(answers.predicted != answers.truth)
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    names = answers.classes
    return [Mistake(int(i), names[answers.truth[i]], names[answers.predicted[i]], float(sure[i])) for i in order]


def is_image(x: Array) -> bool:
    """Whether one raw example looks like a picture: (H, W), (H, W, 1) or (H, W, 3), of 4 pixels at least."""
    return x.ndim in (2, 3) and min(x.shape[:2]) >= 4 and (x.ndim == 2 or x.shape[2] in (1, 3))


def data_uri(x: Array, white: float = 255) -> str:
    """A raw example as a PNG inside a `data:` address, scaled to 0…255 and to at most `LARGEST` pixels.

    `white` is the largest value that examples have; bytes may stop far below 255 (the digits of 0 … 16).
    """
    from PIL import Image

    pixels = x[..., 0] if x.ndim == 3 and x.shape[2] == 1 else x
    if pixels.dtype != np.uint8:
        low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    else:
        low, high = 0.0, float(white) if white < 128 else 255.0
    if pixels.dtype != np.uint8 or high < 255:
        pixels = (np.nan_to_num(np.asarray(pixels, float) - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST, LARGEST))
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
