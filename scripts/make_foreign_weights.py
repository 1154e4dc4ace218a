"""Make tests/model/weights/files/: small networks of PyTorch and Keras, with inputs as bp takes them, and outputs.

    pip install torch==2.13.0 keras==3.15.1 jax safetensors && python scripts/make_foreign_weights.py

Images are NHWC in the files of inputs; PyTorch is given them as NCHW. Running statistics are drawn at random.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
import torch
from keras import layers
from safetensors.torch import save_file
from torch import nn

FILES = Path(__file__).resolve().parent.parent / "tests" / "model" / "weights" / "files"


class Sequences(nn.Module):
    """Every recurrent layer of PyTorch, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.rnn = nn.RNN(4, 3, batch_first=True)
        self.lstm = nn.LSTM(3, 3, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(6)
        self.gru = nn.GRU(6, 4, num_layers=2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.norm(self.lstm(self.rnn(self.embed(x))[0])[0])
        return self.head(self.gru(z)[0][:, -1])


class Attention(nn.Module):
    """A block of a transformer with positions that are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1, 5, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.slope = nn.PReLU()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.positions
        return self.head(self.slope(x + self.attention(x, x, x, need_weights=False)[0]))


def torch_networks() -> dict[str, tuple[nn.Module, np.ndarray, tuple[int, ...] | None]]:
    """By name: the network, its inputs as bp takes them, and the order of axes in which PyTorch does."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 6, 5, 2)).astype(np.float32)
    waves = rng.normal(size=(3, 8, 2)).astype(np.float32)
    cnn = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 6, 2, groups=3, bias=False),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(24),
        nn.Dropout(0.5),
        nn.Linear(24, 4),
        nn.ReLU(),
        nn.Linear(4, 3),
    )
    upward = nn.Sequential(nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4))
    wave = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(9, 2))
    return {
        "torch_cnn": (cnn, images, (0, 3, 1, 2)),
        "torch_upward": (upward, images, (0, 3, 1, 2)),
        "torch_wave": (wave, waves, (0, 2, 1)),
        "torch_sequences": (Sequences(), rng.integers(0, 7, (3, 5)), None),
        "torch_attention": (Attention(), rng.normal(size=(3, 5, 4)).astype(np.float32), None),
    }


def write_torch(name: str, network: nn.Module, x: np.ndarray, order: tuple[int, ...] | None) -> None:
    network.eval()
    for each in network.modules():
        if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d):
            each.running_mean.normal_()
            each.running_var.uniform_(0.5, 2)
            nn.init.uniform_(each.weight, 0.5, 2)
            nn.init.normal_(each.bias)
    with torch.no_grad():
        y = network(torch.from_numpy(x if order is None else x.transpose(order).copy())).numpy()
    y = y.transpose(0, 2, 3, 1) if y.ndim == 4 else y
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, FILES / f"{name}.safetensors")
    np.savez(FILES / f"{name}.npz", x=x, y=y)


def keras_networks() -> dict[str, tuple[Callable[[Any], Any], np.ndarray]]:
    """By name: the layers after the input, and inputs."""
    rng = np.random.default_rng(0)

    def cnn(z: Any) -> Any:
        z = layers.Conv2D(3, 3, padding="same", strides=2, activation="relu")(z)
        z = layers.BatchNormalization(scale=False)(z)
        z = layers.DepthwiseConv2D(2, depth_multiplier=2)(z)
        z = layers.Conv2DTranspose(2, 2, strides=2)(z)
        z = layers.PReLU(shared_axes=[1, 2])(z)
        return layers.Dense(3, name="head")(layers.Dense(4, activation="tanh")(layers.Flatten()(z)))

    def sequences(z: Any) -> Any:
        z = layers.Embedding(7, 4, mask_zero=True)(z)
        z = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(z)
        z = layers.GRU(4, return_sequences=True)(layers.LayerNormalization()(z))
        z = layers.GRU(4, reset_after=False, return_sequences=True)(layers.Dropout(0.5)(z))
        return layers.Dense(2)(layers.SimpleRNN(3)(z))

    def attention(z: Any) -> Any:
        return layers.RMSNormalization()(layers.MultiHeadAttention(2, 2)(z, z) + z)

    ids = rng.integers(1, 7, (3, 5))
    ids[0, 3:] = 0
    return {
        "keras_cnn": (cnn, rng.normal(size=(3, 6, 5, 2)).astype(np.float32)),
        "keras_sequences": (sequences, ids),
        "keras_attention": (attention, rng.normal(size=(3, 5, 4)).astype(np.float32)),
    }


def write_keras(name: str, build: Callable[[Any], Any], x: np.ndarray) -> None:
    inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
    model = keras.Model(inputs, build(inputs))
    rng = np.random.default_rng(1)
    for each in model.weights:
        if "seed" not in each.path:
            spread = rng.uniform(0.5, 2, each.shape) if "variance" in each.path else rng.normal(0, 0.7, each.shape)
            each.assign(spread)
    model.save_weights(FILES / f"{name}.weights.h5")
    if name == "keras_cnn":
        model.save(FILES / f"{name}.keras")
    model.save(FILES / f"{name}.h5")  # as Keras 2 wrote them
    np.savez(FILES / f"{name}.npz", x=x, y=np.asarray(model(x)))


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    torch.manual_seed(0)
    for name, (network, x, order) in torch_networks().items():
        write_torch(name, network, x, order)
    for name, (build, x) in keras_networks().items():
        write_keras(name, build, x)
