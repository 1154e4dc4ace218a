"""Arrays: .npy, .npz and IDX; what is damaged, too large or pickled is refused before it is loaded."""

import gzip
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data.gather import is_large
from backprop_cli.data.inputs import read_inputs
from backprop_cli.data.schema import Schema
from backprop_cli.errors import DataError

X = np.arange(60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 4


def rows(*shape: int) -> Schema:
    return Schema(shape=shape, dtype="float32", target_shape=(), target_dtype="int64")


def load(path, seed=0, **options):
    options = {"source": "files", "path": Path(path), "splits": {"train": "train"}, **options}
    return registry.make("source", options, key="source").load(seed, Path("/nowhere"))


def idx(array, code):
    header = b"\0\0" + bytes([code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def assert_rows(split, x=X, y=Y):
    """Rows in any order, each with its own target."""
    order = np.argsort(split.x.reshape(len(split), -1)[:, 0])
    np.testing.assert_array_equal(split.x[order], x)
    np.testing.assert_array_equal(split.y[order], y)


def test_npy_pair(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    dataset = load(tmp_path / "x.npy", target="y.npy")
    assert_rows(dataset.splits["train"])
    assert dataset.classes == ["0", "1", "2", "3"]


def test_npz_with_text_labels(tmp_path):
    names = np.array(["d", "c", "b", "a"])
    np.savez(tmp_path / "d.npz", x=X, y=names[Y])
    dataset = load(tmp_path / "d.npz")
    assert dataset.classes == ["a", "b", "c", "d"]
    assert_rows(dataset.splits["train"], y=3 - Y)


@pytest.mark.parametrize(
    "keys", [("x_train", "y_train", "x_val", "y_val"), ("train_X", "train_y", "validation_X", "validation_y")]
)
def test_npz_with_splits(tmp_path, keys):
    np.savez_compressed(tmp_path / "d.npz", **dict(zip(keys, (X, Y, X[:8], Y[:8]), strict=True)))
    dataset = load(tmp_path / "d.npz", splits=None)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 20, "validation": 8}
    np.testing.assert_array_equal(dataset.splits["validation"].x, X[:8])


def test_values_as_targets(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=X[:, 0] / 7)
    dataset = load(tmp_path / "d.npz")
    assert dataset.classes is None
    assert_rows(dataset.splits["train"], y=X[:, :1] / 7)


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_idx_pair_and_folder(tmp_path, pack):
    images = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2)
    suffix = ".gz" if pack is gzip.compress else ""
    for stem, rows in (("train", slice(None)), ("t10k", slice(5))):
        (tmp_path / f"{stem}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images[rows], 8)))
        (tmp_path / f"{stem}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(Y[rows].astype(np.uint8), 8)))
    whole = load(tmp_path, splits=None)
    assert {name: len(split) for name, split in whole.splits.items()} == {"train": 20, "test": 5}
    np.testing.assert_array_equal(whole.splits["train"].x, images)
    pair = load(tmp_path / f"train-images-idx3-ubyte{suffix}", target=f"train-labels-idx1-ubyte{suffix}")
    assert_rows(pair.splits["train"], images)


def test_a_large_file_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("backprop_cli.data.gather.LARGE_BYTES", 100)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    dataset = load(tmp_path / "x.npy", target="y.npy", splits={"train": "75%", "test": "25%"})
    assert all(is_large(split.x) for split in dataset.splits.values())
    np.testing.assert_array_equal(dataset.splits["test"].x, X[15:])


class Evil:
    def __reduce__(self):
        return (sys.exit, ("unpickled",))


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps([1, 2]))
    np.savez(tmp_path / "d.npz", x=np.array([Evil()], object), y=Y)
    for name in ("x.npy", "raw.npy", "d.npz"):
        with pytest.raises(DataError, match=f"{name}: holds pickled Python objects"):
            load(tmp_path / name, target="y.npy")


def test_a_zip_bomb_is_refused_unopened(tmp_path):
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 45,)}
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as file, file.open("x.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(DataError, match=r"d\.npz: damaged.* declares 140737488355328 bytes"):
        load(tmp_path / "d.npz")


def test_a_zip_bomb_that_says_what_it_is_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr("backprop_cli.untrusted.limits.UNPACKED", 1 << 20)
    x = np.zeros((1 << 10, 1 << 10), np.float32)
    np.savez_compressed(tmp_path / "d.npz", x=x, y=np.zeros(len(x)))
    with pytest.raises(DataError, match=r"d\.npz.*KiB that unpack to 4\.0 MiB, .* 1\.0 MiB; .*BP_LIMITS=5"):
        load(tmp_path / "d.npz")
    monkeypatch.setenv("BP_LIMITS", "5")
    assert len(load(tmp_path / "d.npz").splits["train"]) > 700
    monkeypatch.delenv("BP_LIMITS")
    x[:, ::8] = np.random.default_rng(0).random((1 << 10, 1 << 7))
    np.savez_compressed(tmp_path / "d.npz", x=x, y=np.zeros(len(x)))
    assert len(load(tmp_path / "d.npz").splits["train"]) > 700


def test_more_than_the_machine_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("backprop_cli.data.files.arrays.physical_memory", lambda: 200)
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    with pytest.raises(DataError, match=r"unpacks to .*, this machine has"):
        load(tmp_path / "d.npz")


@pytest.mark.parametrize("cut", [0, 3, 100, -30])
def test_damaged_files(tmp_path, cut):
    np.savez(tmp_path / "whole.npz", x=X, y=Y)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    (tmp_path / "d.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:cut])
    (tmp_path / "half.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:cut])
    with pytest.raises(DataError, match=r"d\.npz"):
        load(tmp_path / "d.npz")
    with pytest.raises(DataError, match=r"half\.npy"):
        load(tmp_path / "half.npy", target="y.npy")


def test_a_flipped_byte_in_a_compressed_file(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", x=np.random.default_rng(0).random((50, 9)), y=np.zeros(50, int))
    data = bytearray((tmp_path / "d.npz").read_bytes())
    data[1500] ^= 0xFF
    (tmp_path / "d.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"d\.npz: damaged"):
        load(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "has the arrays a, b; expected x and y"),
        ({"x": X, "y": Y[:5]}, "20 rows of x but 5 of y"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "row 4: label '4' never occurs"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "d.npz", splits=None)


def test_npy_without_labels(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match=r"set dataset\.target to the file"):
        load(tmp_path / "x.npy")
    with pytest.raises(DataError, match=r"no such file or folder; did you mean 'x\.npy'"):
        load(tmp_path / "x.npy", target="y.npy")


def test_prediction_from_arrays(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X, y=Y)
    for name in ("x.npy", "x.npz"):
        np.testing.assert_array_equal(read_inputs(tmp_path / name, rows(3)).x, X)
    np.save(tmp_path / "one.npy", np.zeros((28, 28)))
    assert read_inputs(tmp_path / "one.npy", rows(28, 28)).x.shape == (1, 28, 28)
    with pytest.raises(DataError, match="trained on rows of shape"):
        read_inputs(tmp_path / "one.npy", rows(27, 27))
    (tmp_path / "x.doc").touch()
    with pytest.raises(DataError, match=r"x\.doc: expected a \.npy"):
        read_inputs(tmp_path / "x.doc", rows(3))
