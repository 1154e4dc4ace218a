"""The block-wise updates of the flat vector: against PyTorch's, and against a slow, obvious loop over tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine import kernels
from backprop_cli.engine.initializers.normal import Normal
from backprop_cli.engine.optimizers.base import Optimizer
from backprop_cli.engine.optimizers.groups import BLOCK
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.registry import classes, make

Array = Any
REFERENCE = np.load(Path(__file__).parents[2] / "reference" / "optimizers.npz")
TRAJECTORIES = [key for key in REFERENCE if key.startswith("optimizer ")]


def store_of(shapes: dict[str, tuple[int, ...]], dtype: str = "float64") -> ParameterStore:
    """Parameters of these shapes; biases (one axis) do not decay."""
    entries = [Parameter(name, shape, Normal(std=1.0), len(shape) > 1, False) for name, shape in shapes.items()]
    store = ParameterStore(entries, {}, dtype)
    store.initialize(np.random.default_rng(0))
    return store


def flat(store: ParameterStore) -> Array:
    return np.concatenate([view.reshape(-1) for view in store.parameters.values()])


@pytest.mark.parametrize("which", ["numpy", "compiled"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize("key", TRAJECTORIES)
def test_twenty_updates_are_those_of_pytorch(key: str, dtype: str, tolerance: float, which: str) -> None:
    store = store_of({"dense.W": (5, 3), "dense.b": (3,)}, dtype)
    optimizer = make("optimizer", json.loads(key.removeprefix("optimizer ")))
    optimizer.bind(store, 20, kernels=kernels.load(which))
    start = REFERENCE["start"]
    store.load({"dense.W": start[:15].reshape(5, 3), "dense.b": start[15:]}, store.parameters)
    for gradient, expected in zip(REFERENCE["gradients"], REFERENCE[key], strict=True):
        store.load({"dense.W": gradient[:15].reshape(5, 3), "dense.b": gradient[15:]}, store.gradient_views)
        optimizer.step()
        np.testing.assert_allclose(flat(store), expected, rtol=tolerance, atol=tolerance)


def test_pytorch_has_been_asked_about_every_rule_it_has() -> None:
    asked = {json.loads(key.removeprefix("optimizer "))["type"] for key in TRAJECTORIES}
    assert set(classes("optimizer")) - asked == {"lion"}


# ---- one rule after the other, tensor by tensor, as the papers write them ----------------------------------------

State = dict[str, Array]
Rule = Callable[[Array, Array, State, float, int, Any], Array]  # w, g, state, η, t, options -> w


def sgd(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    s["v"] = o.momentum * s.get("v", 0) + g
    return w - rate * (g + o.momentum * s["v"] if o.nesterov else s["v"])


def rmsprop(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    s["s"] = o.rho * s.get("s", 0) + (1 - o.rho) * g**2
    s["mean"] = o.rho * s.get("mean", 0) + (1 - o.rho) * g
    variance = s["s"] - s["mean"] ** 2 if o.centered else s["s"]
    s["u"] = o.momentum * s.get("u", 0) + g / (np.sqrt(variance) + o.epsilon)
    return w - rate * s["u"]


def adagrad(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    s["s"] = s.get("s", o.initial_accumulator) + g**2
    return w - rate * g / (np.sqrt(s["s"]) + o.epsilon)


def adadelta(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    s["s"] = o.rho * s.get("s", 0) + (1 - o.rho) * g**2
    d = g * np.sqrt(s.get("u", 0) + o.epsilon) / np.sqrt(s["s"] + o.epsilon)
    s["u"] = o.rho * s.get("u", 0) + (1 - o.rho) * d**2
    return w - rate * d


def adam_moments(g: Array, s: State, t: int, o: Any) -> tuple[Array, Array]:
    s["m"] = o.beta_1 * s.get("m", 0) + (1 - o.beta_1) * g
    s["v"] = o.beta_2 * s.get("v", 0) + (1 - o.beta_2) * g**2
    return s["m"], s["v"]


def adam(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    m, v = adam_moments(g, s, t, o)
    if o.amsgrad:
        v = s["largest"] = np.maximum(s.get("largest", 0), v)
    return w - rate * (m / (1 - o.beta_1**t)) / (np.sqrt(v / (1 - o.beta_2**t)) + o.epsilon)


def adamax(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    s["m"] = o.beta_1 * s.get("m", 0) + (1 - o.beta_1) * g
    s["u"] = np.maximum(o.beta_2 * s.get("u", 0), np.abs(g) + o.epsilon)
    return w - rate / (1 - o.beta_1**t) * s["m"] / s["u"]


def nadam(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    m, v = adam_moments(g, s, t, o)
    mu = [o.beta_1 * (1 - 0.5 * 0.96 ** (i * o.momentum_decay)) for i in range(1, t + 2)]
    hat = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
    return w - rate * hat / (np.sqrt(v / (1 - o.beta_2**t)) + o.epsilon)


def radam(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    m, v = adam_moments(g, s, t, o)
    most = 2 / (1 - o.beta_2) - 1
    length = most - 2 * t * o.beta_2**t / (1 - o.beta_2**t)
    if length <= 5:
        return w - rate * m / (1 - o.beta_1**t)
    r = np.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
    return w - rate * r * m / (1 - o.beta_1**t) * np.sqrt(1 - o.beta_2**t) / (np.sqrt(v) + o.epsilon)


def lion(w: Array, g: Array, s: State, rate: float, t: int, o: Any) -> Array:
    m = s.get("m", np.zeros_like(g))
    s["m"] = o.beta_2 * m + (1 - o.beta_2) * g
    return w - rate * np.sign(o.beta_1 * m + (1 - o.beta_1) * g)


RULES: dict[str, Rule] = {
    "sgd": sgd, "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta, "adam": adam, "adamw": adam,
    "adamax": adamax, "nadam": nadam, "radam": radam, "lion": lion,
}  # fmt: skip
#: options of a rule that change its form; the common ones are in COMMON
GRID: dict[str, dict[str, list[Any]]] = {
    "sgd": {"momentum": [0.0, 0.9], "nesterov": [False, True]},
    "rmsprop": {"momentum": [0.0, 0.9], "centered": [False, True]},
    "adagrad": {"initial_accumulator": [0.0, 0.1]},
    "adam": {"amsgrad": [False, True], "beta_1": [0.0, 0.9]},
    "nadam": {"momentum_decay": [0.0, 4e-3]},
    "radam": {"beta_2": [0.7, 0.999]},
}
COMMON: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled_weight_decay": True, "schedule": {"type": "exponential", "gamma": 0.8}},
    {"clip_norm": 0.7, "clip_value": 0.5, "weight_decay": 0.1, "decoupled_weight_decay": False},
    {
        "weight_decay": 0.1,
        "groups": [
            {"match": "first.*", "weight_decay": 0.0},
            {"match": "*.b", "learning_rate": 0.05, "weight_decay": 0.3},
            {"match": "*", "learning_rate": 0.02},
        ],
    },
]


def cases() -> Iterator[dict[str, Any]]:
    for name in classes("optimizer"):
        grid = GRID.get(name, {})
        for values in product(*grid.values()):
            for common in COMMON:
                yield {"type": name, **dict(zip(grid, values, strict=True)), **common}


def options_of(optimizer: Optimizer, name: str, decays: bool) -> tuple[float, float]:
    """(learning rate, decay) of a parameter, by the groups used above."""
    rate, decay = optimizer.learning_rate, optimizer.weight_decay if decays else 0.0
    if optimizer.groups and name.startswith("first."):
        return rate, 0.0
    if optimizer.groups and name.endswith(".b"):
        return 0.05, 0.3
    return (0.02, decay) if optimizer.groups else (rate, decay)


def check(options: dict[str, Any], shapes: dict[str, tuple[int, ...]], steps: int = 4, which: str = "numpy") -> None:
    """Step a store and separate tensors from the same gradients, and compare them after every update."""
    store, rng = store_of(shapes), np.random.default_rng(1)
    optimizer, rule = make("optimizer", options), RULES[options["type"]]
    optimizer.bind(store, steps, kernels=kernels.load(which))
    slow = {name: view.copy() for name, view in store.parameters.items()}
    state: dict[str, State] = {name: {} for name in slow}
    for t in range(1, steps + 1):
        gradients = {name: rng.normal(size=view.shape) for name, view in slow.items()}
        store.load(gradients, store.gradient_views)
        scale = optimizer.schedule.scale(t - 1)
        optimizer.step()
        if optimizer.clip_value is not None:
            gradients = {n: np.clip(g, -optimizer.clip_value, optimizer.clip_value) for n, g in gradients.items()}
        if optimizer.clip_norm is not None:
            length = np.sqrt(sum((g**2).sum() for g in gradients.values()))
            gradients = {n: g * min(1.0, optimizer.clip_norm / (length + 1e-6)) for n, g in gradients.items()}
        for name, g in gradients.items():
            rate, decay = options_of(optimizer, name, slow[name].ndim > 1)
            if optimizer.decoupled_weight_decay:
                slow[name] = slow[name] * (1 - rate * scale * decay)
            else:
                g = g + decay * slow[name]
            slow[name] = rule(slow[name], g, state[name], rate * scale, t, optimizer)
            np.testing.assert_allclose(store.parameters[name], slow[name], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("options", list(cases()), ids=str)
def test_every_rule_is_the_slow_one(options: dict[str, Any]) -> None:
    check(options, {"first.W": (3, 4), "first.b": (4,), "second.W": (4, 2), "second.b": (2,), "third.W": (2, 1)})


EDGES = st.sampled_from([1, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])


@settings(max_examples=12, deadline=None)
@given(
    sizes=st.lists(EDGES, min_size=1, max_size=3),
    name=st.sampled_from(sorted(RULES)),
    common=st.sampled_from(COMMON),
    which=st.sampled_from(["numpy", "compiled"]),
)
def test_no_block_boundary_shows(sizes: list[int], name: str, common: dict[str, Any], which: str) -> None:
    shapes = {"first.W": (2, 3), "first.b": (3,), **{f"layer{i}.W": (size, 1) for i, size in enumerate(sizes)}}
    check({"type": name, **common}, shapes, 2, which)


def test_every_rule_has_a_slow_one() -> None:
    assert set(RULES) == set(classes("optimizer"))


@pytest.mark.parametrize("name", sorted(RULES))
def test_gaps_between_parameters_stay_zero(name: str) -> None:
    store = store_of({"a.W": (3, 5), "b.W": (1, 1)})
    optimizer = make("optimizer", {"type": name, "weight_decay": 0.1})
    optimizer.bind(store, 2)
    for gradient in store.gradient_views.values():
        gradient[...] = 1.0
    optimizer.step()
    assert np.all(store.values[15:16] == 0) and np.all(store.values[17:] == 0)
