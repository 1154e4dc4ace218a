"""The tests of kernels and of replayed steps once more, with a library that watches every access to memory and every
undefined operation; it is compiled without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_cli.engine.kernels.compiled.build import build, compiler
from tests.conftest import ROOT

FLAGS = [
    "-Werror",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
]
#: every kernel; then every layer, optimizer, loss and metric in steps that are recorded and replayed
NAMES = ("replay", "chains", "passes", "short_epochs")
TESTS = ["tests/engine/kernels", *(f"tests/training/test_{name}.py" for name in NAMES)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kernels_touch_nothing_but_their_arrays(tmp_path: Path) -> None:
    library = tmp_path / "watched.so"
    failure = build(library, FLAGS)
    assert failure is None, failure
    command = [*(compiler() or []), "-print-file-name=libasan.so"]
    watcher = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env=os.environ | {"BP_KERNELS": str(library), "LD_PRELOAD": watcher, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
