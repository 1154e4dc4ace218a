"""Batches cut into shards in one process: the same training as uncut ones, to rounding."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop_cli.engine.ranks import Drawn, Ranks
from backprop_cli.training.parallel.tree import Tree
from tests.conftest import Finished
from tests.training.parallel.configs import CNN, LSTM, MLP, metrics, write

Bp = Callable[..., Finished]


@pytest.mark.parametrize("config", [MLP, LSTM | {"no_batch_norm": True}], ids=["mlp", "lstm"])
def test_shards_train_as_a_whole_batch_does(bp: Bp, tmp_path: Path, config: dict) -> None:
    path = write(tmp_path, config)
    assert bp("train", path, "--run-dir", "whole").code == 0
    assert bp("train", path, "--run-dir", "cut", "--set", "trainer.shards=4").code == 0
    whole, cut = metrics(tmp_path / "whole"), metrics(tmp_path / "cut")
    assert len(whole) == 3
    for row, other in zip(whole, cut, strict=True):
        assert row == pytest.approx(other, rel=1e-9, abs=1e-12)


def test_a_sharded_run_goes_on_to_the_same_bits(bp: Bp, tmp_path: Path) -> None:
    path = write(tmp_path, MLP)
    cut = ("--set", "trainer.shards=8")
    assert bp("train", path, "--run-dir", "all", "--epochs", "4", *cut).code == 0
    assert bp("train", path, "--run-dir", "two", "--epochs", "2", *cut).code == 0
    assert bp("train", "--resume", "two", "--epochs", "4").code == 0
    assert metrics(tmp_path / "all")[2:] == metrics(tmp_path / "two")[2:]


def test_batch_norm_and_shards_are_refused_in_a_line(bp: Bp, tmp_path: Path) -> None:
    done = bp("train", write(tmp_path, CNN), "--set", "trainer.shards=4")
    assert done.code == 2
    assert "batch_norm_1 (batch_norm) makes an example's output depend on the others" in done.err
    assert done.err.count("\n") == 1


def test_batches_smaller_than_the_shards_are_refused_in_a_line(bp: Bp, tmp_path: Path) -> None:
    done = bp("train", write(tmp_path, MLP), "--set", "trainer.shards=4", "--set", "trainer.batch_size=3")
    assert done.code == 2
    assert "trainer.batch_size: batches of 3 rows for 4 shards" in done.err


def test_mpi_without_mpiexec_trains_alone_and_says_so(bp: Bp, tmp_path: Path) -> None:
    path = write(tmp_path, MLP)
    assert bp("train", path, "--run-dir", "one", "--quiet").code == 0
    done = bp("train", path, "--run-dir", "two", "--parallel", "mpi")
    assert done.code == 0
    assert "started without mpiexec, so one process trains" in done.err
    assert metrics(tmp_path / "one") == metrics(tmp_path / "two")


@pytest.mark.parametrize("variables", [("OMPI_COMM_WORLD_", "RANK", "SIZE"), ("PMI_", "RANK", "SIZE")])
def test_a_launcher_without_the_option_or_without_mpi_is_told_at_once(
    bp: Bp, tmp_path: Path, variables: tuple[str, str, str]
) -> None:
    prefix, rank, size = variables
    environment = {prefix + rank: "0", prefix + size: "3"}
    for arguments in (["train", write(tmp_path, MLP)], ["eval", "latest"], ["sweep", "x.yaml"]):
        done = bp(*arguments, **environment)
        assert done.code == 2
        assert "3 processes were started" in done.err
        assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_parts_cover_a_batch_once_and_rank_0_has_always_a_row() -> None:
    for n in range(1, 40):
        for shards in (None, 8):
            for count in (1, 2, 4, 8):
                ranks = Ranks(shards)
                ranks.count = count
                rows = [r for rank in range(count) for part in ranks.own(n, rank) for r in range(part.start, part.stop)]
                assert rows == list(range(n))
                assert ranks.own(n)[0].start == 0
                assert ranks.own(n)[0].stop > 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8])
def test_a_tree_adds_all_and_halves_of_it_are_trees(count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    total = add(vectors)
    np.testing.assert_allclose(total, vectors.sum(axis=0), rtol=1e-5)
    if count in (2, 4, 8):
        halves = add(vectors[: count // 2]) + add(vectors[count // 2 :])
        assert halves.tobytes() == total.tobytes()


def add(vectors: np.ndarray) -> np.ndarray:
    vector = np.empty_like(vectors[0])
    tree = Tree(vector)
    for _ in range(2):  # its memory is used again
        for index, each in enumerate(vectors):
            vector[...] = each
            tree.add(last=index == len(vectors) - 1)
    return vector.copy()


def test_parts_draw_what_the_whole_batch_draws() -> None:
    whole = np.empty((6, 2))
    np.random.default_rng(1).random(out=whole)
    parts = []
    for rows in (slice(0, 2), slice(2, 6)):
        ranks = Ranks()
        ranks.batch = (6, rows)
        rng = Drawn(np.random.default_rng(1), ranks)
        parts.append(rng.random(out=np.empty((rows.stop - rows.start, 2))))
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    ranks.batch = (6, slice(2, 6))
    same = np.random.default_rng(2)
    assert Drawn(np.random.default_rng(2), ranks).normal(size=3) == pytest.approx(same.normal(size=3))  # not per row


def test_the_options_are_in_the_run(bp: Bp, tmp_path: Path) -> None:
    bp("train", write(tmp_path, MLP), "--run-dir", "cut", "--set", "trainer.shards=2")
    assert "shards: 2" in (tmp_path / "cut" / "config.yaml").read_text()
    assert "ranks" not in json.loads((tmp_path / "cut" / "run.json").read_text())


def test_profile_measures_cut_steps_and_says_that_they_are_not_replayed(bp: Bp, tmp_path: Path) -> None:
    done = bp("profile", write(tmp_path, MLP), "--set", "trainer.shards=4", "--json")
    assert done.code == 0, done.err
    assert done.json["replay"]["off"] == "each batch is cut into parts, whose gradients are summed"
