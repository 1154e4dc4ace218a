"""Data sets of papers and courses: as many rows as they print, and the arrays that their own programs generate."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.synthetic import family_trees
from backprop_cli.data.synthetic.t_c import C, T
from backprop_cli.errors import DataError

REFERENCE = np.load(Path(__file__).parents[2] / "reference" / "mnist1d.npz")
OTHER = {
    "samples": 200,
    "padding": [0, 5],
    "length": 17,
    "scale": 0.9,
    "translation": 3,
    "correlated_noise": 1.0,
    "noise": 0.5,
    "shear": 2.0,
}


def load(name: str, seed: int = 0, **options: Any) -> Dataset:
    source: Any = registry.make("synthetic", {"name": name, **options}, key="name")
    dataset: Dataset = source.load(seed, Path())
    return dataset


def rows(name: str, seed: int = 0, **options: Any) -> tuple[Any, Any]:
    split = load(name, seed, **options).splits["train"]
    return split.x, split.y


@pytest.mark.parametrize(
    ("case", "options"),
    [("usual", {"seed": 42}), ("shuffled", {"seed": 42, "shuffle": True}), ("other", {"seed": 7, **OTHER})],
)
def test_mnist1d_is_that_of_the_package(case: str, options: dict[str, Any]) -> None:
    """tests/reference/make_mnist1d.py; equal to the last bit where it was made, to rounding anywhere."""
    x, y = rows("mnist1d", **options)
    np.testing.assert_allclose(x[:20], REFERENCE[f"{case}_x"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(y[:100], REFERENCE[f"{case}_y"])
    assert np.bincount(y).tolist() == [len(y) // 10] * 10
    assert abs(x.mean()) < 1e-12
    assert x.std() == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"samples": 1005}, "1005 is no multiple of 10"), ({"padding": [9, 5]}, "5 is less than 9")],
)
def test_mnist1d_refuses_what_it_cannot_make(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load("mnist1d", **options)


def test_symmetry_and_parity_are_all_patterns() -> None:
    x, y = rows("symmetry")
    assert sorted(int("".join(str(int(bit)) for bit in row), 2) for row in x) == list(range(64))
    assert y.tolist() == [int(list(row) == list(row)[::-1]) for row in x]
    assert y.sum() == 8
    x, y = rows("bit_parity", bits=5)
    assert x.shape == (32, 5)
    assert y.tolist() == [bin(i).count("1") % 2 for i in range(32)]


def test_the_encoder_gives_its_input_back() -> None:
    x, y = rows("encoder", size=5)
    np.testing.assert_array_equal(x, np.eye(5))
    np.testing.assert_array_equal(x, y)


def test_modular_arithmetic_has_every_pair_once() -> None:
    for operation, rule in {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}.items():
        x, y = rows("modular", modulus=7, operation=operation)
        assert len({(int(a), int(b)) for a, b in x}) == 49
        np.testing.assert_array_equal(y, rule(x[:, 0], x[:, 1]) % 7)


def test_family_trees_have_hintons_104_questions() -> None:
    dataset = load("family_trees")
    x, y = dataset.splits["train"].x, dataset.splits["train"].y
    assert (x.shape, y.shape) == ((104, 36), (104, 24))
    assert len(np.unique(x, axis=0)) == 104
    people = dataset.targets

    def answers(person: str, relation: str) -> set[str]:
        asked = np.zeros(36)
        asked[[people.index(person), 24 + family_trees.RELATIONS.index(relation)]] = 1
        (row,) = np.flatnonzero((x == asked).all(axis=1))
        return {people[i] for i in np.flatnonzero(y[row])}

    assert answers("Colin", "aunt") == {"Jennifer", "Margaret"}
    assert answers("Charlotte", "uncle") == {"Arthur", "Charles"}
    assert answers("Margaret", "nephew") == {"Colin"}
    assert answers("James", "wife") == {"Victoria"}
    assert answers("Lucia", "father") == {"Roberto"}
    assert answers("Alfonso", "sister") == {"Sophia"}
    assert y.sum() == 112


def test_t_and_c_have_the_same_squares_and_pairs() -> None:
    def distances(pattern: Any) -> list[float]:
        return sorted(float(np.linalg.norm(a - b)) for a, b in combinations(np.argwhere(pattern), 2))

    assert distances(T) == distances(C)
    x, y = rows("t_c", size=6)
    assert x.shape == (128, 6, 6, 1)
    assert (x.sum(axis=(1, 2, 3)) == 5).all()
    assert len(np.unique(x.reshape(128, -1), axis=0)) == 128
    assert np.bincount(y).tolist() == [64, 64]
    assert x[y == 0].sum(axis=0).tolist() != x[y == 1].sum(axis=0).tolist()


def test_temporal_order_is_that_of_the_two_symbols() -> None:
    x, y = rows("temporal_order", samples=400, length=40)
    ids = x.argmax(axis=2)
    assert (x.sum(axis=2) == 1).all()
    for row, answer in zip(ids, y, strict=True):
        first, second = np.flatnonzero(row < 2)
        assert 4 <= first < 8
        assert 20 <= second < 24
        assert answer == 2 * row[first] + row[second]


def test_the_spiral_of_cs231n_is_the_one_of_its_notes() -> None:
    """The loop of cs231n.github.io/neural-networks-case-study, with the seed of its notebook."""
    rng, x, y = np.random.RandomState(0), np.zeros((300, 2)), np.zeros(300, np.int64)
    for j in range(3):
        ix = range(100 * j, 100 * (j + 1))
        r, t = np.linspace(0.0, 1, 100), np.linspace(j * 4, (j + 1) * 4, 100) + rng.randn(100) * 0.2
        x[ix], y[ix] = np.c_[r * np.sin(t), r * np.cos(t)], j
    mine = rows("cs231n_spiral", seed=0)
    np.testing.assert_array_equal(mine[0], x)
    np.testing.assert_array_equal(mine[1], y)


def test_related_tasks_share_the_parity_of_five_bits() -> None:
    x, y = rows("related_tasks")
    assert len(np.unique(x, axis=0)) == 256
    for bits, answers in zip(x.astype(int).tolist(), y.astype(int).tolist(), strict=True):
        first, odd = bits[0] == 1, sum(bits[1:6]) % 2 == 1
        assert answers == [int(first or odd), int(not first or odd), int(first and odd), int(not first and odd)]
