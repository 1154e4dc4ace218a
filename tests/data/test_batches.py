"""Batches: what an epoch draws, in which order, and that stopping in the middle changes nothing."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.data import batches as batches_module
from backprop_cli.data import gather
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.transform import Transform
from backprop_cli.data.transforms.scale import Scale
from backprop_cli.engine.kernels import load
from backprop_cli.errors import DataError


def numbered(n: int) -> Split:
    """Row i holds i in every feature and as its target, so that a row can be told from its values."""
    rows = np.arange(n)
    return Split(np.stack([rows, rows], 1).astype(np.float32), rows)


def rows_of(batches: Batches, epoch: int, start: int = 0) -> list[list[int]]:
    return [y.tolist() for _, y in batches.epoch(epoch, start)]


class Jitter(Transform):
    """Adds noise: enough to see whether augmentation depends on anything but seed, epoch and batch."""

    augments = True

    def apply(self, x, y, out, rng):
        np.add(x, rng.standard_normal(x.shape), out=out, casting="unsafe")
        return y


class Broken(Transform):
    augments = True

    def apply(self, x, y, out, rng):
        raise DataError("row 3: broken")


@given(n=st.integers(1, 60), size=st.integers(1, 70), epoch=st.integers(0, 9), seed=st.integers(0, 99))
@settings(deadline=None)
def test_an_epoch_draws_every_row_once(n, size, epoch, seed):
    batches = Batches(numbered(n), size, seed=seed)
    drawn = rows_of(batches, epoch)
    assert len(drawn) == batches.steps_per_epoch
    assert sorted(row for rows in drawn for row in rows) == list(range(n))
    assert all(len(rows) == batches.batch_size for rows in drawn[:-1])


@given(n=st.integers(1, 60), size=st.integers(1, 20), start=st.integers(0, 70), epoch=st.integers(0, 5))
@settings(deadline=None)
def test_a_resumed_epoch_draws_what_an_unbroken_one_would_have(n, size, start, epoch):
    batches = Batches(numbered(n), size, seed=1)
    assert rows_of(batches, epoch, start) == rows_of(Batches(numbered(n), size, seed=1), epoch)[start:]


@pytest.mark.parametrize("prefetch", [False, True])
def test_augmentation_depends_on_seed_epoch_and_batch_only(prefetch):
    def draw(start):
        batches = Batches(numbered(40), 8, transforms=[Jitter()], seed=5, prefetch=prefetch)
        return [x.copy() for x, _ in batches.epoch(2, start)]

    whole = draw(0)
    for start in range(6):
        for resumed, unbroken in zip(draw(start), whole[start:], strict=True):
            np.testing.assert_array_equal(resumed, unbroken)


def test_a_thread_gives_the_same_batches():
    alone, threaded = (
        Batches(numbered(100), 7, transforms=[Jitter()], prefetch=prefetch) for prefetch in (False, True)
    )
    threaded.threaded = True  # whatever this machine's cores
    assert not alone.threaded
    for (x, y), (other_x, other_y) in zip(alone.epoch(0), threaded.epoch(0), strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_epochs_and_seeds_differ():
    batches = Batches(numbered(50), 50)
    assert rows_of(batches, 0) != rows_of(batches, 1)
    assert rows_of(batches, 0) != rows_of(Batches(numbered(50), 50, seed=1), 0)


def test_without_shuffle_rows_come_as_they_lie():
    assert rows_of(Batches(numbered(5), 2, shuffle=False), 3) == [[0, 1], [2, 3], [4]]


def test_drop_last_leaves_the_short_batch_out():
    batches = Batches(numbered(5), 2, drop_last=True)
    assert batches.steps_per_epoch == 2
    assert [len(rows) for rows in rows_of(batches, 0)] == [2, 2]


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=5), epoch=st.integers(0, 3))
@settings(deadline=None)
def test_balanced_draws_each_class_equally_often(counts, epoch):
    y = np.repeat(np.arange(len(counts)), counts)
    split = Split(np.arange(len(y), dtype=np.float32)[:, None], y)
    batches = Batches(split, 4, balanced=True)
    x, y = (np.concatenate(part) for part in zip(*((a.copy(), b.copy()) for a, b in batches.epoch(epoch)), strict=True))
    assert len(y) == batches.samples
    assert set(np.bincount(y)) == {batches.samples // len(counts)}
    for label, count in enumerate(counts):  # nothing is drawn again before all of its class was drawn
        times = np.unique(x[y == label], return_counts=True)[1]
        each = batches.samples // len(counts)
        assert times.max() - (times.min() if each >= count else 0) <= 1


@pytest.mark.parametrize(
    ("x_dtype", "y_dtype", "expected_x", "expected_y"),
    [
        ("uint8", "uint8", "float32", "int64"),
        ("float64", "float64", "float32", "float32"),
        ("bool", "bool", "float32", "int64"),
        ("int32", "int32", "int64", "int64"),
        (">f4", ">i2", "float32", "int64"),
    ],
)
def test_dtypes(x_dtype, y_dtype, expected_x, expected_y):
    batches = Batches(Split(np.ones((5, 2), x_dtype), np.ones(5, y_dtype)), 2)
    x, y = next(iter(batches.epoch(0)))
    assert (x.dtype, y.dtype) == (batches.input_dtype, batches.target_dtype) == (expected_x, expected_y)
    assert x.flags.c_contiguous
    assert x.tolist() == [[1, 1], [1, 1]]


def test_a_transform_makes_integers_floats():
    batches = Batches(Split(np.full((4, 2), 10, np.int32), np.zeros(4, int)), 4, transforms=[Scale(by=0.5)])
    x, _ = next(iter(batches.epoch(0)))
    assert batches.input_dtype == x.dtype == np.float32
    assert x.tolist() == [[5, 5]] * 4


def test_windows_of_one_text_need_no_copy_of_all_windows():
    ids = np.arange(1000, dtype=np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(ids, 11)
    batches = Batches(Split(windows[:, :10], windows[:, 1:]), 16)
    for x, y in batches.epoch(0):
        np.testing.assert_array_equal(x + 1, y)


@pytest.mark.large
@given(
    n=st.integers(1, 200),
    size=st.integers(1, 40),
    start=st.integers(0, 30),
    window=st.integers(1, 400),
    block=st.integers(1, 100),
    shuffle=st.booleans(),
    balanced=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_a_file_larger_than_the_limit_is_read_window_by_window(
    tmp_path_factory, n, size, start, window, block, shuffle, balanced
):
    folder = tmp_path_factory.mktemp("large")
    np.save(folder / "x.npy", numbered(n + 10).x)
    np.save(folder / "y.npy", np.arange(n + 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "LARGE_BYTES", 1)
        patch.setattr(batches_module, "LARGE_BYTES", 1)
        patch.setattr(gather, "_WINDOW_BYTES", window)
        patch.setattr(gather, "_BLOCK_BYTES", block)
        x, y = (np.load(folder / f"{name}.npy", mmap_mode="r")[10:] for name in "xy")
        batches = Batches(Split(x, y), size, shuffle=shuffle, balanced=balanced)
        drawn = []
        for x, y in batches.epoch(3):
            np.testing.assert_array_equal(x[:, 0], y)
            drawn.append(y.tolist())
        assert sorted(row for rows in drawn for row in rows) == list(range(10, n + 10))
        assert rows_of(batches, 3, start) == drawn[start:]


def test_blocks_of_a_large_file_are_mixed(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "LARGE_BYTES", 1)
    monkeypatch.setattr(gather, "_WINDOW_BYTES", 8000)
    monkeypatch.setattr(gather, "_BLOCK_BYTES", 80)
    np.save(tmp_path / "x.npy", numbered(10_000).x)
    batches = Batches(Split(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(10_000)), 100)
    assert batches.threaded or os.cpu_count() == 1
    for _, y in batches.epoch(0):
        assert len(np.unique(y // 10)) > 50  # of 100 blocks in a window
        assert y.max() - y.min() > 5000


@pytest.mark.large
@pytest.mark.parametrize("start", [0, 37])
def test_the_disk_is_asked_for_a_block_before_it_is_needed(tmp_path, monkeypatch, start):
    monkeypatch.setattr(gather, "LARGE_BYTES", 1)
    monkeypatch.setattr(gather, "_WINDOW_BYTES", 8000)
    monkeypatch.setattr(gather, "_BLOCK_BYTES", 80)
    asked: list[set[int]] = [set()]
    fadvise = os.posix_fadvise

    def noted(file, offset, length, advice):
        asked[-1].update(range(offset, offset + length))
        fadvise(file, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noted)
    np.save(tmp_path / "x.npy", numbered(10_000).x)
    source = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Batches(Split(source[500:], np.arange(9500)), 30, prefetch=False)
    for _, y in batches.epoch(0, start):
        places = source.offset + (500 + y) * source.strides[0]
        assert set(places.tolist()) <= set.union(*asked)
        asked.append(set())
    assert max(len(each) for each in asked[1:]) <= 10 * 80  # a few with every batch, not a window at once
    assert sum(len(each) for each in asked) <= 1.1 * 9500 * source.strides[0]  # hardly any of them twice


def test_a_file_cut_short_while_in_use_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "LARGE_BYTES", 1)
    monkeypatch.setattr(gather, "_WINDOW_BYTES", 100)
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((9000, 2)))
    batches = Batches(Split(np.load(path, mmap_mode="r"), np.zeros(9000, int)), 10, shuffle=False)
    with path.open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(DataError, match=r"x\.npy: shorter than when training began"):
        list(batches.epoch(0))


def test_an_error_in_the_thread_reaches_the_consumer_and_the_thread_ends():
    batches = Batches(numbered(20), 4, transforms=[Broken()])
    batches.threaded = True
    with pytest.raises(DataError, match="row 3: broken"):
        list(batches.epoch(0))
    assert not [each for each in threading.enumerate() if each.name == "bp-batches"]


def test_closing_the_iterator_ends_the_thread():
    batches = Batches(numbered(4000), 4, transforms=[Jitter()])
    batches.threaded = True
    iterator = batches.epoch(0)
    next(iterator)
    assert [each for each in threading.enumerate() if each.name == "bp-batches"]
    iterator.close()
    assert not [each for each in threading.enumerate() if each.name == "bp-batches"]


@pytest.mark.parametrize(
    ("split", "options", "message"),
    [
        (Split(np.zeros((0, 2)), np.zeros(0)), {}, "without rows"),
        (Split(np.zeros((3, 2)), np.zeros(3)), {"drop_last": True}, "fewer than one batch of 4"),
        (Split(np.zeros((3, 2)), np.zeros(3)), {"balanced": True}, "one class id a row"),
    ],
)
def test_what_cannot_be_batched_is_refused(split, options, message):
    with pytest.raises(DataError, match=message):
        Batches(split, 4, **options)


class TestStraightIntoTheNetwork:
    """Rows that need no work, or only scaling, take a shorter way to the same numbers."""

    @pytest.mark.parametrize("which", ["numpy", "compiled"])
    @pytest.mark.parametrize("shuffle", [False, True])
    @pytest.mark.parametrize("scaled", [False, True])
    def test_the_short_way_gives_the_same_batches(self, which: str, shuffle: bool, scaled: bool) -> None:
        rng = np.random.default_rng(1)
        x = rng.integers(0, 256, (23, 3, 4)).astype(np.uint8 if scaled else np.float32)
        split = Split(x, rng.integers(0, 5, 23))
        options = {"transforms": [Scale(offset=0.5)] if scaled else [], "seed": 4, "shuffle": shuffle}
        buffer = np.empty((5, 3, 4), np.float32)
        plain = Batches(split, 5, **options)
        short = Batches(split, 5, **options, kernels=load(which), into=lambda n: buffer[:n])
        assert len(list(short.epoch(2, 1))) == 4
        for (x, y), (into, target) in zip(plain.epoch(2, 1), short.epoch(2, 1), strict=True):
            assert np.shares_memory(into, buffer)
            np.testing.assert_allclose(into, x, rtol=1e-6)
            np.testing.assert_array_equal(target, y)
