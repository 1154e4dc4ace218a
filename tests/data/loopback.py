"""A web server on this machine with the raw files of small datasets, in the formats of the real ones,
and the ways in which servers fail. Builders of TFDS's kinds fetch from it.

As a program it loads one of those datasets, for tests that need another process:
    python loopback.py URL CHECKSUMS_DIR DATASET
"""

import csv
import gzip
import hashlib
import io
import json
import struct
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

TRAIN, TEST = 300, 40
CASES = ("good", "missing", "error", "truncated", "portal", "wrong", "stalled", "flaky")


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def images(rows: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, 256, (rows, *shape), np.uint8)


def labels(rows: int, classes: int = 10) -> np.ndarray:
    return np.arange(rows) % classes


def mnist_files() -> dict[str, bytes]:
    return {
        "train-images-idx3-ubyte.gz": idx(images(TRAIN, 28, 28)),
        "train-labels-idx1-ubyte.gz": idx(labels(TRAIN)),
        "t10k-images-idx3-ubyte.gz": idx(images(TEST, 28, 28)),
        "t10k-labels-idx1-ubyte.gz": idx(labels(TEST)),
    }


def emnist_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for split, rows in (("train", TRAIN), ("test", TEST)):
            archive.writestr(f"gzip/emnist-small-{split}-images-idx3-ubyte.gz", idx(images(rows, 28, 28)))
            archive.writestr(f"gzip/emnist-small-{split}-labels-idx1-ubyte.gz", idx(labels(rows, 26)))
    return buffer.getvalue()


def cifar_rows(rows: int, label_bytes: int) -> np.ndarray:
    marks = np.stack([labels(rows, 3 + place) for place in range(label_bytes)], axis=1)
    return np.hstack([marks, images(rows, 3072)]).astype(np.uint8)


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def cifar10_tar() -> bytes:
    rows = cifar_rows(TRAIN, 1)
    files = {f"data_batch_{n}.bin": part.tobytes() for n, part in enumerate(np.split(rows, 5), 1)}
    files["test_batch.bin"] = cifar_rows(TEST, 1).tobytes()
    files["batches.meta.txt"] = "\n".join(f"thing {n}" for n in range(10)).encode() + b"\n\n"
    return tar({f"cifar-10-batches-bin/{name}": data for name, data in files.items()})


def cifar100_tar() -> bytes:
    files = {
        "train.bin": cifar_rows(TRAIN, 2).tobytes(),
        "test.bin": cifar_rows(TEST, 2).tobytes(),
        "coarse_label_names.txt": "\n".join(f"kind {n}" for n in range(20)).encode(),
        "fine_label_names.txt": "\n".join(f"thing {n}" for n in range(100)).encode(),
    }
    return tar({f"cifar-100-binary/{name}": data for name, data in files.items()})


HOUSES = b"rooms,area,kind,price\n" + b"".join(
    b"%d,%.1f,%s,%.2f\n" % (n % 5, 20 + n / 2, b"flat" if n % 3 else b"villa", 1000.25 * n) for n in range(60)
)


class Server(ThreadingHTTPServer):
    """Serves /CASE/FILE; the case says how."""

    daemon_threads = True

    def __init__(self, checksums: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits: Counter[str] = Counter()
        self.files = mnist_files() | {
            "gzip.zip": emnist_zip(),
            "cifar10.tar.gz": cifar10_tar(),
            "cifar100.tar.gz": cifar100_tar(),
            "houses.csv": HOUSES,
        }
        self.url = f"http://127.0.0.1:{self.server_port}/"
        lines = [
            f"{self.url}{case}/{name}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}\t{name}"
            for case in CASES
            for name, data in self.files.items()
        ]
        checksums.mkdir(exist_ok=True)
        (checksums / "loopback.txt").write_text("\n".join(lines) + "\n")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        case, name = self.path.strip("/").split("/")
        self.server.hits[self.path] += 1
        data, status, length = self.server.files[name], 200, None
        if case == "missing":
            data, status = b"no such file", 404
        elif case == "error":
            data, status = b"out of order", 500
        elif case == "flaky" and self.server.hits[self.path] == 1:
            data, status = b"busy", 503
        elif case == "portal":
            data = b"<!DOCTYPE html><html><body>Please log in</body></html>"
        elif case == "wrong":
            data = b"something else"
        elif case in ("truncated", "stalled"):
            length = len(data)
            data = data[: length // 2]
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)
        if case == "stalled":
            self.wfile.flush()
            threading.Event().wait()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(checksums: Path) -> Iterator[Server]:
    with Server(checksums) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def define_builders(url: str, checksums: Path) -> None:
    """Register `loopback_*`: TFDS's builders, as bp changes them, that fetch from the server."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.image_classification import mnist

    from backprop_cli.data.tfds import builders

    tfds.download.add_checksums_dir(str(checksums))
    for kept in (tfds.core.download.checksums._checksum_paths, tfds.core.download.checksums.get_all_url_infos):
        kept.cache_clear()  # another test of this process may have read them without this folder
    for case in CASES:
        type(f"Loopback{case.title()}", (builders.MNIST,), {"URL": f"{url}{case}/", "__module__": __name__})

    class LoopbackEmnist(builders.EMNIST):
        URL = f"{url}good/gzip.zip"
        BUILDER_CONFIGS = [mnist.EMNISTConfig(name="small", class_number=26, train_examples=TRAIN, test_examples=TEST)]

    class LoopbackCifar10(builders.Cifar10):
        @property
        def _cifar_info(self) -> Any:
            return super()._cifar_info._replace(url=f"{url}good/cifar10.tar.gz")

    class LoopbackCifar100(builders.Cifar100):
        @property
        def _cifar_info(self) -> Any:
            return super()._cifar_info._replace(url=f"{url}good/cifar100.tar.gz")

    class LoopbackHouses(tfds.core.GeneratorBasedBuilder):
        """A table, as anybody would write its builder."""

        VERSION = tfds.core.Version("1.2.0")

        def _info(self) -> Any:
            features = {
                "rooms": np.int32,
                "size": {"area": np.float32},
                "kind": tfds.features.ClassLabel(names=["flat", "villa"]),
                "price": np.float64,
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._generate_examples(dl_manager.download(f"{url}good/houses.csv"))}

        def _generate_examples(self, path: Any) -> Any:
            for number, row in enumerate(csv.DictReader(Path(path).read_text().splitlines())):
                size = {"area": float(row["area"])}
                yield number, {"rooms": int(row["rooms"]), "size": size, "kind": row["kind"], "price": row["price"]}


def main(url: str, checksums: str, name: str) -> None:
    from backprop_cli.data.cache import Entry
    from backprop_cli.data.fingerprint import fingerprint
    from backprop_cli.data.loading import load_dataset
    from backprop_cli.data.tfds import Tfds

    source = Tfds(name=name)
    entry: Entry = source.entry(Path())

    stdout = sys.stdout

    def show(task: str, done: int, total: int | None) -> None:
        print(json.dumps([task, done, total]), file=stdout, flush=True)

    if entry.read() is None:
        define_builders(url, Path(checksums))
    dataset = load_dataset(source, 0, Path(), progress=show)
    result = {
        "rows": {split: len(rows) for split, rows in dataset.splits.items()},
        "fingerprint": fingerprint(dataset),
        "imported": "tensorflow_datasets" in sys.modules,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
