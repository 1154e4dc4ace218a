"""Losses hold against PyTorch's values and gradients, fused, unfused and from logits; none allocates."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.errors import BuildError, DataError
from backprop_cli.registry import classes, get, make

REFERENCE = dict(np.load(Path(__file__).parents[2] / "reference" / "losses.npz"))
CASES = sorted({key.rpartition("/")[0] for key in REFERENCE if key.startswith("loss/")})
TOLERANCE = {"float64": {"rtol": 1e-9, "atol": 1e-9}, "float32": {"rtol": 1e-4, "atol": 1e-4}}


def spec_of(case: str) -> dict[str, Any]:
    return json.loads(str(REFERENCE[f"{case}/spec"]))  # type: ignore[no-any-return]  # what make_losses.py wrote


def fused(case: str) -> bool:
    spec = spec_of(case)
    return spec["last"] in make("loss", spec["loss"]).fuses


FUSED = [case for case in CASES if fused(case)]
NEAR = [case for case in FUSED if not case.endswith(("-far", "-one"))]


def check(case: str, loss: dict[str, Any], layers: list[str], dtype: str = "float64", head: bool = False) -> None:
    """Run the reference's x through the layers and the loss, and compare."""
    nodes = [Node(f"l{i}", make("layer", name), (f"l{i - 1}" if i else INPUT,)) for i, name in enumerate(layers)]
    x = REFERENCE[f"{case}/x"].astype(dtype)
    network = Network(nodes, x.shape[1:], make("loss", loss), dtype=dtype, input_gradient=True)
    assert (network.head is not None) == head
    target, weight = REFERENCE[f"{case}/target"], REFERENCE.get(f"{case}/weight")
    value = network.loss(network.forward(x, training=True), target, weight)
    network.backward()
    np.testing.assert_allclose(value, REFERENCE[f"{case}/value"], **TOLERANCE[dtype])
    np.testing.assert_allclose(network.input_gradients, REFERENCE[f"{case}/dx"], **TOLERANCE[dtype])


def test_every_loss_has_a_reference() -> None:
    cases = {get("loss", spec_of(case)["loss"]["type"]) for case in CASES}
    elsewhere = {get("loss", name) for name in ("ranked_probability", "contrastive", "combined")}  # below
    assert cases | elsewhere == set(classes("loss").values())


@pytest.mark.parametrize("margin", [1.0, 2.5])
def test_contrastive_is_the_formula_of_its_paper(margin: float) -> None:
    """Hadsell et al. 2006, equation 4, example by example; `combined` is measured in tests/commands."""
    rng = np.random.default_rng(0)
    y, t = rng.uniform(0, 3, (9, 1)), rng.integers(0, 2, 9)
    terms = [0.5 * (max(0.0, margin - d) ** 2 if other else d**2) for (d,), other in zip(y, t, strict=True)]
    slopes = [-max(0.0, margin - d) if other else d for (d,), other in zip(y, t, strict=True)]
    loss, dy = make("loss", {"type": "contrastive", "margin": margin}), np.empty_like(y)
    assert loss.forward(y, y, t, None) == pytest.approx(np.mean(terms))
    loss.backward(y, y, t, None, dy)
    np.testing.assert_allclose(dy[:, 0], np.array(slopes) / 9)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_ranked_probability_score_is_the_squared_error_of_what_is_cumulated(smoothing: float) -> None:
    """Which holds against PyTorch. The chain rule over cumsum and softmax is written out."""
    rng = np.random.default_rng(2)
    z, ids, weight = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), rng.uniform(0.5, 2, 6)
    y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    rows = np.eye(4)[ids] * (1 - smoothing) + smoothing / 4
    ours, squares = make("loss", {"type": "rps", "label_smoothing": smoothing}), make("loss", "mse")
    cumulated = y.cumsum(axis=1), rows.cumsum(axis=1)
    slopes, dz = np.empty_like(y), np.empty_like(y)
    value = squares.forward(cumulated[0], *cumulated, weight)
    squares.backward(cumulated[0], *cumulated, weight, slopes)
    assert ours.forward(z, y, ids, weight) == pytest.approx(4 * value, rel=1e-9)
    ours.backward(z, y, ids, weight, dz)
    dy = 4 * slopes[:, ::-1].cumsum(axis=1)[:, ::-1]
    np.testing.assert_allclose(dz, y * (dy - (y * dy).sum(axis=1, keepdims=True)), rtol=1e-9, atol=1e-12)
    ours.forward(y, y, ids, weight)
    ours.backward(y, y, ids, weight, dz)
    np.testing.assert_allclose(dz, dy, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_losses_hold_against_pytorch(case: str, dtype: str) -> None:
    spec = spec_of(case)
    check(case, spec["loss"], ["linear", spec["last"]], dtype, head=case in FUSED)


@pytest.mark.parametrize("case", NEAR)
def test_unfused_losses_hold_against_pytorch(case: str) -> None:
    spec = spec_of(case)
    check(case, spec["loss"], [spec["last"], "linear"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", [case for case in FUSED if "kl_" not in case])
def test_losses_from_logits_hold_against_pytorch(case: str, dtype: str) -> None:
    check(case, spec_of(case)["loss"] | {"from_logits": True}, ["linear"], dtype)


@pytest.mark.parametrize("name", sorted(classes("loss")))
def test_a_short_batch_after_a_long_one_is_that_batch(name: str) -> None:
    rng, loss, fresh = np.random.default_rng(0), make("loss", name), make("loss", name)
    y, target = rng.uniform(0.1, 0.9, (9, 3)), rng.uniform(0.1, 0.9, (9, 3))
    dz, alone = np.empty((2, 2, 3))
    loss.forward(y, y, target, None)
    value = loss.forward(y[:2], y[:2], target[:2], None)
    loss.backward(y[:2], y[:2], target[:2], None, dz)
    assert value == fresh.forward(y[:2], y[:2], target[:2], None)
    fresh.backward(y[:2], y[:2], target[:2], None, alone)
    np.testing.assert_array_equal(dz, alone)


def variants() -> list[tuple[str, dict[str, Any], str]]:
    """(name, options, kind of target) of every example of every loss."""
    return [
        (name, example.get("options", {}), example["target"])
        for name, cls in classes("loss").items()
        for example in cls.examples  # type: ignore[attr-defined]  # a loss's
        if not isinstance(example.get("options", {}).get("class_weights"), list) or name.startswith("binary")
    ]


@pytest.mark.large
@pytest.mark.parametrize(("name", "options", "kind"), variants())
def test_a_step_allocates_no_activation(name: str, options: dict[str, Any], kind: str) -> None:
    shape = (64, 4096)
    rng, loss = np.random.default_rng(0), make("loss", {"type": name, **options})
    z, y, dz = rng.normal(size=shape), rng.uniform(0.1, 0.9, shape), np.empty(shape)
    target = rng.integers(0, shape[1], shape[0]) if kind == "classes" else rng.uniform(0.1, 0.9, shape)
    weight = rng.uniform(size=shape[0])

    def step() -> None:
        for logits in (z, y) if loss.fuses else (y,):
            loss.forward(logits, y, target, weight)
            loss.backward(logits, y, target, weight, dz)

    step()
    tracemalloc.start()
    try:
        step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes / 8


def test_logarithms_of_rates_are_the_same_loss() -> None:
    """exp(y) − t y is, but for ε, the loss of the rates exp(y); PyTorch means it by its name, Keras does not by its."""
    y, t = np.array([[0.3, -1.2, 2.0]]), np.array([[1.0, 0.0, 5.0]])
    logs, rates = make("loss", "PoissonNLLLoss"), make("loss", "Poisson")
    rate = np.exp(y)
    assert logs.forward(y, y, t, None) == pytest.approx(float((rate - t * y).mean()))
    assert logs.forward(y, y, t, None) == pytest.approx(rates.forward(rate, rate, t, None), rel=1e-5)
    logs.check_activation(make("activation", "linear"))
    with pytest.raises(BuildError, match="softplus"):
        rates.check_activation(make("activation", "linear"))


def test_class_ids_outside_the_outputs_are_refused() -> None:
    y = np.full((2, 3), 1 / 3)
    for kind in ("cross_entropy", "focal", "hinge"):
        for wrong in (3, -1):
            with pytest.raises(DataError, match=rf"{wrong}.*expected 0 … 2"):
                make("loss", kind).forward(y, y, np.array([0, wrong]), None)


@pytest.mark.parametrize(
    ("loss", "last", "remedy"),
    [
        ("cross_entropy", "linear", "from_logits"),
        ("nll", "log_softmax", "end with softmax"),
        ("categorical_crossentropy", "sigmoid", "binary_crossentropy"),
        ("focal", "relu", "activation: softmax"),
        ({"type": "cross_entropy", "from_logits": True}, "softmax", "leave from_logits out"),
        ("bce", "linear", "activation: sigmoid"),
        ({"type": "bce", "from_logits": True}, "sigmoid", "leave from_logits out"),
        ("bce", "tanh", "activation: sigmoid"),
        ("kl_divergence", "log_softmax", "softmax"),
        ("poisson", "linear", "softplus"),
        ("hinge", "softmax", "tanh"),
    ],
)
def test_outputs_that_do_not_fit_are_refused_with_the_remedy(loss: Any, last: str, remedy: str) -> None:
    with pytest.raises(BuildError, match=remedy):
        make("loss", loss).check_activation(make("activation", last))


@pytest.mark.parametrize(
    ("loss", "last"),
    [("cross_entropy", "softmax"), ("bce", "sigmoid"), ("mse", "linear"), ("hinge", "tanh"), ("kl_div", "softmax")],
)
def test_outputs_that_fit_are_taken(loss: str, last: str) -> None:
    make("loss", loss).check_activation(make("activation", last))
    make("loss", loss).check_activation(None)


@pytest.mark.parametrize(
    ("loss", "output", "target", "dtype", "classes_", "words"),
    [
        ("cross_entropy", (3,), (), "int64", 5, "3 units, but the data have 5 classes"),
        ("cross_entropy", (3,), (), "float32", None, "mean_squared_error"),
        ("cross_entropy", (3,), (4,), "float32", None, "one row of 3 numbers"),
        ("cross_entropy", (6, 3), (5,), "int64", 3, r"per row of the output \(6, 3\)"),
        ("bce", (1,), (), "int64", 3, "takes two classes"),
        ("bce", (2,), (), "int64", 2, "end with one unit"),
        ("mse", (3,), (), "int64", 3, "one_hot"),
        ("mse", (3,), (4,), "float32", None, "must be equal"),
        ("hinge", (1,), (), "int64", 3, "units: 3"),
        ("hinge", (2,), (), "int64", 3, "units: 3"),
        ("hinge", (3,), (), "float32", None, "one class id per row"),
        ({"type": "cross_entropy", "class_weights": [1, 2]}, (3,), (), "int64", 3, "one number per class"),
        (
            {"type": "cross_entropy", "class_weights": {3: 1}},
            (3,),
            (),
            "int64",
            3,
            "no label of the data; expected some of 0, 1, 2",
        ),
        (
            {"type": "bce", "class_weights": [1, 2, 3]},
            (1,),
            (),
            "int64",
            2,
            "number per class: 2 for 0, 1",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    loss: Any, output: tuple[int, ...], target: tuple[int, ...], dtype: str, classes_: int | None, words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        make("loss", loss).check(output, target, np.dtype(dtype), classes_)


def last_activation(*layers: Any) -> str | None:
    nodes = [Node(f"l{i}", make("layer", each), (f"l{i - 1}" if i else INPUT,)) for i, each in enumerate(layers)]
    last = Network(nodes, (4,), make("loss", "cross_entropy")).last_activation
    return last.type_name if last is not None else None


def test_the_last_activation_is_found_behind_fusion_and_views() -> None:
    assert last_activation({"type": "dense", "units": 2, "activation": "softmax"}) == "softmax"
    assert last_activation({"type": "dense", "units": 2}) == "linear"
    assert last_activation({"type": "dense", "units": 2}, "sigmoid", "flatten") == "sigmoid"
    assert last_activation("flatten") is None
    assert last_activation({"type": "dense", "units": 2}, {"type": "dropout", "rate": 0.5}) == "linear"
    assert last_activation({"type": "dense", "units": 2, "activation": "tanh"}, "batch_norm") == "linear"
    assert last_activation({"type": "reshape", "shape": [2, 2]}, {"type": "rnn", "units": 2}) == "tanh"
