"""Outputs and targets are read in one way, whatever the loss, the last activation and the targets are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.reading import Reading
from backprop_cli.engine.targets import Targets, read
from backprop_cli.errors import BuildError
from backprop_cli.registry import make

XYZ = ("x", "y", "z")
ONE_HOT = np.eye(3, dtype=np.float32)
MANY = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]], np.float32)
NUMBERS = np.array([[1.5, -3, 8], [2, 0, 1], [7, 7, 7]])


def told(loss: Any, shape: tuple[int, ...], y: Any, last: str | None, classes: tuple[str, ...] = ()) -> Reading:
    targets = Targets.of(np.asarray(y), classes)
    return read(make("loss", loss), shape, targets, make("activation", last))


@pytest.mark.parametrize(
    ("loss", "shape", "y", "last", "classes", "expected"),
    [
        ("cross_entropy", (3,), [0, 2, 1], "softmax", XYZ, ("classes", "probabilities", XYZ)),
        ("cross_entropy", (3,), ONE_HOT, "softmax", (), ("classes", "probabilities", ())),
        ("cross_entropy", (4, 3), [[0, 1, 2, 1]], "softmax", XYZ, ("classes", "probabilities", XYZ)),
        ({"type": "cross_entropy", "from_logits": True}, (3,), [0, 2], "linear", XYZ, ("classes", "logits", XYZ)),
        ("bce", (1,), [0, 1, 1], "sigmoid", ("no", "yes"), ("binary", "probabilities", ("no", "yes"))),
        ("bce", (1,), [[0.0], [1.0]], "sigmoid", (), ("binary", "probabilities", ())),
        ("bce", (4, 1), [[0, 1, 1, 0]], "sigmoid", ("no", "yes"), ("binary", "probabilities", ("no", "yes"))),
        ("bce", (3,), MANY, "sigmoid", (), ("labels", "probabilities", ())),
        ("bce", (3,), ONE_HOT, "sigmoid", XYZ, ("classes", "probabilities", XYZ)),
        ("bce", (1,), [[0.25], [0.75]], "sigmoid", (), ("values", "probabilities", ())),
        ("hinge", (1,), [0, 1], "linear", ("no", "yes"), ("binary", "scores", ("no", "yes"))),
        ("hinge", (1,), [[-1.0], [1.0]], "tanh", (), ("binary", "scores", ("-1", "1"))),
        ("hinge", (3,), [0, 2, 1], "linear", XYZ, ("classes", "scores", XYZ)),
        ("mse", (3,), NUMBERS, "linear", (), ("values", "scores", ())),
        ("mse", (3,), ONE_HOT, "softmax", XYZ, ("classes", "probabilities", XYZ)),
        ("mse", (3,), ONE_HOT, "linear", XYZ, ("classes", "scores", XYZ)),
        ("mse", (1,), [[0.0], [1.0]], "sigmoid", ("0", "1"), ("binary", "probabilities", ("0", "1"))),
        ("mse", (1,), [[3.0], [4.0]], "linear", ("3", "4"), ("values", "scores", ())),
        ("poisson", (1,), [[3.0], [4.0]], "softplus", (), ("values", "scores", ())),
        ("kl_divergence", (3,), [[0.2, 0.3, 0.5]], "softmax", (), ("classes", "probabilities", ())),
    ],
)
def test_what_outputs_are(loss: Any, shape: Any, y: Any, last: str, classes: Any, expected: Any) -> None:
    reading = told(loss, shape, y, last, classes)
    assert (reading.kind, reading.scale, reading.names) == expected


@pytest.mark.parametrize(
    ("loss", "shape", "y", "last", "classes", "words"),
    [
        ("cross_entropy", (5,), [0, 2, 1], "softmax", XYZ, r"5 units, but the data have 3 classes \(x, y, z\)"),
        ("hinge", (5,), [0, 2, 1], "linear", XYZ, "end with units: 3"),
        ("mse", (4,), np.eye(4)[:3], "linear", XYZ, "end with units: 3"),
        ("bce", (3,), MANY, "softmax", (), "makes them compete; end with activation: sigmoid"),
        ("mse", (1,), [[150_000.0], [90_000.0]], "sigmoid", (), "from 90000 to 150000, but outputs of sigmoid only"),
        ("mse", (1,), [[-1.0], [2.0]], "relu", (), "from 0 to inf; leave the last activation out"),
    ],
)
def test_outputs_that_can_mean_nothing_are_refused(
    loss: Any, shape: Any, y: Any, last: str, classes: Any, words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        told(loss, shape, y, last, classes)


def test_yes_lies_above_one_half_for_probabilities_and_above_0_for_logits_scores_and_signs() -> None:
    for loss, y, last, border in (
        ("bce", [[0], [1]], "sigmoid", 0.5),
        ({"type": "bce", "from_logits": True}, [[0], [1]], "linear", 0),
        ({"type": "binary_focal", "from_logits": True}, [[0], [1]], "linear", 0),
        ("hinge", [[0], [1]], "linear", 0),
        ("squared_hinge", [[-1.0], [1.0]], "linear", 0),
        ("mse", [[-1.0], [1.0]], "tanh", 0),
        ("mse", [[0.0], [1.0]], "linear", 0.5),
    ):
        reading = told(loss, (1,), y, last, ("no", "yes"))
        below, above = border - 0.2, border + 0.2
        assert reading.answers(np.array([[below], [above]])) == ["no", "yes"]


def test_answers_have_the_shape_of_their_rows_and_steps() -> None:
    classes = Reading("classes", "probabilities", names=XYZ)
    y = np.array([[[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]]])
    assert classes.answers(y) == [["y", "x"]]
    assert classes.columns((2, 3)) == ["1: p(x)", "1: p(y)", "1: p(z)", "2: p(x)", "2: p(y)", "2: p(z)"]
    many = Reading("labels", "probabilities", outputs=("red", "big", "old"))
    assert many.answers(y[0]) == [["big"], ["red"]]
    assert many.columns((3,)) == ["p(red)", "p(big)", "p(old)"]
    values = Reading(outputs=("r1", "r2"))
    assert values.answers(np.array([[1.0, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert values.columns((2,)) == ["r1", "r2"]
    assert Reading().answers(np.array([[1.5], [2]])) == [1.5, 2]
    assert Reading().columns((1,)) == ["y1"]
    steps = Reading("binary", "logits", 0.0, ("no", "yes"))
    assert steps.answers(np.array([[[1.0], [-1]], [[-2], [3]]])) == [["yes", "no"], ["no", "yes"]]
    assert steps.columns((2, 1)) == ["1: score(yes)", "2: score(yes)"]


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_probabilities_of_logits_are_those_of_the_sigmoid_and_softmax_at_any_size(kind: Any) -> None:
    z = np.array([[-800.0], [0], [800]]) if kind == "binary" else np.array([[-800.0, 0, 800], [1, 1, 1]])
    with np.errstate(all="raise", under="ignore"):
        p = Reading(kind, "logits", 0.0).probabilities(z)
    right = [[0], [0.5], [1]] if kind == "binary" else [[0, 0, 1], [1 / 3] * 3]
    np.testing.assert_allclose(p, right)
    assert Reading(kind, "scores").probabilities(z) is None


def test_sureness_is_the_probability_of_the_answer_or_of_scores_the_distance_to_the_next() -> None:
    p = np.array([[0.9], [0.2]])
    np.testing.assert_allclose(Reading("binary", "probabilities").sureness(p), [0.9, 0.8])
    np.testing.assert_allclose(Reading("binary", "scores", 0.0).sureness(np.array([[2.0], [-3]])), [2, 3])
    rows = np.array([[0.1, 0.7, 0.2]])
    np.testing.assert_allclose(Reading("classes", "probabilities").sureness(rows), [0.7])
    np.testing.assert_allclose(Reading("classes", "scores").sureness(rows), [0.5])


def test_a_reading_comes_back_from_json() -> None:
    reading = Reading("labels", "logits", 0.0, (), ("red", "big"))
    assert Reading(**json.loads(json.dumps(asdict(reading)))) == reading


def test_true_ids_of_targets_in_every_form() -> None:
    y = np.zeros((3, 3))
    classes, many, one = Reading("classes"), Reading("labels"), Reading("binary", "scores", 0.0)
    assert classes.truth(np.array([2, 0, 1]), y).tolist() == [2, 0, 1]
    assert classes.truth(ONE_HOT, y).tolist() == [0, 1, 2]
    assert many.truth(MANY, y).tolist() == MANY.tolist()
    assert one.truth(np.array([-1, 1, 1]), y[:, :1]).tolist() == [0, 1, 1]
