"""A variational autoencoder's middle: what it draws, what it adds to the loss, and where that may not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.train import train
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import BuildError, ConfigError
from backprop_cli.registry import make

VAE: dict[str, Any] = {
    "dataset": {
        "source": "sample",
        "name": "digits",
        "transforms": [{"type": "scale", "by": 0.0625}, {"type": "reshape", "shape": [64]}, "input_as_target"],
    },
    "architecture": [
        {"type": "dense", "units": 32, "activation": "relu"},
        {"type": "dense", "units": 8},
        {"type": "gaussian_sampling", "weight": 1 / 64},
        {"type": "dense", "units": 32, "activation": "relu"},
        {"type": "dense", "units": 64, "activation": "sigmoid"},
    ],
    "loss": "binary_crossentropy",
    "optimizer": {"type": "adam", "learning_rate": 0.003},
    "trainer": {"epochs": 8, "batch_size": 50, "metrics": ["mse"]},
}


def network(weight: float = 1.0, loss: Any = None) -> Network:
    layer = make("layer", {"type": "gaussian_sampling", "weight": weight})
    return Network([Node("z", layer, (INPUT,))], (6,), loss, seed=1, dtype="float64")


def test_draws_have_the_mean_and_the_variance_of_x() -> None:
    x = np.tile([1.0, -2.0, 0.0, 0.0, np.log(4), np.log(0.25)], (40_000, 1))
    y = network().forward(x, training=True)
    np.testing.assert_allclose(y.mean(axis=0), [1, -2, 0], atol=0.05)
    np.testing.assert_allclose(y.std(axis=0), [1, 2, 0.5], rtol=0.03)
    np.testing.assert_array_equal(network().forward(x), x[:, :3])


def test_its_divergence_is_part_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    net = network(0.3, make("loss", "mse"))
    z = net.forward(x)
    mean, variance = x[:, :3], np.exp(x[:, 3:])
    divergence = 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(axis=1).mean()
    assert net.loss(z, target) == pytest.approx(((mean - target) ** 2).mean() + 0.3 * divergence)


def test_an_odd_number_is_no_means_and_variances() -> None:
    layer = make("layer", "gaussian_sampling")
    with pytest.raises(BuildError, match="got 5 numbers"):
        Network([Node("z", layer, (INPUT,))], (5,), None)


@pytest.mark.trains
def test_the_sum_of_both_falls_and_draws_become_standard(tmp_path: Path) -> None:
    result = train(load_config(VAE), run_dir=tmp_path / "run")
    assert result["metrics"]["train/loss"] < 0.45  # 0.69 at the start
    assert result["metrics"]["validation/mse"] < 0.07  # the mean picture has 0.075


def test_processes_do_not_share_it() -> None:
    with pytest.raises(ConfigError, match="adds a term to the loss"):
        build.training(build.prepare(load_config(VAE, ["trainer.shards=2"])), ranks=Ranks(2))


@pytest.mark.parametrize("to", ["onnx", "numpy"])
def test_it_is_exported_as_its_mean(bp: Any, tmp_path: Path, to: str) -> None:
    train(load_config(VAE, ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    name = {"onnx": "vae.onnx", "numpy": "vae.py"}[to]
    done = bp("export", "run", "--to", to, "-o", name)
    assert done.code == 0, done.err  # the export compares its own outputs with those of the model
