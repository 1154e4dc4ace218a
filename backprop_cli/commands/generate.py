"""Text from a model that has learnt to guess the next character or word: each token is drawn and becomes input."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from backprop_cli.data.files.text import encode, tokens_of
from backprop_cli.data.inputs import Rows
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.model import Model

UNKNOWN_ID = 0  # of what the vocabulary lacks; it is never drawn
_CLOSES = re.compile(r"[.,;:!?)\]}’”%\n]|'\w*")  # what no space stands before


def generate(
    model: Model,
    count: int,
    prompt: str = "",
    *,
    temperature: float = 1.0,
    seed: int = 0,
    strict: bool = False,
    warn: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """`count` characters or words that go on after the prompt, one by one.

    A token is drawn with p_i^(1/temperature) / Σ p_j^(1/temperature), at 0 it is the likeliest. The network sees the
    last `length` tokens, as many as it was trained with. The same seed gives the same text.
    Raises UsageError for a model that does not guess what comes next; DataError for a prompt that is none of what it
    has learnt, under `strict` for one that holds anything else.
    """
    if not 0 <= temperature < math.inf:
        raise UsageError(f"--temperature {temperature}: expected a number from 0")
    schema, network = model.description.data, model.network
    names = schema.classes or []
    if schema.text is None or network.output_shape != (schema.text.length, len(names)):
        raise UsageError(f"{model}: --generate continues a text, and this model was not trained to predict one")
    length = schema.text.length
    tokens = list(tokens_of(prompt, schema.text.level))
    _check_prompt(tokens, names, strict, warn)
    rng = np.random.default_rng(seed)
    ids = list(encode(tokens, {token: i for i, token in enumerate(names)}))
    if not ids:
        ids = [names.index("\n") if "\n" in names else int(rng.integers(1, len(names)))]
    if not _reads_onward(model, length, len(names)):
        raise UsageError(f"{model}: its network also sees later tokens, so it cannot continue a text")
    last = tokens[-1] if tokens else "\n"
    for _ in range(count):
        seen = ids[-length:]
        p = _shares(model, seen, length)
        p[UNKNOWN_ID] = 0
        chosen = int(p.argmax()) if temperature == 0 else _drawn(p, temperature, rng)
        ids.append(chosen)
        yield _spaced(names[chosen], last) if schema.text.level == "word" else names[chosen]
        last = names[chosen]


def _check_prompt(
    tokens: Sequence[str], names: Sequence[str], strict: bool, warn: Callable[[str], None] | None
) -> None:
    unknown = list(dict.fromkeys(token for token in tokens if token not in names))
    if not unknown:
        return
    shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
    if strict or len(unknown) == len(set(tokens)):
        raise DataError(f"--prompt holds {shown}, which the model has not learnt; use what its text holds")
    if warn is not None:
        warn(f"--prompt holds {shown}, which the model has not learnt: read as unknown")


def _reads_onward(model: Model, length: int, width: int) -> bool:
    """Whether what a step says is the same whatever comes after it."""
    x = np.random.default_rng(0).integers(1, width, (2, length))
    x[1, : length // 2] = x[0, : length // 2]
    y = model.outputs(Rows(x))
    return bool(np.allclose(y[0, : length // 2], y[1, : length // 2], rtol=1e-4, atol=1e-6))


def _shares(model: Model, seen: Sequence[int], length: int) -> Array:
    """The probability of each token to come next; a short text is filled up behind its end, where nobody looks."""
    x = np.zeros((1, length), np.int32)
    x[0, : len(seen)] = seen
    y = model.outputs(Rows(x))[:, len(seen) - 1]
    p = model.description.reading.probabilities(y)
    if p is None:
        raise UsageError(f"{model}: its outputs are scores, not probabilities, so no next token can be drawn")
    return np.asarray(p[0])


def _drawn(p: Array, temperature: float, rng: np.random.Generator) -> int:
    with np.errstate(divide="ignore"):
        z = np.log(p) / temperature
    p = np.exp(z - z.max())
    return int(rng.choice(len(p), p=p / p.sum()))


def _spaced(word: str, before: str) -> str:
    return word if before == "\n" or _CLOSES.fullmatch(word) else f" {word}"
