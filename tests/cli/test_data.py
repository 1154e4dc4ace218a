"""bp data, run as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("BP_CACHE", str(tmp_path))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backprop_cli", "data", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_ls(bp: Any) -> None:
    rows = json.loads(bp("ls", "--json").stdout)
    prepared = {(row["name"], row["source"]): row["prepared"] for row in rows}
    assert prepared["mnist5k", "sample"] and not prepared["mnist", "tfds"]
    assert "mnist5k" in bp("ls").stdout


def test_info(bp: Any) -> None:
    about = json.loads(bp("info", "mnist5k", "--json").stdout)
    assert about["splits"] == {"train": 4000, "validation": 500, "test": 500}
    assert about["x"] == {"shape": [28, 28, 1], "dtype": "uint8"}
    assert about["classes"] == list("0123456789")
    assert "28×28×1 uint8" in bp("info", "mnist5k").stdout


def test_get(bp: Any) -> None:
    assert json.loads(bp("get", "spirals", "--json").stdout)["source"] == "synthetic"


@pytest.mark.long
def test_mistakes_are_one_line_and_no_traceback(bp: Any) -> None:
    for arguments, status in ((("info", "mnst"), 2), (("info", "mnist", "--source", "sample"), 2), (("get",), 2)):
        done = bp(*arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
    assert bp("get", "mnst").stderr.count("\n") == 1
