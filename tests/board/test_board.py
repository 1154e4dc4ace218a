"""`bp board` as a real server: what it answers, and whom it does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_cli.browser.board.app import FILES
from backprop_cli.browser.board.shelf import Shelf
from tests.board.serving import Served, serving
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of moons and a sweep of two."""
    path = tmp_path_factory.mktemp("board")
    small = ["--set", "dataset.samples=100", "--set", "trainer.epochs=4", "-q"]
    moons = [str(ROOT / "configs/moons.yaml"), *small]
    for command in (
        ["train", *moons, "--run-dir", "runs/one"],
        ["train", *moons, "--run-dir", "runs/two", "--seed", "1", "--set", "trainer.diagnostics=true"],
        ["sweep", *moons, "--set", "optimizer.learning_rate=0.1,0.01", "--name", "rates"],
    ):
        subprocess.run([sys.executable, "-m", "backprop_cli", *command], cwd=path, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Served]:
    with serving("board", cwd=folder) as served:
        yield served


def test_the_table(board: Served) -> None:
    found = board.json(
        "api/runs", ("where", "status=completed trainer.epochs=4"), ("columns", "optimizer.learning_rate")
    )
    assert found["total"] == found["matching"] == 4
    assert {row["run_id"] for row in found["rows"]} >= {"one", "two"}
    assert {row["columns"]["optimizer.learning_rate"] for row in found["rows"]} == {0.01, 0.1}
    assert [each["trials"] for each in found["sweeps"]] == [{"completed": 2}]
    folded = board.json("api/runs", ("folded", "1"), ("sort", "run_id"))
    assert [row["key"] for row in folded["rows"]] == ["0/one", "0/two"]
    assert [row["run_id"] for row in board.json("api/runs", ("where", "tw"))["rows"]] == ["two"]
    assert len(board.json("api/sparks", ("key", "0/one"))["0/one"]) == 4


def test_what_a_run_shows(board: Served, folder: Path) -> None:
    logged = [json.loads(line) for line in (folder / "runs/two/metrics.jsonl").read_text().splitlines()]
    curves = board.json("api/curves", ("key", "0/two"))["curves"]
    assert curves["validation/loss"]["y"] == pytest.approx([row["validation/loss"] for row in logged], rel=1e-5)
    assert curves["validation/loss"]["step"] == [row["step"] for row in logged]
    run = board.json("api/run", ("key", "0/two"))
    assert run["seed"] == 1
    assert run["of"] == 4
    assert "name: moons" in run["config"]["text"]
    origins = {path: (value, origin) for path, value, origin in run["config"]["values"]}
    assert origins["seed"] == (1, "--set seed=1")
    assert origins["trainer.diagnostics"] == (True, "--set trainer.diagnostics=true")
    assert origins["dtype"] == ("float32", "default")
    value, origin = origins["dataset.name"]
    assert value == "moons" and origin.split("/")[-1].startswith("moons.yaml:")
    assert board.json("api/flow", ("key", "0/two"))["gradient_norm"]["layers"][0] == "dense_1"
    weights = board.json("api/histograms", ("key", "0/two"))
    assert weights[0]["name"] == "dense_1.W"
    assert sum(weights[0]["counts"]) == 32
    assert board.json("api/eval", ("key", "0/two"))["confusion_matrix"]
    assert "verdicts" in board.json("api/doctor", ("key", "0/two"))


def test_runs_beside_each_other(board: Served) -> None:
    found = board.json("api/compare", ("key", "0/one"), ("key", "0/two"))
    assert found["groups"] == {"moons": [0, 1]} or [0, 1] in found["groups"].values()
    assert ["config", "seed", 0, 1, 1] in found["rows"]
    sweep = board.json("api/sweep", ("key", "0/rates"))
    assert sweep["axes"] == ["optimizer.learning_rate"]
    assert sorted(trial["values"]["optimizer.learning_rate"] for trial in sweep["trials"]) == ["0.01", "0.1"]
    assert all(trial["score"] is not None for trial in sweep["trials"])
    answer = board.json("api/importance", ("key", "0/rates"))
    assert "optuna" in answer["error"] or "expected 10 trials" in answer["error"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("api/run", [("key", "0/../../etc")]),
        ("api/curves", [("key", "/etc/passwd")]),
        ("api/doctor", [("key", "--help")]),
        ("api/importance", [("key", "0/one")]),
        ("api/compare", [("key", "0/one")]),
        ("api/compare", [("key", "0/one")] * 41),
        ("api/runs", [("where", "optimizr.learning_rate<3")]),
        ("api/runs", [("rows", "many")]),
    ],
)
def test_a_mistake_is_a_sentence(board: Served, path: str, query: list[tuple[str, str]]) -> None:
    status, _, text = board.get(path, *query)
    assert status == 400
    assert json.loads(text)["error"]
    assert "Traceback" not in text


@pytest.mark.parametrize("path", ["page/..%2f..%2fpyproject.toml", "page/app.py", "..%2fruns", "api/nothing", "page/"])
def test_no_other_file_is_served(board: Served, path: str) -> None:
    assert board.get(path)[0] == 404


def test_nothing_comes_from_elsewhere(board: Served) -> None:
    status, headers, page = board.get("")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    for name in FILES:
        status, headers, text = board.get(f"page/{name}")
        assert status == 200
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert ".innerHTML" not in text
    assert "<script>" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8123", "Origin": "http://evil.example:8123"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_learn_nothing(board: Served, headers: dict[str, str]) -> None:
    status, _, text = board.get("api/runs", **headers)
    assert status == 403
    assert "one" not in text.split()


def test_elsewhere_only_with_the_token(folder: Path) -> None:
    with serving("board", "--host", "0.0.0.0", cwd=folder) as served:
        token = served.address.partition("?token=")[2]
        assert len(token) > 20
        assert served.get("api/runs")[0] == 403
        assert served.get("api/runs", ("token", "wrong"))[0] == 403
        assert served.get("api/runs", Authorization="Bearer wrong")[0] == 403
        assert served.get("api/runs", Authorization=f"Bearer {token}")[0] == 200
        status, headers, _ = served.get("", ("token", token))
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert served.get("api/runs", Cookie=cookie.split(";")[0])[0] == 200
        assert served.get("api/runs", Cookie=cookie.split(";")[0], Origin="http://evil.example")[0] == 403


def test_a_change_is_told_at_once(folder: Path) -> None:
    with serving("board", "runs", cwd=folder) as served:
        stream = urllib.request.urlopen(f"{served.address}events", timeout=20)
        assert stream.readline().startswith(b"retry")
        shutil.copytree(folder / "runs/one", folder / "runs/three")
        try:
            line = next(line for line in stream if line.startswith(b"data:"))
            assert json.loads(line[5:]) == {"changed": ["0/three"]}
        finally:
            shutil.rmtree(folder / "runs/three")


def test_a_run_on_a_page_is_looked_at_as_often_as_one_that_trains(tmp_path: Path, folder: Path) -> None:
    """It may be resumed at any time; the first epochs after that must not wait for the look at all runs."""
    shutil.copytree(folder / "runs/one", tmp_path / "one")
    shelf = Shelf([tmp_path])
    assert shelf.refresh() == {"0/one"}
    os.utime(tmp_path / "one/metrics.jsonl")
    assert shelf.watch() == set()
    shelf.run("0/one")
    assert shelf.watch() == {"0/one"}
    assert shelf.watch() == set()


@pytest.mark.long
def test_hostile_runs_are_shown_as_what_they_are(tmp_path: Path, folder: Path) -> None:
    bad = tmp_path / "runs"
    for name in ("good", "no_json", "odd", "planted", "torn"):
        shutil.copytree(folder / "runs/one", bad / name)
    (bad / "no_json/run.json").write_text("{")
    (bad / "odd/run.json").write_text(json.dumps({"id": 3, "status": ["x"], "metrics": [], "started": {}}))
    (bad / "odd/metrics.jsonl").write_text('{"step": 1, "a": {}, "b": [1], "c": "<script>"}\n')
    (bad / "odd/config.yaml").write_text("a: &a [1]\nb: [*a, *a]\n!!python/object:os.system x: 1\n")
    (bad / "torn/checkpoints/last.safetensors").write_bytes(b"\0" * 100)
    planted = bad / "planted/config.yaml"
    (bad / "planted/plugins/evil.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')")
    planted.write_text(planted.read_text().replace("plugins: []", "plugins: [plugins/evil.py]"))
    with serving("board", cwd=tmp_path) as served:
        assert served.json("api/runs")["total"] == 5
        for name in ("no_json", "odd", "planted", "torn"):
            for path in ("run", "curves", "flow", "histograms", "doctor", "eval"):
                status, _, text = served.get(f"api/{path}", ("key", f"0/{name}"))
                assert status in (200, 400), (name, path, text)
                assert "Traceback" not in text, (name, path, text)
        served.get("api/compare", *[("key", f"0/{name}") for name in ("good", "planted", "odd")])
    assert not (tmp_path / "PWNED").exists()


def test_bad_use_is_a_line(bp, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = bp("board", "--port", port)
        assert (found.code, found.out) == (1, "")
        assert found.err.startswith(f"bp: cannot listen on 127.0.0.1:{port} (")
    missing = bp("board", "nowhere")
    assert missing.code == 2
    assert "nowhere is not a folder" in missing.err


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
@pytest.mark.parametrize("verb", ["board", "play"])
def test_without_the_extra_it_is_a_line(verb: str, package: str, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    arguments = ["bp", verb, *(["bp:xor"] if verb == "play" else [])]
    missing = f"import sys; sys.modules[{package!r}] = None; sys.argv = {arguments}"
    code = f"{missing}; from backprop_cli.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    line = f"bp: bp {verb} needs the package {package}; pip install 'backprop-cli[board]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_without_a_browser_it_says_so_and_serves(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", "board", "--port", "0", "--open"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={"PATH": "/nowhere", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert process.stdout.readline() == "no browser could be opened; open the address yourself\n"
        assert urllib.request.urlopen(address, timeout=20).status == 200
    finally:
        process.terminate()
        process.wait(20)


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", "board", "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (130, "")
