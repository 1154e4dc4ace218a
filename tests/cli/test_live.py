"""`bp train --live`: a chart above the bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.cli.chart import KEPT, Course, chart
from tests.conftest import ROOT

BRAILLE = re.compile("[\u2801-\u28ff]")
FINITE = st.floats(-1e6, 1e6)


def on_a_terminal(folder: Path, *arguments: str, **environment: str) -> str:
    """What `bp` writes to a terminal as its stderr."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", *arguments],
        cwd=folder,
        env=os.environ | {"TERM": "xterm-256color"} | environment,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert child.wait() == 0, seen
    return seen.decode()


def test_a_terminal_sees_both_losses(tmp_path: Path) -> None:
    seen = on_a_terminal(tmp_path, "train", str(ROOT / "configs/moons.yaml"), "--live", "--epochs", "5", COLUMNS="80")
    assert len(set(BRAILLE.findall(seen))) > 5
    assert "train/loss" in seen and "validation/loss" in seen


@pytest.mark.parametrize(
    ("flags", "environment"),
    [(["--live"], {"COLUMNS": "15"}), ([], {"COLUMNS": "80"}), (["--live"], {"PYTHONIOENCODING": "ascii"})],
)
def test_no_dots_where_they_do_not_belong(tmp_path: Path, flags: list[str], environment: dict[str, str]) -> None:
    seen = on_a_terminal(tmp_path, "train", str(ROOT / "configs/moons.yaml"), "--epochs", "2", *flags, **environment)
    assert not BRAILLE.search(seen)


def test_elsewhere_there_are_lines(bp) -> None:
    done = bp("train", "configs/moons.yaml", "--live", "--epochs", "2")
    assert done.code == 0
    assert not BRAILLE.search(done.err) and "epoch 2/2" in done.err


@given(st.lists(st.tuples(FINITE, FINITE), max_size=40), st.booleans(), st.integers(1, 30), st.integers(1, 12))
def test_every_chart_has_its_size(points: list[tuple[float, float]], plain: bool, width: int, height: int) -> None:
    rows = chart([sorted(points), []], width, height, plain)
    assert len(rows) == (height if points else 0)
    assert all(len(row) == width + 1 for row in rows)
    if points:
        assert any(owner == 0 for row in rows for _, owner in row)


def test_a_falling_loss_falls() -> None:
    rows = chart([[(x, 1 / x) for x in range(1, 100)]], 20, 5)
    first, last = ([row[j][1] == 0 for row in rows] for j in (1, 20))
    assert first[0] and last[-1] and not last[0]
    assert rows[0][0][0].strip().startswith("1") and rows[-1][0][0].strip().startswith("0.01")


def test_a_course_stays_small_and_keeps_its_shape() -> None:
    course = Course()
    for x in range(10_000):
        course.add(x, float("nan") if x == 5 else x)
    assert len(course.points) < KEPT
    assert all(x == pytest.approx(y, abs=1) for x, y in course.points)
    assert course.points[-1][0] > 9_700
