"""Dead links of a built site are found, live ones are not."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.conftest import ROOT


def test_dead_links_are_listed_with_their_page(tmp_path: Path) -> None:
    (tmp_path / "how to").mkdir()
    (tmp_path / "index.html").write_text(
        '<h2 id="size-é">Size</h2> <a href="how%20to/sweep.html#jobs">a</a> <a href="#size-%C3%A9">b</a>'
        '<img src="a.png"> <a href="https://example.org/none">c</a> <a href="how to/gone.html">d</a>',
        encoding="utf-8",
    )
    (tmp_path / "how to" / "sweep.html").write_text(
        '<h2 id="jobs">Jobs</h2> <a href="../index.html">a</a> <a href="/index.html">b</a> <a href="..">c</a>'
        '<a href="../index.html#shape">d</a>',
        encoding="utf-8",
    )
    dead = runpy.run_path(str(ROOT / "scripts" / "check_links.py"))["dead"]
    expected = ["how to/sweep.html: ../index.html#shape", "index.html: a.png", "index.html: how to/gone.html"]
    assert sorted(dead(tmp_path)) == expected
