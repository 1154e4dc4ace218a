"""What others have named is shown, and steers no terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.errors import visible

EVIL = "a\x1b]0;owned\x07\x1b[2J\u202eb\x9b1m"
SEEN = r"a\x1b]0;owned\x07\x1b[2J\u202eb\x9b1m"


def test_signs_that_nobody_sees_are_written_out() -> None:
    assert visible(EVIL) == SEEN
    assert visible("Größe − 東京\tx\n") == "Größe − 東京\tx\n"


@pytest.mark.parametrize(
    "command",
    [["runs", "ls"], ["runs", "ls", "--columns", "run_id,seed,started"], ["runs", "ls", "--format", "csv"],
     ["runs", "ls", "--json"], ["runs", "show", "a"], ["eval", EVIL], ["train", EVIL], ["plot", "a"]],
    ids=lambda command: " ".join(command[:2]).replace(EVIL, "…"),
)  # fmt: skip
def test_no_command_hands_them_on(bp: Callable[..., Any], tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "runs/a").mkdir(parents=True)
    info = {
        "id": "a",
        "name": EVIL,
        "status": EVIL,
        "seed": EVIL,
        "started": EVIL,
        "reason": EVIL,
        "host": {EVIL: EVIL},
    }
    info["metrics"] = {"epoch": 1, f"train/{EVIL}": 1.0}
    (tmp_path / "runs/a/run.json").write_text(json.dumps(info))
    done = bp(*command)
    assert not set(done.out + done.err) & {"\x1b", "\x07", "\x9b", "\u202e"}, (done.out, done.err)
    assert "Traceback" not in done.err
