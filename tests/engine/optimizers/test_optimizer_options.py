"""What all optimizers share: accumulation, averaging, clipping, groups, memory, exact resuming."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine import kernels
from backprop_cli.engine.constraints import MaxNorm
from backprop_cli.engine.initializers.normal import Normal
from backprop_cli.engine.optimizers.base import FLUSH_EVERY, Optimizer, norm
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.errors import BuildError, CheckpointError
from backprop_cli.registry import classes, make

NAMES = sorted(classes("optimizer"))
Array = Any


def bound(
    options: dict[str, Any], width: int = 6, dtype: str = "float32", which: str = "numpy"
) -> tuple[Optimizer, ParameterStore]:
    entries = [
        Parameter("one.W", (40, width), Normal(std=1.0), True, False, MaxNorm(max_value=1.5)),
        Parameter("one.b", (width,), Normal(std=1.0), False, False),
        Parameter("two.W", (width, 3), Normal(std=1.0), True, False),
        Parameter("two.U", (width, 3), Normal(std=1.0), True, True),
    ]
    store = ParameterStore(entries, {}, dtype)
    store.initialize(np.random.default_rng(0))
    optimizer = make("optimizer", options)
    optimizer.bind(store, 100, 10, kernels.load(which))
    return optimizer, store


def feed(optimizer: Optimizer, store: ParameterStore, batch: int) -> bool:
    """One batch's gradient, a function of its number."""
    rng = np.random.default_rng(batch)
    for view in store.gradient_views.values():
        view[...] = rng.normal(size=view.shape)
    return optimizer.step()


BUSY = {
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "accumulate": 3,
    "ema": 0.9,
    "schedule": {"type": "cosine", "warmup": 2},
    "groups": [{"match": "*.b", "learning_rate": 0.1}],
}


@pytest.mark.parametrize("which", ["numpy", "compiled"])
@pytest.mark.parametrize("stop", [7, 9])
@pytest.mark.parametrize("name", NAMES)
def test_resuming_is_exact_even_between_two_updates(name: str, stop: int, which: str) -> None:
    unbroken, store = bound({"type": name, **BUSY}, which=which)
    first, before = bound({"type": name, **BUSY}, which=which)
    for batch in range(20):
        feed(unbroken, store, batch)
    for batch in range(stop):
        feed(first, before, batch)
    vectors, numbers = first.state_dict()
    vectors, numbers = {name: vector.copy() for name, vector in vectors.items()}, json.loads(json.dumps(numbers))
    second, after = bound({"type": name, **BUSY}, which=which)
    after.values[...] = before.values
    second.load_state_dict(vectors, numbers)
    for batch in range(stop, 20):
        feed(second, after, batch)
    assert after.values.tobytes() == store.values.tobytes()
    for vector in unbroken.memory:
        assert second.memory[vector].tobytes() == unbroken.memory[vector].tobytes()
    assert second.current_rate == unbroken.current_rate


def test_a_state_of_other_options_is_refused_and_changes_nothing() -> None:
    plain, _ = bound({"type": "sgd"})
    heavy, _ = bound({"type": "sgd", "momentum": 0.9})
    with pytest.raises(CheckpointError, match="velocity"):
        plain.load_state_dict(*heavy.state_dict())
    wider, _ = bound({"type": "sgd", "momentum": 0.9}, width=60)
    wider.memory["velocity"][...] = 1
    with pytest.raises(CheckpointError, match="does not fit"):
        heavy.load_state_dict(*wider.state_dict())
    assert not heavy.memory["velocity"].any()


def test_slots_exist_only_where_the_options_need_them() -> None:
    def slots(**options: Any) -> set[str]:
        return set(bound(options)[0].memory)

    assert slots(type="sgd") == set()
    assert slots(type="sgd", momentum=0.9) == {"velocity"}
    assert slots(type="rmsprop") == {"square"}
    assert slots(type="rmsprop", centered=True, momentum=0.9) == {"square", "mean", "velocity"}
    assert slots(type="adam", amsgrad=True, ema=0.9, accumulate=2) == {"m", "v", "v_max", "average", "accumulated"}


def test_frozen_parameters_stay() -> None:
    optimizer, store = bound({"type": "adamw", "learning_rate": 0.5})
    kept = store.parameters["two.U"].copy()
    feed(optimizer, store, 0)
    assert np.array_equal(store.parameters["two.U"], kept)


def test_accumulation_is_one_update_with_the_mean() -> None:
    many, ours = bound({"type": "adam", "accumulate": 4}, dtype="float64")
    once, theirs = bound({"type": "adam"}, dtype="float64")
    mean = np.zeros_like(theirs.gradients)
    made = []
    for batch in range(4):
        made.append(feed(many, ours, batch))
        rng = np.random.default_rng(batch)
        for name, view in theirs.gradient_views.items():
            mean[theirs.spans[name]] += rng.normal(size=view.shape).reshape(-1) / 4
    theirs.gradients[...] = mean
    once.step()
    assert made == [False, False, False, True]
    assert many.iteration == 1
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-12)


def test_accumulated_batches_count_by_their_rows() -> None:
    optimizer, store = bound({"type": "sgd", "learning_rate": 1.0, "accumulate": 2}, dtype="float64")
    before = store.parameters["two.W"].copy()
    for value, rows in ((1.0, 63), (5.0, 1)):
        store.gradients[...] = value
        updated = optimizer.step(rows)
    assert updated
    np.testing.assert_allclose(before - store.parameters["two.W"], (63 * 1.0 + 1 * 5.0) / 64)


def test_accumulated_batches_that_count_nothing_change_nothing() -> None:
    optimizer, store = bound({"type": "sgd", "learning_rate": 1.0, "accumulate": 2}, dtype="float64")
    before = store.parameters["two.W"].copy()
    for _ in range(2):
        store.gradients[...] = 0
        optimizer.step(0)
    np.testing.assert_array_equal(store.parameters["two.W"], before)


@pytest.mark.parametrize(("epoch", "accumulate"), [(10, 4), (10, 3), (2, 4), (9, 3), (7, 1)])
def test_an_epochs_last_batches_make_an_update_of_their_own(epoch: int, accumulate: int) -> None:
    optimizer, store = bound({"type": "sgd", "accumulate": accumulate, "schedule": "linear"})
    optimizer.bind(store, 3 * epoch, epoch)
    made = [feed(optimizer, store, batch) for batch in range(3 * epoch)]
    one = [batch % accumulate == accumulate - 1 or batch == epoch - 1 for batch in range(epoch)]
    assert made == 3 * one
    assert optimizer.iteration == 3 * sum(one) and optimizer.gathered == 0
    assert optimizer.current_rate == 0.0  # the schedule is as long as the updates that happen


@pytest.mark.parametrize(("epoch", "accumulate"), [(10, 4), (7, 3), (5, 2), (3, 7), (11, 1)])
def test_a_schedule_in_epochs_changes_with_the_epoch(epoch: int, accumulate: int) -> None:
    options = {"type": "sgd", "accumulate": accumulate, "learning_rate": 1.0}
    optimizer, store = bound({**options, "schedule": {"type": "step", "every": 1, "gamma": 0.5, "unit": "epoch"}})
    optimizer.bind(store, 4 * epoch, epoch)
    for batch in range(4 * epoch):
        assert optimizer.current_rate == 0.5 ** (batch // epoch), batch
        feed(optimizer, store, batch)


def test_the_moving_average_is_used_inside_and_given_back_after() -> None:
    optimizer, store = bound({"type": "sgd", "learning_rate": 0.1, "ema": 0.8}, dtype="float64")
    with optimizer.averaged():
        pass  # before the first update there is no average yet: the weights themselves
    expected = None
    for batch in range(5):
        feed(optimizer, store, batch)
        w = store.values[: store.trainable].copy()
        expected = w if expected is None else 0.8 * expected + 0.2 * w
    raw = store.values.tobytes()
    with suppress(KeyError), optimizer.averaged():
        np.testing.assert_allclose(store.values[: store.trainable], expected, rtol=1e-12)
        raise KeyError  # what goes wrong inside leaves no average behind
    assert store.values.tobytes() == raw


def test_without_ema_averaged_changes_nothing() -> None:
    optimizer, store = bound({"type": "sgd"})
    feed(optimizer, store, 0)
    raw = store.values.tobytes()
    with optimizer.averaged():
        assert store.values.tobytes() == raw


def test_constraints_hold_after_every_update() -> None:
    optimizer, store = bound({"type": "sgd", "learning_rate": 1.0})
    for batch in range(3):
        feed(optimizer, store, batch)
        assert np.all(np.linalg.norm(store.parameters["one.W"], axis=0) <= 1.5 + 1e-5)
    assert np.linalg.norm(store.parameters["two.W"], axis=0).max() > 1.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_that_overflow_are_clipped_all_the_same(dtype: str) -> None:
    large = 1e30 if dtype == "float32" else 1e300
    optimizer, store = bound({"type": "sgd", "learning_rate": 1.0, "clip_norm": 1.0}, dtype=dtype)
    before = store.values.copy()
    store.gradients[: store.trainable] = large
    optimizer.step()
    moved = (before - store.values)[store.spans["one.b"]]
    assert np.all(np.isfinite(store.values))
    np.testing.assert_allclose(moved, 1 / np.sqrt(store.trainable), rtol=1e-4)


def test_the_norm_of_nothing_and_of_nan() -> None:
    assert norm(np.zeros(5)) == 0
    assert np.isnan(norm(np.array([1.0, np.nan])))
    assert norm(np.array([np.inf, 1.0])) == np.inf


@pytest.mark.parametrize("which", ["numpy", "compiled"])
@pytest.mark.parametrize("name", NAMES)
def test_nan_in_a_gradient_reaches_the_weights(name: str, which: str) -> None:
    for clip in ({}, {"clip_norm": 1.0, "clip_value": 1.0}):
        optimizer, store = bound({"type": name, **clip}, which=which)
        store.gradient_views["one.b"][...] = np.nan
        optimizer.step()
        assert np.isnan(store.parameters["one.b"]).all()


def test_a_group_that_matches_nothing_is_refused_by_name() -> None:
    with pytest.raises(BuildError, match=r"group 1.*'\*\.bias'.*one\.b"):
        bound({"type": "sgd", "groups": [{"match": "one.*"}, {"match": "*.bias"}]})
    with pytest.raises(BuildError, match="no trained parameter"):
        bound({"type": "sgd", "groups": [{"match": "two.U"}]})


@pytest.mark.parametrize("which", ["numpy", "compiled"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_decays_into_denormals(name: str, which: str) -> None:
    momentum = {"momentum": 0.9} if name == "sgd" else {}
    optimizer, store = bound({"type": name, "learning_rate": 1e-3, **momentum}, which=which)
    feed(optimizer, store, 0)
    store.gradients[...] = 0
    tiny = np.finfo(np.float32).tiny
    for _ in range(6 * FLUSH_EVERY):
        optimizer.step()
        for slot, vector in optimizer.memory.items():
            denormal = (vector != 0) & (np.abs(vector) < tiny)
            assert not denormal.any(), (slot, optimizer.iteration)


@pytest.mark.parametrize("name", NAMES)
def test_an_update_allocates_nothing_of_the_size_of_the_parameters(name: str) -> None:
    options = {"type": name, "weight_decay": 0.1, "clip_norm": 0.1, "clip_value": 1.0, "accumulate": 2, "ema": 0.9}
    optimizer, store = bound(options, width=3000)
    for _ in range(4):
        optimizer.step()
    tracemalloc.start()
    for _ in range(4):
        store.gradients[...] = 1
        optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < store.values.nbytes / 4


def test_a_long_nadam_resumes_with_the_same_momentum() -> None:
    optimizer = make("optimizer", "nadam")
    walked = [optimizer.momentum_product(t) for t in range(1, 301)][-1]
    assert make("optimizer", "nadam").momentum_product(300) == walked
    assert optimizer.momentum_product(10) == make("optimizer", "nadam").momentum_product(10)


TIGHT = """
import resource
from backprop_cli.engine.initializers.normal import Normal
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.registry import make
store = ParameterStore([Parameter("one.W", (1 << 14, 1 << 13), Normal(std=1.0), True, False)], {}, "float64")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (5 << 29), resource.RLIM_INFINITY))
make("optimizer", "sgd").bind(store, 100)
make("optimizer", "adam").bind(store, 100)
"""


@pytest.mark.process
def test_what_an_optimizer_keeps_has_to_fit_into_memory() -> None:
    """A gigabyte of weights, with two and a half left: room for gradients, and not for two moments beside them."""
    done = subprocess.run([sys.executable, "-c", TIGHT], capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()[-1]
    assert "adam keeps 2 more numbers of each weight; the network needs 3.0 GiB of memory, and 2.5 GiB are free" in said
