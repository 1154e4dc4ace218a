"""Every synthetic problem: shapes, classes, seeds, and the formula it claims."""

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.errors import DataError

POINTS = {"x": [[0.05, 0.10]], "y": [[0.01, 0.99]]}
FIXED = {"xor", "and", "points", "symmetry", "bit_parity", "encoder"}  # nothing in them is drawn
NAMES = sorted(registry.classes("synthetic"))


def load(name, seed=0, **options):
    options = {**(POINTS if name == "points" else {}), **options}
    return registry.make("synthetic", {"name": name, **options}, key="name").load(seed, Path())


def train(name, seed=0, **options):
    split = load(name, seed, **options).splits["train"]
    return split.x, split.y


@pytest.mark.parametrize("name", NAMES)
def test_rows_fit_the_contract(name):
    dataset = load(name)
    x, y = dataset.splits["train"].x, dataset.splits["train"].y
    assert list(dataset.splits) == ["train"]
    assert len(x) == len(y) > 0
    assert np.isfinite(x).all()
    if dataset.classes is None:
        assert y.dtype == np.float64
        assert y.ndim == 2
    else:
        assert y.dtype == np.int64
        assert set(np.unique(y)) == set(range(len(dataset.classes)))
        assert y.shape in (x.shape[:1], x.shape[:2])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FIXED])
def test_the_seed_and_nothing_else_decides(name):
    first, again, other = train(name, seed=1), train(name, seed=1), train(name, seed=2)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_its_own_seed_overrides_the_configs():
    source = registry.make("synthetic", {"name": "moons", "seed": 3}, key="name")
    np.testing.assert_array_equal(source.load(0, Path()).splits["train"].x, source.load(1, Path()).splits["train"].x)


def test_xor_is_the_four_points():
    x, y = train("xor")
    assert x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert y.tolist() == [0, 1, 1, 0]
    assert train("and")[1].tolist() == [0, 0, 0, 1]


def test_xor_samples_stay_near_their_corners():
    x, y = train("xor", samples=200, noise=0.05)
    np.testing.assert_array_equal((x.round().sum(1) % 2).astype(int), y)


def test_slices_are_fair():
    dataset = load("moons", samples=1000, splits={"train": "train[:80%]", "validation": "train[80%:]"})
    assert [len(split) for split in dataset.splits.values()] == [800, 200]
    assert 0.4 < dataset.splits["validation"].y.mean() < 0.6


def test_moons_without_noise_lie_on_their_circles():
    x, y = train("moons", noise=0)
    centre = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.linalg.norm(x - centre, axis=1), 1)
    assert (x[y == 0, 1] >= 0).all()
    assert (x[y == 1, 1] <= 0.5).all()


def test_circles_without_noise_have_their_radii():
    x, y = train("circles", noise=0, factor=0.3)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.where(y == 0, 1, 0.3))


def test_quantile_shells_are_ordered_and_equal():
    x, y = train("gaussian_quantiles", samples=999)
    radius = np.linalg.norm(x, axis=1)
    assert np.bincount(y).tolist() == [333, 333, 333]
    assert radius[y == 0].max() < radius[y == 1].min()


def test_linear_without_noise_is_affine():
    x, y = train("linear", noise=0, targets=2)
    _, residual, *_ = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)
    assert residual.max() < 1e-18


def test_sine_and_friedman_follow_their_formulas():
    x, y = train("sine", noise=0, periods=2)
    np.testing.assert_allclose(y, np.sin(2 * np.pi * x), atol=1e-12)
    x, y = train("friedman", noise=0)
    a, b, c, d, e = x[:, :5].T
    np.testing.assert_allclose(y[:, 0], 10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e)


def test_adding_marks_one_number_in_each_half():
    x, y = train("adding", length=9)
    assert (x[:, :4, 1].sum(1) == 1).all()
    assert (x[:, 4:, 1].sum(1) == 1).all()
    np.testing.assert_allclose(y[:, 0], (x[..., 0] * x[..., 1]).sum(1))


def test_copy_repeats_what_it_was_shown_after_the_signal():
    x, y = train("copy", length=3, delay=4, symbols=5)
    np.testing.assert_array_equal(y[:, -3:], x[:, :3])
    assert (y[:, :-3] == 0).all()
    assert (x[:, 6] == 6).all()  # the signal stands right before the answer


def test_parity_and_memory():
    x, y = train("parity", length=5)
    np.testing.assert_array_equal(x.sum((1, 2)) % 2, y)
    x, y = train("memory")
    np.testing.assert_array_equal(x[:, 0].argmax(1), y)


def test_points_of_class_ids():
    dataset = load("points", x=[[1, 2], [3, 4]], y=[0, 2])
    assert dataset.classes == ["0", "1", "2"]
    assert dataset.splits["train"].y.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": [[1], [2, 3]], "y": [0, 1]}, r"dataset\.x: rows of different lengths"),
        ({"x": [[1]], "y": [0, 1]}, "1 rows and dataset.y 2"),
        ({"x": [[1.0], [float("nan")]], "y": [0, 1]}, r"dataset\.x, row 1: not a finite number"),
        ({"x": [["a"]], "y": [0]}, r"dataset\.x: expected rows of numbers"),
        ({"x": [[1]], "y": [-1]}, "count from 0, got -1"),
    ],
)
def test_bad_points_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        load("points", **options)


def test_monks_follow_their_rules_and_lie_in_a_twentieth_of_the_third_training_set():
    for problem, trained in ((1, 124), (2, 169), (3, 122)):
        x, y = train("monks", problem=problem)
        a = [x[:, start:stop].argmax(1) for start, stop in ((0, 3), (3, 6), (6, 8), (8, 11), (11, 15), (15, 17))]
        rule = {
            1: (a[0] == a[1]) | (a[4] == 0),
            2: sum((each == 0).astype(int) for each in a) == 2,
            3: ((a[4] == 2) & (a[3] == 0)) | ((a[4] != 3) & (a[1] != 2)),
        }[problem]
        assert len(x) == trained + 432
        assert len(np.unique(x[trained:], axis=0)) == 432
        np.testing.assert_array_equal(y[trained:], rule[trained:])
        assert (y[:trained] != rule[:trained]).sum() == (6 if problem == 3 else 0)


def test_lone_features_are_of_one_row_each():
    x, y = train("lone_features", rows=20)
    assert (y == 1).sum() == 12
    np.testing.assert_array_equal(x[:, 0], y[:, 0])
    assert (x[:, 1:3] == 1).all()
    np.testing.assert_array_equal(x[:, 3:].sum(1), np.where(y[:, 0] > 0, 1, 5))
    assert x[:, 3:].sum(0).max() == 1


def test_dichotomies_are_coins_over_normal_points():
    x, y = train("dichotomies", points=300, features=5, times=20)
    assert (x.shape, y.shape) == ((300, 5), (300, 20))
    assert set(np.unique(y)) == {0, 1}
    assert abs(y.mean() - 0.5) < 0.03 and abs(x.mean()) < 0.1 and abs(x.std() - 1) < 0.1
