"""Windows of any geometry, against loops that follow the definition one position at a time."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import Network, Node
from backprop_cli.errors import BuildError
from backprop_cli.registry import make

Array = npt.NDArray[Any]


@st.composite
def geometries(draw: st.DrawFn, rank: int, dilated: bool = True) -> dict[str, Any]:
    """Sizes and a window that fits into them."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=rank, max_size=rank))
    kernel = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    dilation = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank)) if dilated else [1] * rank
    strides = draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    sides = st.lists(st.integers(0, 2), min_size=2, max_size=2)
    padding = draw(st.sampled_from(["same", "valid"]) | st.lists(sides, min_size=rank, max_size=rank))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = [(0, 0)] * rank if padding == "valid" else padding
    if padding == "same":
        pads = [same(*each) for each in zip(sizes, reach, strides, strict=True)]
    assume(all(size + sum(pad) >= r for size, pad, r in zip(sizes, pads, reach, strict=True)))
    return {
        "sizes": sizes,
        "window": {"strides": strides, "padding": padding},
        "kernel": kernel,
        "dilation": dilation,
        "pads": pads,
    }


def same(size: int, reach: int, stride: int) -> tuple[int, int]:
    """TensorFlow's words: enough that every stride-th place, from the first, has a window; the odd cell after."""
    total = max(reach - (size % stride or stride), 0)
    return total // 2, total - total // 2


def windows(x: Array, geometry: dict[str, Any], fill: float) -> dict[tuple[int, ...], Array]:
    """Position -> the cells (N, k…, C) under the window, padding filled."""
    padded = np.pad(x, [(0, 0), *geometry["pads"], (0, 0)], constant_values=fill)
    kernel, dilation, strides = geometry["kernel"], geometry["dilation"], geometry["window"]["strides"]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    counts = [(size - r) // s + 1 for size, r, s in zip(padded.shape[1:-1], reach, strides, strict=True)]
    found = {}
    for position in product(*map(range, counts)):
        cells = tuple(slice(p * s, p * s + r, d) for p, s, r, d in zip(position, strides, reach, dilation, strict=True))
        found[position] = padded[(slice(None), *cells)]
    return found


def assemble(values: dict[tuple[int, ...], Array]) -> Array:
    counts = [max(axis) + 1 for axis in zip(*values, strict=True)]
    return np.stack(list(values.values()), axis=1).reshape(-1, *counts, next(iter(values.values())).shape[-1])


def built(spec: dict[str, Any], shape: tuple[int, ...]) -> Network:
    layer = make("layer", spec)
    layer.numbers_at_once = 60  # so that a batch takes several portions
    nodes = [Node("layer", layer, ("input",))]
    network = Network(nodes, shape, Projection(), dtype="float64", input_gradient=True)
    network.store.values[...] = np.random.default_rng(0).normal(size=network.store.values.shape)
    return network


def assert_adjoint(network: Network, x: Array, rng: np.random.Generator) -> None:
    """⟨dx, v⟩ = ⟨dy, f(x + v) − f(x)⟩ and the same for W: what makes a gradient of a linear map right."""
    y = network.forward(x).copy()
    r = rng.normal(size=y.shape)
    network.store.gradients[...] = np.nan
    network.loss(network.forward(x), r)
    network.backward()
    v = rng.normal(size=x.shape)
    dx = network.input_gradients.copy()
    dW = {name: gradient.copy() for name, gradient in network.gradients.items()}
    assert np.vdot(dx, v) == pytest.approx(np.vdot(r, network.forward(x + v) - y), rel=1e-9, abs=1e-9)
    for name, W in network.parameters.items():
        change, kept = rng.normal(size=W.shape), W.copy()
        W += change
        assert np.vdot(dW[name], change) == pytest.approx(np.vdot(r, network.forward(x) - y), rel=1e-9, abs=1e-9)
        W[...] = kept


def convolved(x: Array, W: Array, b: Array, groups: int, geometry: dict[str, Any]) -> Array:
    """b + Σ window · W, group by group."""
    ins, outs = np.split(np.arange(x.shape[-1]), groups), np.split(np.arange(W.shape[-1]), groups)
    letters = "ij"[: x.ndim - 2]

    def at(cells: Array) -> Array:
        parts = [
            np.einsum(f"n{letters}c,{letters}co->no", cells[..., i], W[..., o]) for i, o in zip(ins, outs, strict=True)
        ]
        return np.concatenate(parts, axis=-1) + b

    return assemble({position: at(cells) for position, cells in windows(x, geometry, 0.0).items()})


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    rank=st.sampled_from([1, 2]),
    groups=st.integers(1, 3),
    channels=st.integers(1, 2),
    filters=st.integers(1, 2),
    batch=st.integers(1, 3),
)
def test_convolution(data: st.DataObject, rank: int, groups: int, channels: int, filters: int, batch: int) -> None:
    geometry = data.draw(geometries(rank))
    options = {"filters": filters * groups, "kernel_size": geometry["kernel"], "dilation": geometry["dilation"]}
    spec = {"type": f"conv{rank}d", "groups": groups, **options, **geometry["window"]}
    network = built(spec, (*geometry["sizes"], channels * groups))
    rng = np.random.default_rng(batch)
    x = rng.normal(size=(batch, *network.input_shape))
    W, b = network.parameters["layer.W"], network.parameters["layer.b"]
    np.testing.assert_allclose(network.forward(x), convolved(x, W, b, groups, geometry), atol=1e-12)
    assert_adjoint(network, x, rng)


@settings(max_examples=30, deadline=None)
@given(geometry=geometries(2), channels=st.integers(1, 3), multiplier=st.integers(1, 2), batch=st.integers(1, 2))
def test_depthwise_convolution(geometry: dict[str, Any], channels: int, multiplier: int, batch: int) -> None:
    options = {"kernel_size": geometry["kernel"], "dilation": geometry["dilation"], "depth_multiplier": multiplier}
    network = built({"type": "depthwise_conv2d", **options, **geometry["window"]}, (*geometry["sizes"], channels))
    rng = np.random.default_rng(batch)
    x = rng.normal(size=(batch, *network.input_shape))
    W, b = network.parameters["layer.W"], network.parameters["layer.b"]
    np.testing.assert_allclose(network.forward(x), convolved(x, W, b, channels, geometry), atol=1e-12)
    assert_adjoint(network, x, rng)


@settings(max_examples=40, deadline=None)
@given(geometry=geometries(2), channels=st.integers(1, 2), filters=st.integers(1, 2), batch=st.integers(1, 2))
def test_transposed_convolution_is_the_transpose(
    geometry: dict[str, Any], channels: int, filters: int, batch: int
) -> None:
    """Where both are defined, ⟨conv2d(u), x⟩ = ⟨u, conv2d_transpose(x)⟩ with the same W."""
    options = {"kernel_size": geometry["kernel"], "dilation": geometry["dilation"], "bias": False}
    spec = {"type": "conv2d_transpose", "filters": filters, **options, **geometry["window"]}
    try:
        up = built(spec, (*geometry["sizes"], channels))
    except BuildError:
        assume(False)
    down = built({**spec, "type": "conv2d", "filters": channels}, up.output_shape)
    down.load_parameters({"layer.W": up.parameters["layer.W"]})
    rng = np.random.default_rng(batch)
    x, u = rng.normal(size=(batch, *up.input_shape)), rng.normal(size=(batch, *up.output_shape))
    assert down.output_shape == up.input_shape
    assert np.vdot(down.forward(u), x) == pytest.approx(np.vdot(u, up.forward(x)), rel=1e-9, abs=1e-9)
    assert_adjoint(up, x, rng)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), rank=st.sampled_from([1, 2]), kind=st.sampled_from(["max", "avg"]), tied=st.booleans())
def test_pooling(data: st.DataObject, rank: int, kind: str, tied: bool) -> None:
    geometry = data.draw(geometries(rank, dilated=False))
    assume(all(max(pad) < k for pad, k in zip(geometry["pads"], geometry["kernel"], strict=True)))
    spec = {"type": f"{kind}_pool{rank}d", "pool_size": geometry["kernel"], **geometry["window"]}
    network = built(spec, (*geometry["sizes"], 2))
    rng = np.random.default_rng(rank)
    x = (
        rng.integers(0, 3, (2, *network.input_shape)).astype(float)
        if tied
        else rng.normal(size=(2, *network.input_shape))
    )
    cells = windows(x, geometry, -np.inf if kind == "max" else np.nan)
    flat = {position: part.reshape(2, -1, 2) for position, part in cells.items()}
    if kind == "max":
        expected = assemble({position: part.max(axis=1) for position, part in flat.items()})
    elif spec["padding"] == "same":
        expected = assemble({position: np.nanmean(part, axis=1) for position, part in flat.items()})
    else:
        expected = assemble({position: np.nan_to_num(part).mean(axis=1) for position, part in flat.items()})
    np.testing.assert_allclose(network.forward(x), expected, atol=1e-12)
    if kind == "avg":
        assert_adjoint(network, x, rng)
    else:
        assert_first_wins(network, x, geometry, flat, rng)


def assert_first_wins(
    network: Network, x: Array, geometry: dict[str, Any], flat: dict[tuple[int, ...], Array], rng: np.random.Generator
) -> None:
    """All of a window's dy goes to the first of its cells that holds its maximum."""
    numbers = windows(np.arange(x.size, dtype=float).reshape(x.shape), geometry, -1.0)
    r = rng.normal(size=(len(x), *network.output_shape))
    network.loss(network.forward(x), r)
    network.backward()
    expected = np.zeros(x.size)
    for position, part in flat.items():
        first = part.argmax(axis=1)[:, None]
        cells = np.take_along_axis(numbers[position].reshape(part.shape), first, axis=1).astype(int)
        np.add.at(expected, cells.ravel(), r[(slice(None), *position)].ravel())
    np.testing.assert_allclose(network.input_gradients.ravel(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ({"type": "conv2d", "filters": 2, "kernel_size": 5}, (4, 6, 1), ["5", "4", "padding: same"]),
        ({"type": "conv2d", "filters": 2, "kernel_size": 3}, (784,), ["(784,)", "reshape"]),
        ({"type": "conv2d", "filters": 4, "kernel_size": 1, "groups": 2}, (4, 4, 3), ["2 groups", "3 input channels"]),
        ({"type": "conv2d", "filters": 3, "kernel_size": 1, "groups": 2}, (4, 4, 4), ["2 groups", "3 filters"]),
        ({"type": "conv2d", "filters": 3, "kernel_size": [1, 1, 1]}, (4, 4, 4), ["one number or 2"]),
        ({"type": "conv1d", "filters": 2, "kernel_size": 3, "dilation": 3}, (6, 1), ["dilated to 7", "6 cells"]),
        ({"type": "conv2d_transpose", "filters": 2, "kernel_size": 1, "padding": 2}, (3, 3, 1), ["pad less"]),
        (
            {"type": "conv2d_transpose", "filters": 2, "kernel_size": 2, "output_padding": 1},
            (3, 3, 1),
            ["output_padding", "stride"],
        ),
        ({"type": "max_pool2d", "pool_size": 3}, (2, 8, 1), ["3", "2 cells"]),
        ({"type": "max_pool2d", "pool_size": 2, "padding": 2}, (4, 4, 1), ["pad by less"]),
        ({"type": "global_avg_pool"}, (5,), ["(5,)"]),
        ({"type": "group_norm", "groups": 3}, (4, 4, 8), ["3 groups", "8 channels"]),
        ({"type": "crop", "cropping": [[1, 1], [2, 2]]}, (3, 4, 1), ["leaves nothing", "(3, 4)"]),
        ({"type": "zero_padding", "padding": [[1, 1]]}, (3, 4, 1), ["2 axes"]),
        ({"type": "upsampling"}, (4,), ["(4,)"]),
        ({"type": "spatial_dropout", "rate": 0.1}, (4,), ["(4,)", "dropout"]),
    ],
)
def test_impossible_geometry_is_refused(spec: dict[str, Any], shape: tuple[int, ...], words: list[str]) -> None:
    with pytest.raises(BuildError) as caught:
        Network([Node("here", make("layer", spec), ("input",))], shape)
    assert caught.value.node == "here"
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("padding", ["same", 50_000])
@pytest.mark.parametrize("layer", ["conv2d", "max_pool2d", "avg_pool2d"])
def test_a_window_of_nothing_but_padding_is_refused_at_once(layer: str, padding: Any) -> None:
    size = {"kernel_size": 100_000, "filters": 1} if layer == "conv2d" else {"pool_size": 100_000}
    with pytest.raises(BuildError, match=r"a window of 100000 is more than twice the input \(28, 28\); at most 57"):
        make("layer", {"type": layer, "padding": padding, **size}).build((28, 28, 1))
