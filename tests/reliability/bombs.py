"""Small files that unpack to gigabytes, of every kind that bp reads: refused before they do.

    python -m tests.reliability.bombs

Each is given to a command in a process of its own, whose time on the clock and peak memory are measured. What is large
and honest has to pass.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import h5py
import numpy as np
import openpyxl
import pyarrow as pa
from PIL import Image
from pyarrow import feather, parquet

from tests.reliability.compare import EVERYTHING

if TYPE_CHECKING:
    from tests.reliability.harness import Ended  # which trains a network first

MB = 1 << 20
SECONDS, MEGABYTES = 1.0, 512
TABLE = "dataset: {{source: files, path: {0}, target: y{1}}}\narchitecture: [{{type: dense, units: 1}}]\nloss: mse\n"
IMAGES = (
    "dataset: {source: files, path: pictures, format: images}\n"
    "architecture: [flatten, {type: dense, units: 2, activation: softmax}]\nloss: sparse_categorical_crossentropy\n"
)
WEIGHTS = (
    "dataset: {{source: synthetic, name: moons}}\narchitecture: [{{type: dense, units: 1, activation: sigmoid}}]\n"
    "loss: binary_crossentropy\nweights: {0}\n"
)


def zeros(path: Path, opened: Callable[[Path], io.IOBase], head: bytes, piece: bytes, times: int) -> None:
    with opened(path) as file:
        file.write(head)
        for _ in range(times):
            file.write(piece)


def packed(path: Path, pack: Callable[[bytes], bytes], head: bytes, text: bytes, size: int = 1 << 30) -> None:
    """`head`, then `size` bytes of a text again and again: every format allows one packed file after the other."""
    times = 16 * MB // len(text)
    path.write_bytes(pack(head) + pack(text * times) * (size // (times * len(text))))


def idx(path: Path, size: int) -> None:
    """An IDX file of size × 28 × 28 zeros."""
    packed(path, gzip.compress, struct.pack(">HBBIII", 0, 8, 3, size, 28, 28), bytes(784), size * 784)


def png(path: Path, side: int) -> None:
    """A black picture, made without ever holding it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(1)
    data = b"".join([*(packer.compress(bytes(1 + 3 * side)) for _ in range(side)), packer.flush()])
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, text in parts:
            file.write(struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text)))


def npz(path: Path, header: bytes, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x.npy", "y.npy"):
            with archive.open(name, "w", force_zip64=True) as file:
                zeros(path, lambda _, file=file: file, header, bytes(MB), size // MB)


def npy_header(shape: tuple[int, ...]) -> bytes:
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return text.getvalue()


def zstandard(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


def zstd(path: Path) -> io.IOBase:
    return pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")


def zip_of(name: str) -> Callable[[Path], io.IOBase]:
    def opened(path: Path) -> io.IOBase:
        archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        member = archive.open(name, "w", force_zip64=True)
        closes = member.close

        def close() -> None:
            closes()
            archive.close()

        member.close = close
        return member

    return opened


def long_list(path: Path) -> None:
    """A zip of 300,000 empty files."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(300_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")


def last_corner(path: Path) -> None:
    """A sheet with a cell in each of two opposite corners, and so 17 thousand million others."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "y"
    sheet.cell(1_048_576, 16_384, 1)
    book.save(path)


ENDLESS = "with recursive r(y) as (select 1 union all select y + 1 from r)"
#: what a view gives that never ends: rows, one row that never comes, rows in an order that is never known
VIEWS = {
    "rows": f"{ENDLESS} select y, {{large}} x from r",
    "count": f"{ENDLESS} select count(*) y from r",
    "sort": f"{ENDLESS} select y, {{large}} x from r order by -y",
}


def endless_view(path: Path, query: str = VIEWS["rows"]) -> None:
    """A database whose only table is a view that never ends."""
    duck = path.suffix == ".duckdb"
    large = "repeat('x', 1000)" if duck else "zeroblob(1000)"
    with closing(duckdb.connect(str(path)) if duck else sqlite3.connect(path)) as connection:
        connection.execute(f"create view v as {query.format(large=large)}")
        connection.commit()


def wide_vector(path: Path) -> None:
    """DuckDB works on 2,048 rows at once: of a megabyte each here."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create view v as select range y, repeat('x', 1000000) x from range(100000000)")


def unwritten(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (40_000, 40_000), "f4")


def compressed(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros((4000, 4000), "f4"), compression="gzip")


def keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        with archive.open("model.weights.h5", "w", force_zip64=True) as file:
            for _ in range(1024):
                file.write(bytes(MB))


def archive(path: Path) -> None:
    """A run of a gigabyte of zeros."""
    if path.suffix == ".zip":
        zeros(path, zip_of("run/checkpoints/best.safetensors"), b"", bytes(MB), 1024)
        return
    with zstd(path) as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
        info = tarfile.TarInfo("run/checkpoints/best.safetensors")
        info.size = 1 << 30
        with open("/dev/zero", "rb") as zero:
            tar.addfile(info, zero)


def wide(path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(300_000))
    path.write_text(f"{names},y\n" + ("0," * 300_000 + "1\n") * 4)


PACKERS = [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstandard)]
Make = Callable[[Path], object]
#: (name of the file, its maker, the config that reads it or the command)
BOMBS: list[tuple[str, Make, str]] = [
    ("x-idx3-ubyte.gz", lambda path: idx(path, 4_400_000), TABLE),
    ("wide.csv", wide, TABLE),
    *(
        (f"t.csv.{ending}", lambda path, pack=pack: packed(path, pack, b"x,y\n", b"0,0\n"), TABLE)
        for ending, pack in PACKERS
    ),
    ("t.csv.zip", lambda p: zeros(p, zip_of("t.csv"), b"x,y\n", b"0,0\n" * (MB // 4), 320), TABLE),
    ("t.jsonl.gz", lambda path: packed(path, gzip.compress, b"", b'{"y": 1}\n'), TABLE),
    ("many.npz", lambda path: npz(path, npy_header((256 * MB,)), 1 << 30), TABLE),
    ("header.npz", lambda path: npz(path, b"\x93NUMPY\x02\0\xff\xff\xff\x3f", 1 << 30), TABLE),
    ("list.npz", long_list, TABLE),
    ("t.parquet", lambda p: parquet.write_table(pa.table({c: np.zeros(10**8, "i1") for c in "xy"}), p), TABLE),
    ("s.parquet", lambda p: parquet.write_table(pa.table({"y": ["a" * MB] * 1000, "x": range(1000)}), p), TABLE),
    ("t.feather", lambda p: feather.write_feather(pa.table({"y": np.zeros(10**8)}), p, "zstd", 22), TABLE),
    ("t.xlsx", last_corner, TABLE),
    *(
        (f"{name}.{ending}", lambda path, query=query: endless_view(path, query), TABLE)
        for ending in ("sqlite", "duckdb")
        for name, query in VIEWS.items()
    ),
    ("wide.duckdb", wide_vector, TABLE),
    ("pictures/a/1.png", lambda path: png(path, 13_000), IMAGES),
    ("w.weights.h5", unwritten, WEIGHTS),
    ("z.weights.h5", compressed, WEIGHTS),
    ("w.keras", keras, WEIGHTS),
    ("w.npz", lambda path: npz(path, npy_header((256 * MB,)), 1 << 30), WEIGHTS),
    ("r.tar.zst", archive, "runs unpack {0} --runs unpacked"),
    ("r.zip", archive, "runs unpack {0} --runs unpacked"),
]


def command(base: Path, name: str, what: str) -> list[str]:
    """The arguments that make bp read a file."""
    if what in (TABLE, IMAGES, WEIGHTS):
        what = what.replace("target: y", "target: {0}") if "idx" in name else what
        (base / "c.yaml").write_text(what if what == IMAGES else what.format(name, ""))
        return ["check", "c.yaml"]
    return what.format(name).split()


def apart(action: Callable[[], object]) -> None:
    """Do something in another process: what is taken here would count as every child's."""
    child = os.fork()
    if not child:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def refused(base: Path, what: str, *arguments: str) -> Ended:
    """What bp takes to say no."""
    from tests.reliability.harness import quickest, start

    ended = quickest(lambda: start(base, *arguments).end(), SECONDS)
    said = ended.said.strip()
    took = f"{ended.clock:.2f} s, {ended.processor:.2f} s of processor time, {ended.megabytes:.0f} MB"
    print(f"{what}: {took}, exit code {ended.code}: {said}", flush=True)
    assert ended.code in (1, 2) and "Traceback" not in said and len(said.splitlines()) == 1, what
    assert ended.clock < SECONDS and ended.megabytes < MEGABYTES, what
    assert "BP_LIMITS" in said or "is compressed" in said, what  # it is refused for this and nothing else
    return ended


PREDICTIONS = ("input.png", "input.json.gz", "input.npz")


def predictions(base: Path) -> None:
    """Files that a trained model is to answer."""
    png(base / "input.png", 13_000)
    packed(base / "input.json.gz", gzip.compress, b'[{"x": "', b"0")
    npz(base / "input.npz", npy_header((256 * MB,)), 1 << 30)


def main() -> None:
    from tests.reliability.harness import TRAIN, bp, folder

    worst: list[Ended] = []
    with folder() as base:
        for name, make, what in BOMBS:
            apart(lambda name=name, make=make: make(base / name))
            worst.append(refused(base, f"{name}, {(base / name).stat().st_size:,} bytes", *command(base, name, what)))
            (base / name).unlink()
        (base / "c.yaml").write_text(EVERYTHING.read_text())
        assert bp(base, *TRAIN)[0] == 0
        apart(lambda: predictions(base))
        for name in PREDICTIONS:
            worst.append(refused(base, f"predict {name}", "predict", "run", name))
        assert not (base / "unpacked").exists() or not list((base / "unpacked").iterdir())
        for name, text in honest(base):
            (base / "h.yaml").write_text(text)
            code, said = bp(base, "check", "h.yaml")
            assert code == 0, f"{name}: {said}"
            print(f"{name}: passes", flush=True)
    most = [max(getattr(ended, name) for ended in worst) for name in ("clock", "processor", "megabytes")]
    took = f"{most[0]:.2f} s on the clock, {most[1]:.2f} s of processor time and {most[2]:.0f} MB"
    print(f"{len(worst)} files: all refused in one line, at most {took}")


def honest(base: Path) -> Iterator[tuple[str, str]]:
    """What is large and no trap."""
    np.lib.format.open_memmap(base / "x.npy", "w+", np.float32, (1 << 20, 1 << 10)).flush()
    np.save(base / "y.npy", np.arange(1 << 20, dtype=np.int64) % 2)
    yield "a .npy of 4 GiB", TABLE.format("x.npy", "").replace("target: y", "target: y.npy, task: regression")
    (base / "x.npy").unlink()
    values = np.random.default_rng(0).integers(0, 1000, (10_000, 30))
    block = "\n".join(",".join(map(str, row)) for row in values.tolist()) + "\n"
    with (base / "t.csv").open("w") as file:
        file.write(",".join([*(f"c{number}" for number in range(29)), "y"]) + "\n")
        for _ in range(100):
            file.write(block)
    yield "a CSV of 1,000,000 × 30", TABLE.format("t.csv", ", task: regression")
    pixels = np.random.default_rng(0).integers(0, 256, (9_600, 9_600, 3), np.uint8)
    Image.fromarray(pixels).save(base / "pictures/a/1.png", compress_level=0)
    (base / "pictures/b").mkdir(exist_ok=True)
    for number in range(4):
        Image.fromarray(pixels[:90, :90]).save(base / f"pictures/b/{number}.png")
        Image.fromarray(pixels[:80, :80]).save(base / f"pictures/a/{number + 2}.png")
    yield "a photograph of 92 million pixels", IMAGES.replace("format: images", "format: images, size: [8, 8]")


if __name__ == "__main__":
    main()
