"""A prepared dataset that somebody else sent: nothing is imported but what is TFDS's own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow_datasets")

from backprop_cli.data.tfds.prepare import prepared
from backprop_cli.errors import DataError


@pytest.mark.parametrize("key", ["type", "pythonClassName"])
def test_features_import_nothing_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    (tmp_path / "evil_features.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "dataset_info.json").write_text('{"name": "mine", "version": "1.0.0"}')
    inner = {"label": {key: "evil_features.Evil", "content": {}}}
    features = {"type": "tensorflow_datasets.core.features.features_dict.FeaturesDict", "content": {"features": inner}}
    (tmp_path / "features.json").write_text(json.dumps(features))
    with pytest.raises(DataError, match=r"features\.json: names 'evil_features\.Evil' as a type"):
        prepared("mine", None, tmp_path, None)
    assert "evil_features" not in sys.modules


def test_a_pipe_among_its_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    os.mkfifo(tmp_path / "features.json")
    with pytest.raises(DataError, match="not a regular file but a pipe"):
        prepared("mine", None, tmp_path, None)
