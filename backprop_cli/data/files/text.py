"""Windows of a text, for language models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.files.paths import reading
from backprop_cli.data.files.request import Request
from backprop_cli.data.schema import Text
from backprop_cli.errors import DataError

UNKNOWN = "�"
_HEAD = 1 << 16  # bytes that tell whether it is a text at all
_WORD = re.compile(r"\w+(?:'\w+)?|[^\w\s]|\n")


def load_text(request: Request) -> Dataset:
    """The dataset of text files: x and y (N, length) int32 token ids; see `Files`. Raises DataError."""
    options, paths, slices, known = request.options, request.paths, request.slices, request.known
    tokens = {name: tokens_of(read_text(path), options.level) for name, path in paths.items()}
    sizes = {name: len(ids) for name, ids in tokens.items()}
    parts = splits.resolve(slices or splits.default(sizes), sizes)
    runs = {name: [tokens[p.base][p.start : p.stop] for p in of] for name, of in parts.items()}
    if known is not None and known.classes is not None:
        names = known.classes
    else:
        names = vocabulary(runs["train"] if "train" in runs else next(iter(runs.values())), options.vocabulary)
    ids = {token: i for i, token in enumerate(names)}
    windows = {}
    for name, pieces in runs.items():
        cut = [_windows(encode(text, ids), options.length, options.stride or options.length) for text in pieces]
        windows[name] = cut[0] if len(cut) == 1 else np.concatenate(cut)
        if not len(windows[name]):
            raise DataError(
                f"split {name}: {sum(len(text) for text in pieces)} tokens are too few for one window of "
                f"{options.length} and what comes next; expected at least {options.length + 1}"
            )
    return Dataset(
        name=next(iter(paths.values())).stem,
        source="files",
        splits={name: Split(ids[:, :-1], ids[:, 1:]) for name, ids in windows.items()},
        classes=names,
        origin=request.origin,
        text=Text(level=options.level, length=options.length),
    )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file. Raises DataError with the place of a byte that is not."""
    with reading(path), path.open("rb") as file:
        head = file.read(_HEAD)
        if b"\0" in head:
            raise DataError(f"{path}: holds NUL bytes: not a text; save the file as UTF-8")
        data = head + file.read()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8") from error


def tokens_of(text: str, level: str) -> Sequence[str]:
    """The characters, or the words, punctuation marks and line ends of a text."""
    return text if level == "character" else _WORD.findall(text)


def vocabulary(runs: Sequence[Sequence[str]], limit: int) -> list[str]:
    """A name for unknown tokens, then the `limit` most frequent ones, sorted."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run)
    return [UNKNOWN, *sorted(sorted(counts, key=lambda token: (-counts[token], token))[:limit])]


def encode(tokens: Sequence[str], ids: Mapping[str, int]) -> Array:
    """Token ids int32 (tokens,); 0 for what the vocabulary lacks."""
    return np.fromiter((ids.get(token, 0) for token in tokens), np.int32, len(tokens))


def _windows(ids: Array, length: int, stride: int) -> Array:
    """Every window of length + 1 ids, a view: (number of windows, length + 1)."""
    if len(ids) <= length:
        return np.empty((0, length + 1), ids.dtype)
    return np.lib.stride_tricks.sliding_window_view(ids, length + 1)[::stride]
