"""More padding changes no number: not the loss, not a gradient, not a metric, not a running statistic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.metrics.base import counted
from backprop_cli.errors import BuildError
from backprop_cli.registry import make

IDS, WIDTH, CLASSES = 7, 4, 3
CONVOLUTION = {"type": "conv1d", "filters": WIDTH}
SAME_STEPS: list[Any] = [
    {"type": "dense", "units": WIDTH, "activation": "tanh"},
    "relu",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    {"type": "group_norm", "groups": 1},
    {"type": "group_norm", "groups": 2},
    {"type": "positional_embedding", "kind": "sinusoidal"},
    {"type": "lstm", "units": WIDTH, "return_sequences": True},
    {"type": "gru", "units": WIDTH, "return_sequences": True, "go_backwards": True},
    {"type": "bidirectional", "layer": {"type": "rnn", "units": WIDTH, "return_sequences": True}, "merge": "add"},
    {"type": "multi_head_attention", "heads": 2},
    {"type": "multi_head_attention", "heads": 1, "causal": True},
    {**CONVOLUTION, "kernel_size": 3, "padding": "same"},
    {**CONVOLUTION, "kernel_size": 2, "padding": "same", "dilation": 2},
    {**CONVOLUTION, "kernel_size": 3, "padding": "causal"},
    {"type": "max_pool1d", "pool_size": 3, "strides": 1, "padding": "same"},
    {"type": "avg_pool1d", "pool_size": 2, "strides": 1, "padding": "same"},
]
OTHER_STEPS: list[Any] = [
    {**CONVOLUTION, "kernel_size": 2},
    {**CONVOLUTION, "kernel_size": 3, "strides": 2, "activation": "relu"},
    {**CONVOLUTION, "kernel_size": 2, "dilation": 2, "padding": [[2, 1]]},
    {**CONVOLUTION, "kernel_size": 2, "padding": 3},
    {**CONVOLUTION, "kernel_size": 2, "strides": 2, "padding": "same"},
    {**CONVOLUTION, "kernel_size": 3, "strides": 2, "padding": "causal"},
    "max_pool1d",
    {"type": "max_pool1d", "pool_size": 3, "strides": 2, "padding": 1},
    "avg_pool1d",
    {"type": "avg_pool1d", "pool_size": 2, "padding": "same"},
    {"type": "avg_pool1d", "pool_size": 3, "strides": 1, "padding": [[1, 0]]},
    {"type": "upsampling", "size": 2},
    {"type": "upsampling", "size": 3, "interpolation": "linear"},
    {"type": "crop", "cropping": [[1, 0]]},
    {"type": "crop", "cropping": [[0, 1]]},
    {"type": "zero_padding", "padding": [[0, 2]]},
    {"type": "zero_padding", "padding": [[1, 1]]},
]
SPLITS = ["add", "multiply", "maximum", "average", "subtract"]  # of a stream and of what a layer makes of it
ENDS: list[Any] = [
    None,
    "global_avg_pool",
    "global_max_pool",
    {"type": "lstm", "units": 3},
    {"type": "bidirectional", "layer": {"type": "gru", "units": 2}},
]


def network(stack: list[tuple[Any, str | None]], end: Any, steps: int) -> Network:
    nodes = [
        Node(
            "embed",
            make("layer", {"type": "embedding", "input_dim": IDS, "output_dim": WIDTH, "mask_zero": True}),
            (INPUT,),
        )
    ]
    for number, (spec, merge) in enumerate(stack):
        before = nodes[-1].name
        nodes.append(Node(f"l{number}", make("layer", spec), (before,)))
        if merge is not None:
            nodes.append(Node(f"m{number}", make("layer", merge), (before, f"l{number}")))
    if end is not None:
        nodes.append(Node("end", make("layer", end), (nodes[-1].name,)))
    head = {"type": "dense", "units": CLASSES, "activation": "softmax"}
    nodes.append(Node("head", make("layer", head), (nodes[-1].name,)))
    built = Network(nodes, (steps,), make("loss", "cross_entropy"), dtype="float64", integer_input=True)
    built.store.values += 0.1 * np.random.default_rng(1).normal(size=built.store.values.shape)
    return built


def numbers(built: Network, x: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """All that a step of training, and an evaluation after it, gives."""
    target = target[:, : built.output_shape[0]] if len(built.output_shape) == 2 else target[:, 0]
    found: dict[str, Any] = {}
    for training in (True, False):
        y = built.forward(x, training=training)
        found[f"loss {training}"] = built.loss(y, target)
        metric = make("metric", "accuracy")
        if built.counted:
            metric.update(*counted(y, target, built.output_mask))
        found[f"accuracy {training}"] = metric.result()
        built.backward()
        found |= {f"d{name} {training}": gradient.copy() for name, gradient in built.gradients.items()}
    return found | {name: state.copy() for name, state in built.states.items()}


layers = st.one_of(
    st.tuples(st.sampled_from(SAME_STEPS), st.one_of(st.none(), st.sampled_from(SPLITS))),
    st.tuples(st.sampled_from(OTHER_STEPS), st.none()),
)


def check(stack: list[tuple[Any, str | None]], end: Any, lengths: list[int], more: int) -> None:
    rng, longest = np.random.default_rng(0), max(lengths)
    x = np.zeros((len(lengths), longest + more), np.int64)
    for row, length in enumerate(lengths):
        x[row, :length] = rng.integers(1, IDS, length)
    target = rng.integers(0, CLASSES, (len(lengths), 200))
    try:
        short, long = network(stack, end, longest), network(stack, end, longest + more)
    except BuildError:
        assume(False)
    expected, found = numbers(short, x[:, :longest], target), numbers(long, x, target)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-7, atol=1e-10, err_msg=name)


@pytest.mark.large
@pytest.mark.parametrize("end", ENDS, ids=str)
@pytest.mark.parametrize("spec", [*SAME_STEPS, *OTHER_STEPS], ids=str)
def test_more_padding_changes_nothing_after_any_layer(spec: Any, end: Any) -> None:
    check([(spec, None)], end, [6, 3, 5, 1], 4)


@pytest.mark.long
@pytest.mark.large
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    stack=st.lists(layers, min_size=1, max_size=4),
    end=st.sampled_from(ENDS),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    more=st.integers(1, 7),
)
def test_more_padding_changes_nothing_after_any_stack(
    stack: list[tuple[Any, str | None]], end: Any, lengths: list[int], more: int
) -> None:
    check(stack, end, lengths, more)
