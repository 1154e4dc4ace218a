"""Every config that ships is exported, and gives there what it gives here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backprop_cli import load
from backprop_cli.commands.export.export import export
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config
from backprop_cli.data.loading import load_dataset
from backprop_cli.errors import UsageError
from tests.commands.export.conftest import columns, near, numpy_outputs, onnx_outputs, untrained

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if not path.name.endswith(".lesson.yaml"))
OFFLINE = {"mnist": ["dataset.source=sample", "dataset.name=mnist5k", "~dataset.fallback", "~dataset.splits"]}
SHOWN = {"cnn", "mazur", "deep_sigmoid_residual", "xor_batch_norm", "flats"}  # a process each is enough for these
#: networks that are neither feed-forward nor convolutional
NOT_SHOWN = {
    *(
        "adding",
        "adding_lstm",
        "char_transformer",
        "characters",
        "clip_rnn",
        "exploding",
        "exploding_clipped",
        "mnist1d_gru",
    ),
    *("power", "temporal_order"),
}

#: networks whose rows are made of two of the data's
REFUSED = {"siamese"}


def test_digits_get_the_same_class(tmp_path: Path) -> None:
    """configs/mnist.yaml after an epoch, on the images that ship; scripts/measure_models.py asks all 10,000."""
    overrides = [*OFFLINE["mnist"], "trainer.epochs=1"]
    train(load_config(ROOT / "configs" / "mnist.yaml", overrides), run_dir=tmp_path / "run")
    model = load(tmp_path / "run")
    made = export(model, "onnx", tmp_path / "mnist.onnx")
    x = load_dataset(load_config(tmp_path / "run" / "config.yaml").dataset, 0, tmp_path).splits["test"].x
    np.testing.assert_array_equal(onnx_outputs(made.path, x).argmax(axis=1), model.outputs(x).argmax(axis=1))
    assert len(x) == 500


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.process
def test_a_config_gives_the_same_in_onnxruntime(path: Path, tmp_path: Path) -> None:
    model, dataset = untrained(path, OFFLINE.get(path.stem, ()))
    if path.stem in REFUSED:
        with pytest.raises(UsageError, match="transform pairs cannot be exported to ONNX"):
            export(model, "onnx", tmp_path / "model.onnx")
        return
    started = time.process_time()
    made = export(model, "onnx", tmp_path / "model.onnx")
    assert time.process_time() - started < 3
    split = dataset.splits["train"]
    x: Any = split.x[:20]
    expected = model.outputs(x)
    if path.stem == "flats":
        table = pd.read_csv(ROOT / "backprop_cli" / "data" / "sample" / "flats.csv")
        x = columns(made.path, table.iloc[split.rows[:20]])
        near(onnx_outputs(made.path, x), expected)
    else:
        near(onnx_outputs(made.path, x), expected)
        near(onnx_outputs(made.path, x[:1]), expected[:1])
    if path.stem in NOT_SHOWN:
        with pytest.raises(UsageError, match="cannot be exported to numpy"):
            export(model, "numpy", tmp_path / "model.py")
        return
    written = export(model, "numpy", tmp_path / "model.py").path
    compile(written.read_text(), "model.py", "exec")
    if path.stem in SHOWN:
        near(numpy_outputs(written, split.x[:20]), expected)
