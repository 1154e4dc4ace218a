"""Kernels that follow each other image by image leave the bits that they leave one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine import kernels
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.replay import chains
from backprop_cli.engine.replay.program import Chain, Kind, Program
from backprop_cli.engine.replay.recorder import StepRecorder
from backprop_cli.registry import make
from backprop_cli.training.loop import Loop
from backprop_cli.training.options import Trainer
from tests.training.test_replay import STEPS, assert_the_same, call_by_call

pytestmark = pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")

LARGE = 33
CONV = {"type": "conv2d", "filters": 17, "kernel_size": 3, "padding": "same", "activation": "relu"}
RESIDUAL = ["fork", CONV | {"activation": None, "bias": False}, "batch_norm", "relu", CONV, "add", "relu"]


def training(layers: list[Any], batch: int, shape: tuple[int, ...] = (12, 11, 2), dtype: str = "float32") -> Loop:
    """Of two batches of noise. `fork`: what comes out here is what the next `add` adds."""
    nodes: list[Node] = []
    fork = last = INPUT
    for number, layer in enumerate([*layers, "flatten", {"type": "dense", "units": 3}]):
        if layer == "fork":
            fork = last
            continue
        inputs = (last, fork) if layer == "add" else (last,)
        last = f"layer{number}"
        nodes.append(Node(last, make("layer", layer), inputs))
    network = Network(nodes, shape, make("loss", "mse"), dtype=dtype, kernels="compiled")
    rng = np.random.default_rng(1)
    split = Split(rng.normal(size=(2 * batch, *shape)).astype(dtype), rng.normal(size=(2 * batch, 3)).astype(dtype))
    options = {"dtype": np.dtype(dtype), "kernels": network.kernels, "into": network.input_buffer}
    optimizer = make("optimizer", {"type": "sgd", "learning_rate": 1e-3})
    return Loop(network, optimizer, Batches(split, batch, **options), None, Trainer(epochs=STEPS // 2))


def chained(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> list[Chain]:
    """The chains of a training, which is run."""
    made: list[Chain] = []

    def noted(calls: Any, make: Any = chains._chain) -> Chain | None:
        chain = make(calls)
        made.extend([chain] if chain is not None else [])
        return chain  # type: ignore[no-any-return]  # what it gave

    with monkeypatch.context() as patch:
        patch.setattr(chains, "_chain", noted)
        loop.run()
    assert loop.replay.learned
    return made


@pytest.mark.large
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3, 16, LARGE])
@pytest.mark.parametrize(
    ("layers", "least", "longest"),
    [
        ([CONV, "max_pool2d", CONV, "avg_pool2d"], 3, 3),
        ([CONV | {"strides": 2}, "max_pool2d", CONV | {"padding": "valid", "kernel_size": 1}], 1, 3),
        (
            [
                CONV,
                *RESIDUAL,
                "batch_norm",
                "relu",
                {"type": "max_pool2d", "pool_size": 3, "strides": 1},
            ],
            5,
            4,
        ),
    ],
)
def test_chains_leave_the_same_bits(
    layers: list[Any], least: int, longest: int, batch: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "LEAST", 0)
    monkeypatch.setattr(chains, "CACHE", 2_000)  # some images at once
    one, other = training(layers, batch, dtype=dtype), call_by_call(training(layers, batch, dtype=dtype))
    made = chained(one, monkeypatch)
    assert len(made) >= least
    if batch == LARGE:  # sums over channels are cut into shares
        assert max(chain.count for chain in made) >= longest
    other.run()
    assert_the_same(one, other)


@pytest.mark.large
@settings(max_examples=25, deadline=None)
@given(
    filters=st.integers(1, 40),
    channels=st.integers(1, 20),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
    pool=st.integers(1, 3),
    size=st.tuples(st.integers(6, 13), st.integers(6, 13)),
    batch=st.integers(1, 40),
    cache=st.sampled_from([1, 5_000, 1 << 18]),
)
def test_whatever_the_images(
    filters: int,
    channels: int,
    kernel: tuple[int, int],
    strides: int,
    padding: str,
    pool: int,
    size: tuple[int, int],
    batch: int,
    cache: int,
) -> None:
    first = {"type": "conv2d", "filters": channels, "kernel_size": 1, "activation": "relu"}
    conv = CONV | {"filters": filters, "kernel_size": list(kernel), "strides": strides, "padding": padding}
    layers = [first, conv, {"type": "max_pool2d", "pool_size": pool, "padding": "same"}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "LEAST", 0)
        patch.setattr(chains, "CACHE", cache)
        one, other = training(layers, batch, (*size, 1)), call_by_call(training(layers, batch, (*size, 1)))
        one.run()
        other.run()
    assert one.replay.learned
    assert_the_same(one, other)


def written(calls: list[tuple[str, *tuple[Any, ...]]], cuts: set[int], monkeypatch: pytest.MonkeyPatch) -> list[Kind]:
    """The kinds of the operations that are made of these calls; running them leaves what the calls leave."""
    monkeypatch.setattr(chains, "LEAST", 0)
    recorder = StepRecorder()
    for name, *arguments in calls:
        getattr(recorder.kernels(kernels.load("compiled")), name)(*arguments)
    arrays = [array for _, *arguments in calls for array in arguments if array is not None]
    wanted = [array.copy() for array in arrays]
    operations, keep = chains.join(recorder.operations, cuts, recorder.linked)
    program = Program(operations, [*recorder.keep, *keep])
    program.run(0, len(program))
    for array, copy in zip(arrays, wanted, strict=True):
        np.testing.assert_array_equal(array, copy)
    return [Kind(operation.kind) for operation in operations]


def images(rng: np.random.Generator, n: int = 8, size: int = 5) -> Any:
    return rng.normal(size=(n, size)).astype(np.float32)


def test_what_one_writes_of_an_image_the_next_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y, z = (images(rng) for _ in range(3))
    calls = [("relu", x, y), ("add", y, x, z), ("copy", z, y.copy())]
    assert written(calls, set(), monkeypatch) == [Kind.CHAIN, Kind.NOTHING, Kind.NOTHING]
    assert written(calls, {1}, monkeypatch) == [Kind.KERNEL, Kind.CHAIN, Kind.NOTHING]
    assert written(calls, {1, 2}, monkeypatch) == [Kind.KERNEL] * 3


def test_memory_that_two_use_in_other_ways_parts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x, y = images(rng), images(rng)
    memory = rng.normal(size=100).astype(np.float32)
    narrow, wide, bias = memory[:24].reshape(8, 3), memory[10:50].reshape(8, 5), memory[:5]
    part = rng.normal(size=(8, 3)).astype(np.float32)
    assert written([("relu", part, narrow), ("copy", x, y)], set(), monkeypatch) == [Kind.CHAIN, Kind.NOTHING]
    apart = [Kind.KERNEL, Kind.KERNEL]
    assert written([("relu", part, narrow), ("copy", y, wide)], set(), monkeypatch) == apart  # images lie elsewhere
    channels, sums = rng.normal(size=(8, 2, 5)).astype(np.float32), np.zeros((2, 5), np.float32)
    gradient = [("copy", part, narrow), ("channels_relu_gradient", abs(channels), channels, bias, sums, None)]
    assert written(gradient, set(), monkeypatch) == apart  # what the first writes of images, the second sums into
    fewer = images(rng, n=6)
    assert written([("relu", x, y), ("relu", fewer, fewer.copy())], set(), monkeypatch) == apart  # of other batches
