"""Arrays from .npy, .npz and IDX files."""

from __future__ import annotations

import io
import math
import re
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.labels import are_classes, check_seen, encode, task_of
from backprop_cli.data.files.memory import physical_memory
from backprop_cli.data.files.paths import find, reading
from backprop_cli.data.files.request import Request
from backprop_cli.data.finite import check_array
from backprop_cli.data.gather import is_large
from backprop_cli.data.idx import read_idx
from backprop_cli.data.shares import usual
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import megabytes, open_zip

if TYPE_CHECKING:
    from backprop_cli.data.files.options import FileOptions

_X, _Y = "x|X|data|images|inputs|features", "y|Y|target|targets|labels"
_KEY = re.compile(rf"(?:(?P<before>\w+?)_)?(?:(?P<x>{_X})|(?P<y>{_Y}))(?:_(?P<after>\w+))?")
_MNIST = re.compile(r"(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?")
#: of the machine's memory, what one file may unpack to
_MEMORY_SHARE = 0.8
_MAX_HEADER = 1 << 16  # bytes of a .npy file that tell shape and type
_PICKLED = (
    "{path}: holds pickled Python objects, which could run any program and are never loaded; save plain numbers with "
    "numpy.save"
)


def load_arrays(request: Request) -> Dataset:
    """The dataset of array files: x (N, …), y (N,) class ids or (N, K) values; see `Files`. Raises DataError."""
    options, paths, slices, known = request.options, request.paths, request.slices, request.known
    x: dict[str, Array] = {}
    y: dict[str, Array] = {}
    origins: dict[str, str] = {}
    for name, path in paths.items():
        for base, (rows, targets) in _read(options, request.form, path).items():
            split = base if len(paths) == 1 and base else name
            rows, targets = _with_rows(rows, targets, path)
            x[split], y[split], origins[split] = rows, targets, str(path)
            if len(rows) != len(targets):
                raise DataError(f"{path}: {len(rows)} rows of x but {len(targets)} of y; expected the same number")
    classes = None
    task = options.task or task_of(known)
    if all(are_classes(values, task) and values.ndim == 1 for values in y.values()):
        y, classes = encode(y, origins, known.classes if known else None)
    else:
        y = {name: values.reshape(len(values), -1) for name, values in y.items()}
    rows_of = None
    if len(x) == 1 and not is_large(x["train"] if "train" in x else next(iter(x.values()))):
        (base,) = x
        check_array(f"{origins[base]}: x", x[base])  # while its rows still have the numbers they have in the file
        check_array(f"{origins[base]}: y", y[base])
        labels, values = (y[base], None) if classes else (None, y[base])
        dealt = deal(len(x[base]), options, slices, request.seed, labels=labels, values=values, base=base)
        x, y, slices = {base: x[base][dealt.order]}, {base: y[base][dealt.order]}, dealt.slices
        rows_of = {base: dealt.order}
    elif options.folds is not None:
        raise OptionError("dataset.folds deals out the rows of one array that fits into memory; remove it")
    parts = splits.cut(x, y, slices, rows=rows_of)
    notes = []
    if known is None:
        check_seen(parts, classes)
        notes = list(across(parts))
    return Dataset(
        name=next(iter(paths.values())).stem,
        source="files",
        splits=parts,
        classes=classes,
        origin=request.origin,
        notes=notes,
    )


def _with_rows(x: Array, y: Array, path: Path) -> tuple[Array, Array]:
    """x and y that have rows: one number a row is a row of one. Raises DataError for a single value."""
    for name, array in (("x", x), ("y", y)):
        if array.ndim == 0:
            raise DataError(f"{path}: {name} is a single value, {array!r:.60}; expected one entry a row")
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}: y holds bytes that are not UTF-8; expected numbers or text") from None
    return (x.reshape(-1, 1) if x.ndim == 1 and x.dtype.kind not in "SU" else x), y


def _read(options: FileOptions, form: str, path: Path) -> dict[str, tuple[Array, Array]]:
    """x and y by base split; the name is empty where the file has only one."""
    if form == "npz":
        return _by_split(read_npz(path), path, options.target)
    if form == "idx" and path.is_dir():
        return _mnist_folder(path)
    if not isinstance(options.target, str | Path):
        raise OptionError(f"{path}: set dataset.target to the file that holds the labels of its rows")
    labels = find(options.target, path.parent)
    read = read_idx if form == "idx" else read_npy
    return {"": (read(path), read(labels))}


def read_npy(path: Path) -> Array:
    """The memory-mapped array (N, …) of a .npy file; one that needs unpickling is refused. Raises DataError."""
    with reading(path):
        try:
            _check_header(path)
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DataError(_why(path, error)) from error
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path}: not a .npy file; expected one that numpy.save wrote")
    if array.ndim == 0:
        raise DataError(f"{path}: a single value; expected rows")
    return array


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file, which may not unpack to more than the machine can hold. Raises DataError."""
    with reading(path):
        try:
            with open_zip(path) as archive:
                _check_sizes(archive, path)
                archive.fp.seek(0)  # type: ignore[union-attr]  # it is open
                with np.load(archive.fp, allow_pickle=False) as file:  # type: ignore[arg-type]  # open, as above
                    return dict(file)
        except (ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, OverflowError) as error:
            raise DataError(_why(path, error)) from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a compression NumPy never writes
            raise DataError(f"{path}: {error}; save it again with numpy.savez") from error


def _why(path: Path, error: Exception) -> str:
    return (
        _PICKLED.format(path=path)
        if _is_pickled(path)
        else f"{path}: damaged or no NumPy file ({error}); save it again"
    )


def _is_pickled(path: Path) -> bool:
    """Whether a .npy file holds Python objects, or a file is nothing but a pickle. Asked of the file itself."""
    with path.open("rb") as file:
        if file.read(2)[:1] == b"\x80":
            return True
        file.seek(0)
        try:
            return bool(_header(file)[1].hasobject)
        except ValueError:
            return False


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype that a .npy file declares. Raises ValueError."""
    start = stream.read(8)
    counted = stream.read(2 if start[6:7] == b"\1" else 4)
    length = int.from_bytes(counted, "little")
    if length > _MAX_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    text = io.BytesIO(start + counted + stream.read(length))
    version = np.lib.format.read_magic(text)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(text)
    if dtype.itemsize == 0 and math.prod(shape) > 0:
        raise ValueError("an array of values without bytes")
    return shape, dtype


def _check_header(path: Path) -> None:
    """Raise ValueError for a .npy file whose header would fill the memory."""
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            file.seek(0)
            _header(file)


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Read what the members of a .npz say of themselves before unpacking any."""
    total = 0
    for member in archive.infolist():
        with archive.open(member) as stream:
            shape, dtype = _header(stream)
            if dtype.hasobject:
                raise DataError(_PICKLED.format(path=path))
            declared = math.prod(shape) * dtype.itemsize
            if declared != member.file_size - stream.tell():
                raise ValueError(f"{member.filename} declares {declared} bytes, {member.file_size} are stored")
        total += declared
    memory = physical_memory()
    if total > _MEMORY_SHARE * memory:
        raise DataError(
            f"{path}: unpacks to {megabytes(total)}, this machine has {megabytes(memory)}; "
            "save x and y as .npy, which is read from disk row by row"
        )


def _by_split(arrays: dict[str, Array], path: Path, target: str | list[str] | None) -> dict[str, tuple[Array, Array]]:
    """Pairs of x and y under the split that their keys name: x_train, train_x, or plain x."""
    x: dict[str, Array] = {}
    y: dict[str, Array] = {}
    for key, array in arrays.items():
        match = _KEY.fullmatch(key)
        if key == target:
            y[""] = array
        elif match:
            into = x if match["x"] else y
            name = match["before"] or match["after"] or ""
            into.setdefault(usual(name) or name, array)
    pairs = {name: (x[name], y[name]) for name in x if name in y}
    if not pairs:
        raise DataError(f"{path}: has the arrays {', '.join(arrays)}; expected x and y, or x_train, y_train, x_test, …")
    return pairs


def _mnist_folder(path: Path) -> dict[str, tuple[Array, Array]]:
    files = {(m["split"], m["kind"]): file for file in sorted(path.iterdir()) if (m := _MNIST.fullmatch(file.name))}
    pairs = {
        "train" if split == "train" else "test": (read_idx(files[split, "images"]), read_idx(files[split, "labels"]))
        for split, kind in files
        if kind == "images" and (split, "labels") in files
    }
    if not pairs:
        raise DataError(
            f"{path}: expected IDX files named such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
        )
    return pairs
