"""Source tfds: TFDS's builders prepare from real files of a server on this machine, and every way in
which that is known to go wrong is a recovery or one clear error."""

import gzip
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data import catalogue
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.tfds import Tfds, fetch
from backprop_cli.errors import DataError, DownloadError, UnknownNameError
from tests.data import loopback
from tests.data.loopback import TEST, TRAIN, Server

HERE = Path()


@pytest.fixture(scope="module")
def checksums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checksums")


@pytest.fixture(scope="module")
def server(checksums: Path) -> Iterator[Server]:
    with loopback.serving(checksums) as server:
        loopback.define_builders(server.url, checksums)
        yield server


@pytest.fixture(autouse=True)
def cache(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("TFDS_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))
    server.hits.clear()
    return tmp_path / "cache"


def load(name: str, **options: Any) -> Dataset:
    return load_dataset(Tfds(name=name, **options), 0, HERE)


def whole(dataset: Dataset, key: Any) -> tuple[np.ndarray, np.ndarray]:
    """All rows of the train split, in the order of the raw file (TFDS shuffles)."""
    split = dataset.splits["train"]
    order = np.argsort([key(row) for row in split.x])
    return split.x[order], split.y[order]


def raw_order(raw: np.ndarray) -> Any:
    place = {row.tobytes(): number for number, row in enumerate(raw)}
    return lambda row: place[np.asarray(row).tobytes()]


class TestBuilders:
    """What was prepared is what lies in the raw files, pixel for pixel."""

    def test_mnist(self, cache: Path) -> None:
        dataset = load("loopback_good")
        assert {name: len(split) for name, split in dataset.splits.items()} == {"train": TRAIN, "test": TEST}
        right = loopback.images(TRAIN, 28, 28)[..., None]
        x, y = whole(dataset, raw_order(right))
        np.testing.assert_array_equal(x, right)
        np.testing.assert_array_equal(y, loopback.labels(TRAIN))
        assert (x.dtype, y.dtype) == (np.uint8, np.int64)
        assert dataset.classes == [str(digit) for digit in range(10)]
        assert dataset.origin["full_name"] == "loopback_good/3.0.1"
        assert (cache / "tensorflow_datasets/loopback_good/3.0.1/dataset_info.json").is_file()

    def test_emnist(self) -> None:
        right = loopback.images(TRAIN, 28, 28)[..., None]
        dataset = load("loopback_emnist/small")
        x, y = whole(dataset, raw_order(right))
        np.testing.assert_array_equal(x, right)
        np.testing.assert_array_equal(y, loopback.labels(TRAIN, 26))
        assert len(dataset.classes or []) == 26

    @pytest.mark.parametrize(("name", "label_bytes"), [("cifar10", 1), ("cifar100", 2)])
    def test_cifar(self, name: str, label_bytes: int) -> None:
        rows = loopback.cifar_rows(TRAIN, label_bytes)
        right = np.ascontiguousarray(rows[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        dataset = load(f"loopback_{name}")
        x, y = whole(dataset, raw_order(right))
        np.testing.assert_array_equal(x, right)
        np.testing.assert_array_equal(y, rows[:, label_bytes - 1])
        assert (dataset.classes or [])[-1] == f"thing {10**label_bytes - 1}"

    def test_several_inputs_and_another_target(self) -> None:
        dataset = load("loopback_cifar100", input="image", target="coarse_label")
        assert (dataset.classes or [])[-1] == "kind 19"
        with pytest.raises(DataError, match=r"set `input` and `target` .*: coarse_label, id, image, label$"):
            load("loopback_cifar100", target="colour")
        with pytest.raises(DataError, match="'id' is text"):
            load("loopback_cifar100", input="id")

    def test_a_table(self) -> None:
        with pytest.raises(DataError, match=r"set `input` and `target` .*: kind, price, rooms, size/area"):
            load("loopback_houses")
        dataset = load("loopback_houses", input=["rooms", "size"], target="price", splits={"train": "train"})
        x, y = dataset.splits["train"].x, dataset.splits["train"].y
        assert dataset.features == ["rooms", "size/area"]
        assert dataset.classes is None
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((60, 2), np.float32, (60, 1), np.float64)
        order = np.argsort(y[:, 0])
        np.testing.assert_array_equal(x[order], [[n % 5, 20 + n / 2] for n in range(60)])
        by_kind = load("loopback_houses", input="size/area", target="kind")
        assert by_kind.classes == ["flat", "villa"]

    def test_the_real_names_are_registered_builders_with_tfds_checksums(self) -> None:
        from backprop_cli.data.tfds.builders import BUILDERS

        assert sorted(BUILDERS) == ["cifar10", "cifar100", "emnist", "fashion_mnist", "kmnist", "mnist"]
        for name, cls in BUILDERS.items():
            import tensorflow_datasets as tfds

            original = tfds.builder_cls(name)
            assert cls.VERSION == original.VERSION
            assert issubclass(cls, original)
            assert cls.url_infos is None or cls.url_infos == original.url_infos


class TestUse:
    def test_split_expressions(self) -> None:
        dataset = load("loopback_good", splits={"train": "train[:80%]", "validation": "train[80%:]+test[:10]"})
        everything = load("loopback_good").splits
        np.testing.assert_array_equal(dataset.splits["train"].x, everything["train"].x[: TRAIN * 8 // 10])
        np.testing.assert_array_equal(
            dataset.splits["validation"].y,
            np.concatenate([everything["train"].y[TRAIN * 8 // 10 :], everything["test"].y[:10]]),
        )
        assert isinstance(dataset.splits["train"].x, np.memmap)
        assert len(load("loopback_good", splits={"train": "train[0shard]"}).splits["train"]) == TRAIN
        with pytest.raises(DataError, match="no split 'validation'"):
            load("loopback_good", splits={"validation": "validation"})

    @pytest.mark.long
    def test_the_second_load_touches_neither_the_server_nor_tfds(self, server: Server, checksums: Path) -> None:
        first = finish(start("loopback_good", server, checksums))
        hits = sum(server.hits.values())
        second = finish(start("loopback_good", server, checksums))
        assert first["imported"]
        assert not second["imported"]
        assert first["fingerprint"] == second["fingerprint"]
        assert sum(server.hits.values()) == hits == 4

    def test_a_prepared_folder_is_read_where_it_lies(self, cache: Path, tmp_path: Path, server: Server) -> None:
        load("loopback_good")
        elsewhere = tmp_path / "shared" / "digits" / "3.0.1"
        elsewhere.parent.mkdir(parents=True)
        (cache / "tensorflow_datasets/loopback_good/3.0.1").rename(elsewhere)
        server.hits.clear()
        for name, data_dir in (("any_name", elsewhere), ("digits", elsewhere.parent.parent)):
            assert len(load(name, data_dir=str(data_dir)).splits["train"]) == TRAIN
        assert len(load("digits", data_dir=str(tmp_path / "shared"), version="3.0.1").splits["test"]) == TEST
        assert not server.hits

    def test_raw_files_from_manual_dir_need_no_network(self, tmp_path: Path, server: Server) -> None:
        for name, data in loopback.mnist_files().items():
            (tmp_path / name).write_bytes(data)
        assert len(load("loopback_missing", manual_dir=str(tmp_path)).splits["train"]) == TRAIN
        assert not server.hits

    def test_nothing_is_printed_to_stdout(self, capsys: pytest.CaptureFixture[str]) -> None:
        load("loopback_good")
        assert capsys.readouterr().out == ""

    def test_get_prepares_and_the_catalogue_knows(self) -> None:
        before = catalogue.describe("loopback_good")
        assert not before["prepared"]
        assert before["features"]["image"] == {"shape": [28, 28, 1], "dtype": "uint8"}
        assert "loopback_good" not in {row["name"] for row in catalogue.listing()}
        tasks: set[str] = set()
        got = catalogue.get("loopback_good", progress=lambda task, done, total: tasks.add(task.split()[0]))
        assert tasks == {"downloading", "preparing", "decoding"}
        assert got["splits"] == {"train": TRAIN, "test": TEST}
        assert catalogue.describe("loopback_good") == got
        assert {"name": "loopback_good", "source": "tfds", "prepared": True, "about": ""} in catalogue.listing()

    def test_it_is_a_source_with_options(self) -> None:
        made = registry.make(
            "source",
            {"source": "tfds", "name": "mnist", "fallback": {"source": "sample", "name": "mnist5k"}},
            key="source",
        )
        assert isinstance(made, Tfds)
        assert made.fallback.name == "mnist5k"


class TestFailures:
    @pytest.mark.parametrize(
        ("case", "message"),
        [
            ("missing", "HTTP code: 404"),
            ("error", "500 error responses"),
            ("truncated", "the connection ended before the file did"),
            ("portal", "gave a web page"),
            ("wrong", r"gave another file \(wrong size or SHA-256\)"),
        ],
    )
    def test_a_server_that_fails(self, case: str, message: str, cache: Path) -> None:
        with pytest.raises(DownloadError, match=message) as caught:
            load(f"loopback_{case}")
        assert "manual_dir" in str(caught.value)
        assert "\n" not in str(caught.value)
        left = [path.name for path in cache.rglob("*") if ".tmp." in path.name or "incomplete" in path.name]
        assert left == []

    def test_a_server_that_fails_once_is_asked_again(self) -> None:
        assert len(load("loopback_flaky").splits["train"]) == TRAIN

    def test_a_fallback_steps_in_and_says_so(self) -> None:
        source = Tfds(name="loopback_missing", fallback={"source": "sample", "name": "mnist5k"})
        warnings: list[str] = []
        dataset = load_dataset(source, 0, HERE, warn=warnings.append)
        assert (dataset.source, dataset.name) == ("sample", "mnist5k")
        assert "404" in dataset.origin["fallback"]
        assert len(warnings) == 1
        assert "sample mnist5k, train 4000" in warnings[0]

    def test_a_fallback_does_not_hide_other_mistakes(self) -> None:
        fallback = {"source": "sample", "name": "mnist5k"}
        with pytest.raises(DataError, match="no split 'nope'"):
            load("loopback_good", splits={"train": "nope"}, fallback=fallback)

    def test_a_name_that_does_not_resolve(self) -> None:
        start = time.perf_counter()
        with pytest.raises(DownloadError, match=r"cannot reach no-such-host\.invalid:443"):
            fetch.probe("https://no-such-host.invalid/file")
        assert time.perf_counter() - start < 6

    @pytest.mark.long
    def test_a_host_that_does_not_answer(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, socket.socket() as first:
            port = silent.getsockname()[1]
            first.connect(("127.0.0.1", port))  # fills the queue; the next packet is dropped
            start = time.perf_counter()
            with pytest.raises(DownloadError, match=rf"cannot reach 127\.0\.0\.1:{port}"):
                fetch.probe(f"http://127.0.0.1:{port}/file")
            assert time.perf_counter() - start < 6

    def test_a_port_that_refuses(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(DownloadError, match="refused"):
            fetch.probe(f"http://127.0.0.1:{port}/file")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("fashion_mnst", "did you mean 'fashion_mnist'"),
            ("titanic", "without TensorFlow.*array_record.*data_dir"),
        ],
    )
    def test_a_name_that_cannot_be_prepared(self, name: str, message: str) -> None:
        with pytest.raises((DataError, UnknownNameError), match=message) as caught:
            load(name)
        assert len(str(caught.value)) < 500
        assert not isinstance(caught.value, DownloadError)

    def test_an_unknown_config_or_version(self) -> None:
        with pytest.raises(DataError, match="colours"):
            load("loopback_emnist/colours")
        with pytest.raises(DataError, match=r"9\.9\.9"):
            load("loopback_good", version="9.9.9")

    def test_a_wrong_file_in_manual_dir_is_named(self, tmp_path: Path) -> None:
        for name, data in loopback.mnist_files().items():
            (tmp_path / name).write_bytes(data)
        wrong = tmp_path / "train-labels-idx1-ubyte.gz"
        wrong.write_bytes(gzip.compress(b"other labels"))
        with pytest.raises(DataError, match=f"{wrong}: not the file that loopback_good needs") as caught:
            load("loopback_good", manual_dir=str(tmp_path))
        assert not isinstance(caught.value, DownloadError)
        assert wrong.exists()
        with pytest.raises(DataError, match="no such folder"):
            load("loopback_good", manual_dir=str(tmp_path / "nowhere"))

    def test_a_folder_that_another_process_finished_first(self, tmp_path: Path) -> None:
        load("loopback_good", data_dir=str(tmp_path / "one"))

        def overtake(task: str, done: int, total: int | None) -> None:
            if task.startswith("preparing") and not (tmp_path / "two/loopback_good/3.0.1").exists():
                shutil.copytree(tmp_path / "one/loopback_good/3.0.1", tmp_path / "two/loopback_good/3.0.1")

        source = Tfds(name="loopback_good", data_dir=str(tmp_path / "two"))
        assert len(load_dataset(source, 0, HERE, progress=overtake).splits["train"]) == TRAIN


class TestDamage:
    @pytest.fixture
    def prepared(self, cache: Path) -> Path:
        load("loopback_good")
        for entry in (cache / "tfds").iterdir():
            shutil.rmtree(entry)
        return cache / "tensorflow_datasets/loopback_good/3.0.1"

    def test_a_flipped_bit_is_found_or_harmless(self, prepared: Path) -> None:
        right = fingerprint(load("loopback_good"))
        (shard,) = prepared.glob("*train*")
        whole = shard.read_bytes()
        found = 0
        for place in np.linspace(0, len(whole) - 1, 12).astype(int):
            data = bytearray(whole)
            data[place] ^= 1
            shard.write_bytes(data)
            try:
                seen = fingerprint(load("loopback_good"))
            except DataError as error:
                found += bool(re.search("are damaged .* remove that folder", str(error)))
            else:
                assert seen == right  # it was padding
        assert found > 6

    def test_a_cut_shard(self, prepared: Path) -> None:
        (shard,) = prepared.glob("*test*")
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
        with pytest.raises(DataError, match=r"are damaged .* remove that folder"):
            load("loopback_good")

    def test_a_missing_shard(self, prepared: Path) -> None:
        (shard,) = prepared.glob("*test*")
        shard.unlink()
        with pytest.raises(DataError, match=r"are damaged .* remove that folder"):
            load("loopback_good")

    def test_no_dataset_info(self, prepared: Path) -> None:
        (prepared / "dataset_info.json").unlink()
        with pytest.raises(DataError, match=r"has no dataset_info\.json, so it was not prepared to the end; remove"):
            load("loopback_good")

    def test_a_format_that_needs_tensorflow(self, prepared: Path) -> None:
        info = json.loads((prepared / "dataset_info.json").read_text())
        (prepared / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "tfrecord"}))
        with pytest.raises(DataError, match="was prepared as tfrecord; expected array_record"):
            load("loopback_good")

    def test_fewer_records_than_the_info_says(self, prepared: Path) -> None:
        info = json.loads((prepared / "dataset_info.json").read_text())
        for split in info["splits"]:
            split["shardLengths"] = [str(int(split["shardLengths"][0]) + 5)]
        (prepared / "dataset_info.json").write_text(json.dumps(info))
        with pytest.raises(DataError, match="are damaged"):
            load("loopback_good")


def start(name: str, server: Server, checksums: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, loopback.__file__, server.url, str(checksums), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return dict(json.loads(out.splitlines()[-1]))


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    raise AssertionError(f"never said {word!r}")


@pytest.mark.long
class TestProcesses:
    def test_two_at_once_prepare_once(self, server: Server, checksums: Path) -> None:
        both = [start("loopback_good", server, checksums) for _ in range(2)]
        first, second = (finish(process) for process in both)
        assert first["fingerprint"] == second["fingerprint"]
        assert max(server.hits.values()) == 1

    @pytest.mark.parametrize("moment", ["downloading", "preparing loopback_good test", "decoding"])
    def test_a_killed_process_spoils_nothing(self, server: Server, checksums: Path, moment: str) -> None:
        process = start("loopback_good", server, checksums)
        wait_for(process, moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        rows = finish(start("loopback_good", server, checksums))["rows"]
        assert rows == {"train": TRAIN, "test": TEST}

    def test_ctrl_c_in_a_download_that_stalls(self, server: Server, checksums: Path, cache: Path) -> None:
        process = start("loopback_stalled", server, checksums)
        wait_for(process, "downloading")
        start_time = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert time.perf_counter() - start_time < 2
        assert process.returncode == 130
        assert not list(cache.rglob("*incomplete*"))
