"""What is trained: networks, data, batches, the same for every peer."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
ROOT = Path(__file__).parents[1]
TORCH, COMPILED = ("torch", "torch-best"), ("torch", "torch-best", "torch-compile")
ALL = ("torch", "torch-best", "torch-compile", "jax", "keras-tf", "keras-jax", "sklearn")


@dataclass(frozen=True)
class Workload:
    """One network on one set of data. A round is one epoch of `samples` examples."""

    title: str
    family: str  # mlp | cnn | vgg | resnet | lstm | gru | transformer | xor: the peers build their own from it
    sizes: tuple[int, ...]  # of an mlp: units of each layer, the input's first
    batch: int
    samples: int
    architecture: list[Any]  # bp's
    data: str
    peers: tuple[str, ...] = TORCH
    gemms: bool = False  # whether "GEMM only" is measured beside it

    @property
    def steps(self) -> int:
        return -(-self.samples // self.batch)


def _mlp(*hidden: int) -> list[Any]:
    return [
        "flatten",
        *({"type": "dense", "units": units, "activation": "relu"} for units in hidden),
        {"type": "dense", "units": 10, "activation": "softmax"},
    ]


def _mnist_mlp(*hidden: int, batch: int, samples: int, peers: tuple[str, ...] = (*TORCH, "jax")) -> Workload:
    sizes = (784, *hidden, 10)
    title = f"MLP {'-'.join(map(str, sizes))}, batch {batch}"
    return Workload(title, "mlp", sizes, batch, samples, _mlp(*hidden), "mnist", peers, True)


def _resnet_block(filters: int, strides: int) -> Any:
    first = {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "strides": strides}
    second = {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "bias": False}
    return [{"residual": [first | {"bias": False}, "batch_norm", "relu", second, "batch_norm"]}, "relu"]


#: He et al. 2016, arXiv:1512.03385, section 4.2, n = 3; shortcuts of another shape through a 1×1 convolution
_RESNET: list[Any] = [
    {"type": "conv2d", "filters": 16, "kernel_size": 3, "padding": "same", "bias": False},
    "batch_norm",
    "relu",
    *(
        layer
        for filters in (16, 32, 64)
        for number in range(3)
        for layer in _resnet_block(filters, 2 if filters > 16 and number == 0 else 1)
    ),
    "global_avg_pool",
    {"type": "dense", "units": 10, "activation": "softmax"},
]


_CNN: list[Any] = [
    {"type": "conv2d", "filters": 16, "kernel_size": 3, "activation": "relu"},
    "max_pool2d",
    {"type": "conv2d", "filters": 32, "kernel_size": 3, "activation": "relu"},
    "max_pool2d",
    *_mlp(128),
]
_VGG: list[Any] = [
    *(
        layer
        for filters in (32, 64, 128)
        for layer in (
            *[{"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}] * 2,
            "max_pool2d",
        )
    ),
    *_mlp(256),
]
_TRANSFORMER: list[Any] = [
    {"type": "embedding", "input_dim": 80, "output_dim": 64},
    "positional_embedding",
    {
        "repeat": {
            "times": 2,
            "layers": [
                {"residual": ["layer_norm", {"type": "multi_head_attention", "heads": 4, "causal": True}]},
                {
                    "residual": [
                        "layer_norm",
                        {"type": "dense", "units": 256, "activation": "gelu"},
                        {"type": "dense", "units": 64},
                    ]
                },
            ],
        }
    },
    "layer_norm",
    {"type": "dense", "units": 80, "activation": "softmax"},
]
_LSTM: list[Any] = [{"type": "lstm", "units": 128}, {"type": "dense", "units": 10, "activation": "softmax"}]
_XOR: list[Any] = [
    {"type": "dense", "units": 4, "activation": "sigmoid"},
    {"type": "dense", "units": 1, "activation": "sigmoid"},
]

_GRU: list[Any] = [{"type": "gru", "units": 128}, _LSTM[1]]

WORKLOADS = {
    "xor": Workload("XOR 2-4-1, all four examples, SGD", "xor", (), 4, 4, _XOR, "xor", (*TORCH, "jax")),
    "mlp-32": _mnist_mlp(128, batch=32, samples=30_000, peers=ALL),
    "mlp-128": _mnist_mlp(128, batch=128, samples=30_000),
    "mlp-narrow": _mnist_mlp(32, 32, 32, 32, batch=16, samples=15_360),
    "mlp-wide": _mnist_mlp(512, batch=256, samples=25_600),
    "mlp-deep": _mnist_mlp(1024, 1024, batch=128, samples=5_120),
    "cnn": Workload("CNN 16-32, dense 128, 28×28×1, batch 64", "cnn", (), 64, 2_560, _CNN, "images", COMPILED),
    "vgg": Workload("VGG-like 32-32-64-64-128-128, 32×32×3, batch 64", "vgg", (), 64, 256, _VGG, "patterns"),
    "resnet": Workload("ResNet-20, 32×32×3, batch 64", "resnet", (), 64, 128, _RESNET, "patterns"),
    "lstm": Workload("LSTM 28 → 128, 28 steps, batch 64", "lstm", (), 64, 2_560, _LSTM, "rows"),
    "gru": Workload("GRU 28 → 128, 28 steps, batch 64", "gru", (), 64, 2_560, _GRU, "rows"),
    "transformer": Workload(
        "character transformer, 2 blocks of width 64, 64 steps, batch 32",
        "transformer",
        (),
        32,
        640,
        _TRANSFORMER,
        "text",
        COMPILED,
    ),
}
XOR_EPOCHS = 10_000  # of four examples: a round of the XOR workload, long enough for processors to speed up


def named(name: str) -> Workload:
    """One of WORKLOADS, or an MLP on MNIST by its hidden units and its batch: `mlp 64-64 batch 32`."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    _, hidden, _, batch = name.split()
    units, size = [int(number) for number in hidden.split("-")], int(batch)
    return _mnist_mlp(*units, batch=size, samples=min(40 * size, 20_000))


def save_data(kind: str, path: Path) -> None:
    """Write x_train, y_train, x_test, y_test as .npz."""
    arrays = {"xor": _xor, "text": _text, "patterns": _patterns}.get(kind)
    x, y, x_test, y_test = arrays() if arrays else _mnist()
    if kind == "mnist":
        x, x_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
    if kind == "rows":
        x, x_test = x.reshape(-1, 28, 28), x_test.reshape(-1, 28, 28)
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)


def _mnist() -> tuple[Array, ...]:
    """MNIST's own files from $BP_MNIST if it names their folder, else the sample that ships, repeated to 60,000."""
    if os.environ.get("BP_MNIST"):
        folder = Path(os.environ["BP_MNIST"])
        found = []
        for name in ("train", "t10k"):
            with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
                found.append(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1))
            with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
                found.append(np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64))
        return tuple(found)
    with np.load(ROOT / "backprop_cli/data/sample/mnist5k.npz") as sample:
        x, y = sample["train_x"], sample["train_y"]
    x, y = x.reshape(-1, 28, 28, 1), y.astype(np.int64)
    held = len(x) // 5
    repeats = -(-60_000 // (len(x) - held))
    return np.tile(x[held:], (repeats, 1, 1, 1))[:60_000], np.tile(y[held:], repeats)[:60_000], x[:held], y[:held]


def _patterns() -> tuple[Array, ...]:
    """Ten noisy colour patterns."""
    rng = np.random.default_rng(0)
    means = rng.integers(0, 256, (10, 32, 32, 3))
    y = rng.integers(0, 10, 1_000)
    x = (0.3 * means[y] + 0.7 * rng.integers(0, 256, (1_000, 32, 32, 3))).astype(np.uint8)
    return x[:800], y[:800], x[800:], y[800:]


def _text() -> tuple[Array, ...]:
    """Windows of 64 characters of a novel; the targets are the characters that follow."""
    text = (ROOT / "backprop_cli/data/sample/pride_and_prejudice.txt").read_text(encoding="utf-8")
    letters = {letter: i for i, letter in enumerate(sorted(set(text))[:80])}
    ids = np.array([letters.get(letter, 0) for letter in text], np.int64)
    starts = np.random.default_rng(0).permutation(len(ids) - 65)[:2_000]
    windows = ids[starts[:, None] + np.arange(65)]
    return windows[:1_600, :-1], windows[:1_600, 1:], windows[1_600:, :-1], windows[1_600:, 1:]


def _xor() -> tuple[Array, ...]:
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]], np.float32)
    return x, y, x, y
