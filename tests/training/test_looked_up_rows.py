"""Of an embedding only the rows that a batch has looked up are updated, where the rule leaves the others alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine import kernels
from backprop_cli.engine.gradcheck import check_network
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.optimizers.sgd import LARGE_TABLE
from backprop_cli.engine.written import unwritten
from backprop_cli.errors import BuildError, DivergedError
from backprop_cli.registry import make
from backprop_cli.training.loop import Loop
from backprop_cli.training.options import Trainer

Array = Any
ROWS, USED, WIDTH, TOKENS, EXAMPLES, BATCH = LARGE_TABLE // 4 + 9, 35, 4, 3, 32, 4
KERNELS = ["numpy", *([] if kernels.missing() else ["compiled"])]
OPTIMIZERS: list[dict[str, Any]] = [
    {"type": "sgd", "learning_rate": 0.5, "clip_norm": 0.1, "clip_value": 0.02},
    {"type": "adam", "learning_rate": 0.05, "lazy": True, "clip_norm": 0.1},
]


def training(optimizer: dict[str, Any], which: str, *, summed: bool = False, **table: Any) -> Loop:
    """Ten epochs of words and three numbers. `summed`: as if gradients came from several passes, so that no rows are
    followed."""
    embedding = {"type": "embedding", "input_dim": ROWS, "output_dim": WIDTH, **table}
    layers = [embedding, "flatten", {"type": "dense", "units": 3}]
    names = ["words", "flat", "end"]
    nodes = [
        Node(name, make("layer", layer), (before,))
        for name, layer, before in zip(names, layers, [INPUT, *names[:-1]], strict=True)
    ]
    network = Network(nodes, (TOKENS,), make("loss", "mse"), integer_input=True, dtype="float32", kernels=which)
    network.store.summed = summed
    rng = np.random.default_rng(1)
    words = (rng.zipf(1.3, (EXAMPLES, TOKENS)) % USED).astype(np.int64) + ROWS - USED
    split = Split(words, rng.normal(size=(EXAMPLES, 3)).astype(np.float32))
    options = {"dtype": np.float32, "kernels": network.kernels, "into": network.input_buffer}
    return Loop(network, make("optimizer", optimizer), Batches(split, BATCH, **options), None, Trainer(epochs=10))


def table_of(loop: Loop) -> Array:
    return loop.network.parameters["words.W"]


@pytest.mark.parametrize("which", KERNELS)
def test_sgd_leaves_the_same_bits(which: str) -> None:
    followed, whole = (training(OPTIMIZERS[0], which, summed=summed) for summed in (False, True))
    assert [table.name for table in followed.network.store.followed] == ["words.W"]
    assert whole.network.store.followed == []
    followed.run()
    whole.run()
    assert followed.network.store.values.tobytes() == whole.network.store.values.tobytes()
    assert followed.network.gradients["words.W"].tobytes() == whole.network.gradients["words.W"].tobytes()


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize(
    "options", [{"momentum": 0.9}, {"ema": 0.9}, {"accumulate": 2}, {"weight_decay": 0.1}], ids=lambda o: next(iter(o))
)
def test_what_moves_every_row_follows_none(options: dict[str, Any], which: str) -> None:
    loop = training({"type": "sgd", **options}, which)
    assert loop.network.store.followed == []


@pytest.mark.parametrize("which", KERNELS)
def test_l2_moves_every_row(which: str) -> None:
    loop = training({"type": "sgd"}, which, l2=0.1)
    before = table_of(loop)[0].copy()
    loop.run_epoch()
    assert loop.network.store.followed == [] and np.all(np.abs(table_of(loop)[0]) < np.abs(before))


@pytest.mark.parametrize("which", KERNELS)
def test_a_group_says_that_the_table_does_not_decay(which: str) -> None:
    groups = [{"match": "words.*", "weight_decay": 0.0, "learning_rate": 0.25}]
    loop, plain = (
        training({"type": "sgd", "learning_rate": 0.5, "weight_decay": 0.1, "groups": groups}, which, summed=summed)
        for summed in (False, True)
    )
    assert len(loop.network.store.followed) == 1
    loop.run()
    plain.run()
    assert loop.network.store.values.tobytes() == plain.network.store.values.tobytes()


@pytest.mark.parametrize("which", KERNELS)
def test_lazy_adam_is_adam_for_each_row_when_it_is_looked_up(which: str) -> None:
    """m, v and w of a row by the formula, with the number of the update over all steps."""
    rate, b1, b2, epsilon = 0.05, 0.9, 0.999, 1e-8
    loop = training({"type": "adam", "learning_rate": rate, "lazy": True}, which)
    loop.replay.off = "each step is looked at"
    w = table_of(loop).astype(np.float64)
    m, v = np.zeros_like(w), np.zeros_like(w)
    looked_up: set[int] = set()
    for t in range(1, 25):
        if loop.batch == 0:
            walk = loop.walk()
        next(walk)
        g = loop.network.gradients["words.W"].astype(np.float64)
        for row in set(np.unique(loop.network.outputs[INPUT]).tolist()):
            looked_up.add(row)
            m[row] = b1 * m[row] + (1 - b1) * g[row]
            v[row] = b2 * v[row] + (1 - b2) * g[row] ** 2
            w[row] -= rate * (m[row] / (1 - b1**t)) / (np.sqrt(v[row] / (1 - b2**t)) + epsilon)
        np.testing.assert_allclose(table_of(loop), w, rtol=1e-4, atol=1e-6)
        if loop.batch == loop.train.steps_per_epoch:
            next(walk, None)
    assert 5 < len(looked_up) <= USED


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_resuming_is_exact(optimizer: dict[str, Any], which: str) -> None:
    unbroken, first, second = (training(optimizer, which) for _ in range(3))
    unbroken.run()
    for _ in range(3):
        first.run_epoch()
    arrays, values = first.state_dict()
    second.load_state_dict({name: array.copy() for name, array in arrays.items()}, values)
    second.run()
    assert second.network.store.values.tobytes() == unbroken.network.store.values.tobytes()


@pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_replayed_steps_leave_the_same_bits(optimizer: dict[str, Any]) -> None:
    optimizer = {name: value for name, value in optimizer.items() if name != "clip_value"}  # which Python does
    replayed, plain = training(optimizer, "compiled"), training(optimizer, "compiled")
    plain.replay.off = "as the test asks"
    replayed.run()
    plain.run()
    assert replayed.replay.learned and [stage.name for stage in replayed.replay.stages if stage.why] == []
    assert replayed.network.store.values.tobytes() == plain.network.store.values.tobytes()
    for name, vector in replayed.optimizer.memory.items():
        assert vector.tobytes() == plain.optimizer.memory[name].tobytes()


@pytest.mark.parametrize("which", KERNELS)
def test_a_weight_made_infinite_ends_the_next_step_which_does_not_look_it_up(which: str) -> None:
    loop = training({"type": "sgd", "learning_rate": 0.1}, which)
    walk = loop.walk()
    next(walk)
    row = int(loop.network.outputs[INPUT][0, 0])
    table_of(loop)[row] = np.inf  # as an update may leave it
    split = loop.train.split
    split.x[...] = row - 1
    with pytest.raises(DivergedError, match=r"weight is NaN or infinite at step 2"):
        next(walk)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_checks_that_write_gradients_leave_a_training_as_it_was(optimizer: dict[str, Any], which: str) -> None:
    """As those of a plugin's layers, which come when the optimizer has its tables."""
    checked, plain = training(optimizer, which), training(optimizer, which)
    x, y = next(iter(plain.train.epoch(1)))
    x, y = x.copy(), y.copy()
    plain.run()
    for _ in range(3):
        checked.run_epoch()
    weights = checked.network.store.values.copy()
    assert unwritten(checked.network, x, y) is None
    assert np.isfinite(check_network(checked.network, x, y, name="rows", elements=2).max_relative_error)
    assert checked.network.store.values.tobytes() == weights.tobytes()
    checked.run()
    assert checked.network.store.values.tobytes() == plain.network.store.values.tobytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"amsgrad": True}, "lazy updates do not go with amsgrad"),
        ({"ema": 0.9}, "lazy updates do not go with ema"),
        ({"accumulate": 2}, "lazy updates do not go with accumulate"),
        ({"weight_decay": 0.1}, r"words\.W decays at every update"),
    ],
)
def test_lazy_says_what_it_does_not_go_with(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BuildError, match=said):
        training({"type": "adam", "lazy": True, **options}, "numpy")
    with pytest.raises(BuildError, match="summed over several passes"):
        training({"type": "adam", "lazy": True}, "numpy", summed=True)
    with pytest.raises(BuildError, match="no embedding whose rows"):
        training({"type": "adam", "lazy": True}, "numpy", l2=0.1)
