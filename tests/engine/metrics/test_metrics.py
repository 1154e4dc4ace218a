"""Metrics hold against scikit-learn's values, however the examples are split into batches."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine.metrics.base import Metric, class_ids, counted
from backprop_cli.engine.metrics.report import class_report, confusion_matrix
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BuildError
from backprop_cli.registry import classes, make, names

REFERENCE = dict(np.load(Path(__file__).parents[2] / "reference" / "metrics.npz"))
VALUES = sorted(name for name in REFERENCE if name.split("/")[1] not in ("y", "target"))
SPECS = {
    "top_2": {"type": "top_k", "k": 2},
    "top_5": "top_k",
    **{
        f"{kind}_{average}": {"type": kind, "average": average}
        for kind in ("precision", "recall", "f1")
        for average in ("macro", "weighted", "micro")
    },
    **{f"kappa_{weights}": {"type": "kappa", "weights": weights} for weights in ("linear", "quadratic")},
    **{f"pinball_{alpha}": {"type": "pinball", "alpha": alpha} for alpha in (0.5, 0.9)},
}


def of(name: str) -> tuple[Metric, np.ndarray, np.ndarray]:
    """The metric a reference is of, with its outputs and targets."""
    case, _, kind = name.partition("/")
    metric = make("metric", SPECS.get(kind, kind))
    assert metric.key == kind
    return metric, REFERENCE[f"{case}/y"], REFERENCE[f"{case}/target"]


@pytest.mark.parametrize("name", VALUES)
def test_metrics_hold_against_scikit_learn(name: str) -> None:
    metric, y, target = of(name)
    metric.update(y, target)
    assert metric.result() == pytest.approx(float(REFERENCE[name]), rel=1e-9)


def test_every_metric_has_a_reference() -> None:
    assert {of(name)[0].type_name for name in VALUES} | {"of_output"} == set(classes("metric"))  # another's, of a part


@pytest.mark.large
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 80), max_size=5))
@pytest.mark.parametrize("name", VALUES)
def test_any_split_into_batches_gives_the_same_and_so_does_resuming(name: str, cuts: list[int]) -> None:
    metric, y, target = of(name)
    metric.update(y, target)
    expected = metric.result()
    metric.reset()
    for part in np.split(np.arange(len(y)), sorted(cuts)):
        if len(part):
            metric.update(y[part], target[part])
            resumed = of(name)[0]
            resumed.totals = metric.totals.copy()
            metric = resumed
    assert metric.result() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", sorted({*classes("metric")} - {"of_output"}))
def test_nothing_seen_is_nan(name: str) -> None:
    assert np.isnan(make("metric", name).result())


@pytest.mark.parametrize(
    "kind", ["accuracy", "precision", "auc", "perplexity", "log_loss", "brier", "average_precision", "mcc"]
)
def test_logits_are_read_as_what_they_stand_for(kind: str) -> None:
    cases = (("binary", "binary", lambda p: np.log(p / (1 - p))), ("classes", "classes", lambda p: np.log(p) + 3))
    for case, how, to_logits in cases:
        y, target = REFERENCE[f"{case}/y"], REFERENCE[f"{case}/target"]
        by_probability, by_logit = make("metric", kind), make("metric", kind)
        by_logit.reading = Reading(how, "logits", 0.0)
        by_probability.update(y, target)
        by_logit.update(to_logits(y), target)
        assert by_logit.result() == pytest.approx(by_probability.result(), rel=1e-9)


def test_independent_outputs_are_each_right_or_wrong() -> None:
    y, target = np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.7]]), np.array([[1, 0, 0], [0, 0, 1]])
    metric = make("metric", "accuracy")
    metric.reading = Reading("labels", "probabilities")
    metric.update(y, target)
    assert metric.result() == 5 / 6


def test_only_steps_that_count_are_counted() -> None:
    rng = np.random.default_rng(0)
    y, target, mask = rng.random((3, 4, 5)), rng.integers(0, 5, (3, 4)), rng.random((3, 4)) < 0.5
    metric = make("metric", "accuracy")
    metric.update(*counted(y, target, mask))
    right = [y[n, t].argmax() == target[n, t] for n in range(3) for t in range(4) if mask[n, t]]
    assert metric.result() == np.mean(right)


def test_the_confusion_matrix_counts_truth_by_row() -> None:
    y, target = REFERENCE["classes/y"], REFERENCE["classes/target"]
    matrix = confusion_matrix(*class_ids(y, target), 6)
    for truth in range(6):
        for guess in range(6):
            assert matrix[truth, guess] == np.sum((target == truth) & (y.argmax(axis=1) == guess))


@given(st.integers(2, 6), st.integers(1, 50), st.integers(0, 99))
def test_the_rows_of_a_report_are_those_of_its_matrix(k: int, n: int, seed: int) -> None:
    predicted, truth = np.random.default_rng(seed).integers(0, k, (2, n))
    report = class_report([predicted], [truth], [str(i) for i in range(k)])
    matrix = np.array(report["confusion_matrix"])
    for i, row in enumerate(report["per_class"]):
        right, guessed, actual = matrix[i, i], matrix[:, i].sum(), matrix[i].sum()
        assert row["support"] == actual
        assert row["precision"] == (right / guessed if guessed else None)
        assert row["recall"] == (right / actual if actual else None)


def test_too_many_classes_have_rows_and_no_matrix() -> None:
    ids = np.arange(2000)
    report = class_report([ids], [ids], [f"word {i}" for i in ids])
    assert report["confusion_matrix"] == []
    assert [row["f1"] for row in report["per_class"]] == [1.0] * 2000


def test_a_metric_of_values_refuses_class_ids() -> None:
    for kind in ("mse", "mae", "r2"):
        with pytest.raises(BuildError, match=rf"{kind} compares outputs of shape \(5,\)"):
            make("metric", kind).check((5,), (), Reading("classes"))
        make("metric", kind).check((1,), (), Reading())
    make("metric", "accuracy").check((5,), (), Reading("classes"))


@pytest.mark.parametrize("kind", ["balanced_accuracy", "mcc", "kappa"])
def test_what_takes_one_answer_a_row_refuses_questions_of_their_own(kind: str) -> None:
    with pytest.raises(BuildError, match=r"takes one answer a row, but here each of 3 outputs"):
        make("metric", kind).check((3,), (3,), Reading("labels"))


def test_probabilities_that_are_zero_count_as_scikit_learn_has_them() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    y, target = np.array([[0.0, 1.0], [1.0, 0.0], [0.3, 0.7]]), np.array([0, 0, 1])
    metric = make("metric", "log_loss")
    metric.update(y, target)
    assert metric.result() == pytest.approx(metrics.log_loss(target, y), rel=1e-12)


def test_names_are_those_of_scikit_learn() -> None:
    for name in ("balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score", "average_precision_score",
                 "brier_score_loss", "root_mean_squared_error", "median_absolute_error", "explained_variance_score",
                 "mean_absolute_percentage_error", "mean_pinball_loss", "precision_score", "recall_score"):  # fmt: skip
        assert name in names("metric")
