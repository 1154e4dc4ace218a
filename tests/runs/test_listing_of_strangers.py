"""A config that is no file, or steers somewhere else, spoils no listing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli.runs.listing import overview, value


@pytest.mark.timeout(60)  # what is read to no end takes longer; a busy machine does not
@pytest.mark.parametrize(
    "plant",
    [
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.write_text("seed: " + "[" * 5000),
        lambda path: path.write_bytes(b"seed: \xff"),
    ],
    ids=["pipe", "directory", "endless", "link", "deep", "not UTF-8"],
)
def test_a_column_of_its_config_is_empty(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/run.json").write_text(json.dumps({"id": "a", "status": "completed"}))
    plant(tmp_path / "a/config.yaml")
    (row,) = overview(tmp_path)
    assert value(row, "dtype") is None
