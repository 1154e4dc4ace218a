"""bp forked is bp as a new process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.forked import POSSIBLE, Server

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="there is no fork() here that libraries bear")
EARLY = "OMP_NUM_THREADS", "PYTHONIOENCODING", "LC_ALL", "BP_KERNELS"


@pytest.mark.parametrize(
    "words", [["--help"], ["train"], ["nonsense"], ["config", "show", "configs/xor.yaml"], ["plot", "none"]]
)
def test_streams_and_exit_code_are_the_same(bp, forked: Server, tmp_path: Path, words: list[str]) -> None:
    env = {**os.environ, "COLUMNS": "70"}
    assert forked.can(env)
    quick = forked.run(words, tmp_path, env, 60)
    usual = bp(*words, COLUMNS="70", PYTHONHASHSEED="0")  # which only a new process would see
    assert quick == (usual.code, usual.out, usual.err)


def test_a_variable_that_is_read_early_asks_for_a_new_process(forked: Server) -> None:
    assert not any(forked.can({**os.environ, name: "1"}) for name in EARLY)


def test_one_that_takes_too_long_is_killed_and_the_next_runs(forked: Server, bp, tmp_path: Path) -> None:
    endless = ["train", "configs/xor.yaml", "--quiet", "--epochs", "10000000"]
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(endless, tmp_path, dict(os.environ), 1)
    assert forked.run(["--version"], tmp_path, dict(os.environ), 60)[0] == 0
