"""Reading files of weights. Nothing in them is ever run: a .pt file, which is a pickle, is refused."""

from __future__ import annotations

import io
import math
import mmap
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backprop_cli.data.files.arrays import read_npz
from backprop_cli.data.files.paths import reading
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import BpError, DataError
from backprop_cli.model.model import Model
from backprop_cli.model.weights import keras2
from backprop_cli.runs.checkpoints import tensors
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.header import MAX_HEADER, parse
from backprop_cli.untrusted.limits import open_zip, swollen, unpacked
from backprop_cli.untrusted.regular import open_regular

Kind = Literal["bp", "torch", "keras"]
BFLOAT16 = "BF16"  # as safetensors call it; NumPy has no such type
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
INTO_SAFETENSORS = """\
  import torch; from safetensors.torch import save_file
  state = torch.load({old!r}, map_location="cpu", weights_only=True)  # a state_dict
  save_file({{name: each.contiguous() for name, each in state.items()}}, {new!r})"""


@dataclass
class Foreign:
    """The arrays of a file by the names they have there, and whose layouts they are in.

    `labels` are names that people gave to layers, where the file has them beside its own.
    """

    path: Path
    kind: Kind
    arrays: dict[str, Array]
    labels: dict[str, str]
    channels_first: bool = False
    ordered: bool = False  # whether the arrays come in the order in which they are used


def read(path: Path) -> Foreign:
    """The arrays of a file. Raises DataError, CheckpointError."""
    with reading(path):  # it is a file
        pass
    if path.suffix == ".npz":
        return Foreign(path, "bp", read_npz(path), {})
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix in (".h5", ".hdf5"):
        return _hdf5(path, path)
    if path.suffix == ".keras":
        return _keras(path)
    if path.suffix in PICKLES:
        lines = INTO_SAFETENSORS.format(old=path.name, new=path.with_suffix(".safetensors").name)
        raise DataError(f"{path}: a pickle, which could run any program and is never loaded; in PyTorch:\n{lines}")
    raise DataError(f"{path}: expected a run of bp, or a .safetensors, .npz, .weights.h5 or .keras file")


def _safetensors(path: Path) -> Foreign:
    """Of bp, with its checksums; of PyTorch, which says so or calls its arrays `weight` and `bias`; else with names
    and layouts of bp."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            length, room = int.from_bytes(file.read(8), "little"), path.stat().st_size - 8
            if not 2 <= length <= min(room, MAX_HEADER * 32):
                raise ValueError(f"a header of {length:,} bytes in a file of {room + 8:,}")
            fields, metadata = parse(file.read(length))
            if "bp" in metadata or "bp_format" in metadata:
                return _checkpoint(path)
            halves = [
                name for name, field in fields.items() if isinstance(field, dict) and field.get("dtype") == BFLOAT16
            ]
            fields |= {name: {**fields[name], "dtype": "U16"} for name in halves}
            entries = tensors.places(fields, room - length)
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # arrays that nobody wants are not read
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged or not a safetensors file ({error})") from None
    arrays = {
        name: np.frombuffer(
            data, entry.dtype, count=entry.bytes // entry.dtype.itemsize, offset=8 + length + entry.begin
        ).reshape(entry.shape)
        for name, entry in entries.items()
    }
    for name in halves:  # the upper half of a float32
        arrays[name] = (arrays[name].astype(np.uint32) << 16).view(np.float32)
    theirs = metadata.get("format") == "pt" or any(name.rpartition(".")[2] in ("weight", "bias") for name in arrays)
    return Foreign(path, "torch" if theirs else "bp", arrays, {})


def _checkpoint(path: Path) -> Foreign:
    file = CheckpointFile(path)
    if "optimizer/average" in file.entries and file.values.get("optimizer", {}).get("iteration"):
        model = Model.read(path)  # the average is one vector; only the network knows its parts
        if model is not None:
            return Foreign(path, "bp", {**model.network.parameters, **model.network.states}, {})
    own = [name for name in file.entries if "/" not in name]
    return Foreign(path, "bp", file.read(own), {})


def _keras(path: Path) -> Foreign:
    try:
        with open_zip(path) as archive:
            weights = archive.read("model.weights.h5")
            config = archive.read("config.json") if archive.getinfo("config.json").file_size < MAX_HEADER * 8 else b""
    except (OSError, KeyError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: damaged or not a .keras file of Keras 3 ({error})") from None
    arrays = _hdf5(io.BytesIO(weights), path)
    arrays.channels_first = b'"channels_first"' in config
    return arrays


def _hdf5(source: Any, path: Path) -> Foreign:
    """A .weights.h5 of Keras 3, or a .h5 of Keras 2. Links to other files are not followed."""
    import h5py

    arrays: dict[str, Array] = {}
    labels: dict[str, str] = {}
    total = 0

    def take(name: str, item: Any) -> Array:
        nonlocal total
        if item.external or item.is_virtual:
            raise DataError(f"{path}: array {name} lies in another file; save the weights again, all in one")
        if item.id.get_create_plist().get_nfilters():
            raise DataError(f"{path}: array {name} is compressed, as Keras never writes it; save the weights again")
        total += max(item.size, math.prod(item.chunks or ())) * item.dtype.itemsize
        if total > unpacked(size):  # HDF5 keeps no bytes of what was never written
            raise DataError(f"{path}: {swollen(size, total)}")
        array: Array = item[()]
        return array

    def visit(name: str, item: Any) -> None:
        parent, _, last = name.rpartition("/")
        if last == "vars" and isinstance(item.attrs.get("name"), str):
            labels[parent] = item.attrs["name"]
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
            arrays[name] = take(name, item)

    try:
        size = path.stat().st_size
        with h5py.File(source, "r") as file:
            layers = file.get("model_weights", file)
            if {"layer_names", "layer_names0"} & {*layers.attrs}:
                older = {now: take(written, item) for now, written, item in keras2.variables(layers)}
                return Foreign(path, "keras", older, {}, "channels_first" in str(file.attrs.get("model_config")), True)
            file.visititems(visit)
    except BpError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, MemoryError) as error:
        raise DataError(f"{path}: damaged or not a file of Keras's ({' '.join(str(error).split())})") from None
    kept = {name: array for name, array in arrays.items() if not name.startswith(("optimizer", "vars"))}
    return Foreign(path, "keras", {name: array for name, array in kept.items() if "seed_generator" not in name}, labels)
