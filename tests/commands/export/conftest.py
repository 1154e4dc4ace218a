"""Models to be exported, made without training, and the programs that read what comes out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from backprop_cli import build
from backprop_cli.config.load import load_config
from backprop_cli.data.dataset import Dataset
from backprop_cli.model.model import Model

IN_FILE = """\
import sys
sys.path.insert(0, {numpy!r})
import importlib.util as util
spec = util.spec_from_file_location("model", sys.argv[1])
model = util.module_from_spec(spec)
spec.loader.exec_module(model)
import numpy as np
np.save(sys.argv[3], model.predict(np.load(sys.argv[2])))
assert not [name for name in sys.modules if name.startswith("backprop_cli")]
"""


def untrained(path: Path, overrides: Sequence[str] = ()) -> tuple[Model, Dataset]:
    """The model of a config with its first weights, moved a little: zeros and ones hide mistakes."""
    cfg = load_config(path, overrides)
    made = build.prepare(cfg)
    rng = np.random.default_rng(0)
    store = made.network.store
    store.values[...] += rng.normal(0, 0.05, store.values.shape)
    store.state[...] += rng.uniform(0, 0.5, store.state.shape)
    model = Model(made.description, made.network, made.transforms, cfg.loss, cfg.trainer.metrics, path=path)
    return model, made.dataset


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def onnx_outputs(path: Path, x: Any) -> np.ndarray:
    """What onnxruntime makes of one array, or of columns by name."""
    opened = session(path)
    if isinstance(x, dict):
        return opened.run(["output"], x)[0]
    (only,) = opened.get_inputs()
    dtype = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(int64)": "i8"}[only.type]
    return opened.run(["output"], {only.name: x.astype(dtype)})[0]


def columns(path: Path, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rows of a table as the inputs of an exported model: texts, numbers, days since 1970, words."""
    made = {}
    for each in session(path).get_inputs():
        values = table[each.name]
        if each.shape[1] == "words":
            words = [re.findall(r"\w+", text.lower()) for text in values.fillna("")]
            longest = max(map(len, words))
            made[each.name] = np.array([[*some, *[""] * (longest - len(some))] for some in words], object)
        elif each.type == "tensor(string)":
            made[each.name] = values.fillna("").to_numpy(object)[:, None]
        else:
            if not pd.api.types.is_numeric_dtype(values):
                values = (pd.to_datetime(values) - pd.Timestamp(0)) / pd.Timedelta(days=1)
            dtype = {"tensor(float)": "f4", "tensor(double)": "f8"}[each.type]
            made[each.name] = values.to_numpy(dtype)[:, None]
    return made


def numpy_outputs(path: Path, x: np.ndarray) -> np.ndarray:
    """What an exported Python file gives, in a Python that has NumPy and nothing else."""
    given, made = path.with_suffix(".x.npy"), path.with_suffix(".y.npy")
    np.save(given, x)
    code = IN_FILE.format(numpy=str(Path(np.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, path, given, made], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.load(made)


def near(found: np.ndarray, expected: np.ndarray) -> None:
    """Alike to 1e-5 of the largest."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
