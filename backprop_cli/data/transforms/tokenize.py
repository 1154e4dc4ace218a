from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, slot, transform
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"\w+|[^\w\s]")


@transform("tokenize")
class Tokenize(Transform):
    """Text ↦ `length` token ids, short texts filled with 0, long ones cut.

    The vocabulary is learned from the training split: the `vocabulary` most frequent words (or
    characters) get the ids 2, 3, …; everything else is 1.
    x (N,) text ↦ (N, length) int64   y as it is.  Raises BuildError for x that is not one text a row.
    """

    length: Annotated[int, Ge(1), Doc("ids of every row afterwards")]
    level: Annotated[Literal["word", "character"], Doc("whether a token is a word or a character")] = "word"
    vocabulary: Annotated[
        int, Ge(1), Doc("most frequent tokens that get an id of their own; all others share id 1")
    ] = 10_000
    lower: Annotated[bool, Doc("make letters lower case first")] = True

    tokens: dict[str, int] = slot()

    def fit(self, chunks: Chunks, y: Array) -> None:
        counts: Counter[str] = Counter()
        for x, _ in chunks():
            for text in x:
                counts.update(self.split(text))
        # ties by the token itself, so that the ids do not depend on the order of rows
        frequent = sorted(counts, key=lambda token: (-counts[token], token))[: self.vocabulary]
        self.tokens = {token: i for i, token in enumerate(frequent, UNKNOWN + 1)}

    def split(self, text: str | bytes) -> list[str]:
        """The tokens of one text."""
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        words = words.lower() if self.lower else words
        return _WORD.findall(words) if self.level == "word" else list(words)

    def state(self) -> dict[str, Array]:
        encoded = [token.encode() for token in self.tokens]
        return {
            "tokens": np.frombuffer(b"".join(encoded), np.uint8),
            "lengths": np.array([len(token) for token in encoded], np.int64),
        }

    def load_state(self, state: dict[str, Array]) -> None:
        ends = np.cumsum(state["lengths"]).tolist()
        text = state["tokens"].tobytes()
        starts = [0, *ends[:-1]]
        self.tokens = {
            text[start:end].decode(): i for i, (start, end) in enumerate(zip(starts, ends, strict=True), UNKNOWN + 1)
        }

    def output_shape(self, shape: Shape) -> Shape:
        if shape != ():
            raise BuildError(f"expected one text a row, got rows of shape {shape}", "tokenize")
        return (self.length,)

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        if dtype.kind not in "SUO":
            raise BuildError(f"expected text, got {dtype}", "tokenize")
        return np.dtype(np.int64)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        out[...] = PADDING
        for row, text in zip(out, x, strict=True):
            ids = [self.tokens.get(token, UNKNOWN) for token in self.split(text)[: self.length]]
            row[: len(ids)] = ids
        return y
