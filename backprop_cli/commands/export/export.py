"""`bp export`: a trained model in a form that others read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from backprop_cli.data.pipeline import transforms_state
from backprop_cli.errors import UsageError
from backprop_cli.model.description import KEY, TRANSFORMS
from backprop_cli.model.model import Model
from backprop_cli.runs.checkpoints import writer
from backprop_cli.runs.files import Folder, destination, write_output

Target = Literal["onnx", "safetensors", "numpy"]
SUFFIX: dict[Target, str] = {"onnx": ".onnx", "safetensors": ".safetensors", "numpy": ".py"}


@dataclass
class Made:
    """A file that was written, and what has to be said about it."""

    path: Path
    target: Target
    inputs: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What `bp export --json` prints."""
        size = self.path.stat().st_size
        return {"file": str(self.path), "target": self.target, "bytes": size, "inputs": self.inputs}


def export(model: Model, target: Target, path: Path | None = None) -> Made:
    """Write a model as `target`; by default into the working directory, under the model's name.

    Raises UsageError, before anything is written, for what that form cannot hold; RunError where nothing can be
    written.
    """
    path = path or Path(f"{model.description.name}{SUFFIX[target]}")
    other = next((kind for kind, suffix in SUFFIX.items() if suffix == path.suffix and kind != target), None)
    if other:
        raise UsageError(f"{path} has the suffix of --to {other}; expected a name ending in {SUFFIX[target]}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file, such as {path / f'model{SUFFIX[target]}'}")
    data = model.description.data
    one = [{"name": "x", "type": data.dtype, "shape": ["batch", *data.shape]}]
    if target == "onnx":
        return _onnx(model, path)
    if target == "numpy":
        from backprop_cli.commands.export import numpy

        write_output(path, [numpy.export(model, path.name).encode()])
        return Made(path, target, one)
    _safetensors(model, path)
    return Made(path, target, one)


def _onnx(model: Model, path: Path) -> Made:
    try:
        from backprop_cli.commands.export import onnx
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "google", "google.protobuf"):
            raise
        raise UsageError(
            "--to onnx needs the package onnx, which is not installed: pip install 'backprop-cli[export]'"
        ) from None
    exported = onnx.export(model)
    write_output(path, [exported.proto.SerializeToString()])
    return Made(path, "onnx", onnx.inputs(exported.proto), exported.notes)


def _safetensors(model: Model, path: Path) -> None:
    """The weights and the description, without the state of the training."""
    said, arrays = model.description.document()
    arrays |= {**model.network.parameters, **model.network.states}
    arrays |= {f"{TRANSFORMS}{name}": array for name, array in transforms_state(model.transforms).items()}
    target = destination(path)
    writer.write(Folder(target.parent), target.name, arrays, {KEY: said})
