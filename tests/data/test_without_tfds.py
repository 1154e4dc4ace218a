"""Where tensorflow-datasets is not installed, everything but its datasets works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

WITHOUT = "import sys; sys.modules['array_record'] = sys.modules['tensorflow_datasets'] = None; sys.argv[0] = 'bp'\n"
RUN = WITHOUT + "from backprop_cli.cli.main import main; main()"


def bp_without(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "BP_CACHE": str(cwd / "cache"), "COLUMNS": "300"}
    command = [sys.executable, "-c", RUN, *words]
    return subprocess.run(command, cwd=cwd, env=own, capture_output=True, text=True, check=False)


def test_its_datasets_say_what_is_missing(tmp_path: Path) -> None:
    done = bp_without("data", "info", "kmnist", cwd=tmp_path)
    assert done.returncode == 1
    assert "need the package tensorflow_datasets, which is not installed; `pip install" in done.stderr


def test_a_fallback_takes_its_place(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "mnist.yaml")
    done = bp_without("train", config, "--set", "dataset.fallback.name=digits", "--epochs", "1", cwd=tmp_path)
    assert done.returncode == 0
    assert "not installed" in done.stderr
    assert "fallback" in done.stderr
