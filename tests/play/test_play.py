"""`bp play` as a real server with a real engine: what it answers, and whom it does not."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import load_config
from backprop_cli.browser.play.app import FILES
from tests.board.serving import Served, serving
from tests.conftest import ROOT

XOR = str(ROOT / "configs/xor.yaml")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving("play", XOR, cwd=tmp_path_factory.mktemp("play")) as served:
        yield served


def post(served: Served, body: Any, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{served.address}do", data, {"content-type": kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text) if text.startswith("{") else text


def events(served: Served) -> Iterator[tuple[str, Any]]:
    """Models and pictures as a page gets them."""
    stream, kind = urllib.request.urlopen(f"{served.address}events", timeout=30), ""
    for line in stream:
        name, _, text = line.decode().partition(": ")
        if name == "event":
            kind = text.strip()
        elif name == "data":
            yield kind, json.loads(text)


def frame(stream: Iterator[tuple[str, Any]], wanted: Any) -> Any:
    return next(found for kind, found in stream if kind == "frame" and wanted(found))


def test_a_step_goes_from_button_to_engine_to_page(played: Served) -> None:
    stream = events(played)
    kind, model = next(stream)
    assert (kind, model["name"], model["weighted"]) == ("model", "xor", ["dense_1", "dense_2"])
    assert post(played, {"do": "restart"})[0] == 200
    assert frame(stream, lambda each: each["step"] == 0)["curves"] == {}
    assert post(played, {"do": "step"}) == (200, {})
    shown = frame(stream, lambda each: each["step"] == 1)
    assert shown["norms"]["dense_1"] > 0
    assert post(played, {"do": "speed", "steps": 1e6})[0] == 200
    assert post(played, {"do": "run"})[0] == 200
    far = frame(stream, lambda each: each["step"] > 1200)
    assert post(played, {"do": "pause"})[0] == 200
    assert far["oldest"] >= far["step"] - 1001
    still = frame(stream, lambda each: not each["running"])
    assert post(played, {"do": "back", "steps": 100})[0] == 200
    assert frame(stream, lambda each: each["step"] == still["step"] - 100)["furthest"] == still["furthest"]
    assert post(played, {"do": "restart", "seed": 5})[0] == 200
    assert next(found for kind, found in stream if kind == "model")["seed"] == 5


def test_a_number_is_explained(played: Served) -> None:
    status, found = post(played, {"do": "point", "layer": "dense_1", "what": "W", "index": [0, 1]})
    assert status == 200
    assert found["lines"] and found["error"] < 1e-6


def test_a_change_is_yaml_and_can_be_saved(tmp_path: Path) -> None:
    with serving("play", ROOT / "configs/moons.yaml", cwd=tmp_path) as served:
        stream = events(served)
        next(stream)
        post(served, {"do": "step"})
        for what, value, line in (
            ("learning_rate", 0.5, "+  learning_rate: 0.5"),
            ("optimizer", "sgd", "+  type: sgd"),
            ("activation", "relu", "+  activation: relu"),
            ("batch_size", 16, "+  batch_size: 16"),
            ("noise", 0.1, "+  noise: 0.1"),
            ("dropout", 0.25, "+- {type: dropout, rate: 0.25}"),
            ("depth", 3, "+- type: dense"),
            ("width", 4, "+  units: 4"),
        ):
            assert post(served, {"do": "change", "what": what, "value": value}) == (200, {}), what
            model = next(found for kind, found in stream if kind == "model")
            assert line in model["changes"].splitlines(), (what, model["changes"])
        assert post(served, {"do": "step"})[0] == 200
        assert post(served, {"do": "save", "name": "mine"}) == (200, {"path": "mine.yaml"})
        for name in ("mine", "../x", "a/b", "", ".hidden", "x" * 99, 3):
            assert post(served, {"do": "save", "name": name})[0] == 400, name
        wrong = (("learning_rate", "much"), ("width", 10**9), ("depth", 0), ("plugins", ["x.py"]), ("optimizer", "x"))
        for what, value in wrong:
            assert post(served, {"do": "change", "what": what, "value": value})[0] == 400, what
    saved = load_config(tmp_path / "mine.yaml")
    assert (saved.optimizer.type_name, saved.optimizer.learning_rate, len(saved.architecture)) == ("sgd", 0.5, 7)
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["mine.yaml"]


def test_weights_are_kept_where_they_fit(tmp_path: Path) -> None:
    with serving("play", XOR, cwd=tmp_path) as served:
        stream = events(served)
        for _ in range(3):
            post(served, {"do": "step"})
        before = frame(stream, lambda each: each["step"] == 3)["layers"]["dense_1"]["W"]
        post(served, {"do": "change", "what": "learning_rate", "value": 0.1})
        after = frame(stream, lambda each: "kept" in each["note"])
        assert (after["step"], after["layers"]["dense_1"]["W"]) == (0, before)
        post(served, {"do": "change", "what": "width", "value": 3})
        assert frame(stream, lambda each: "new" in each["note"])["layers"]["dense_1"]["W"]["s"] == [2, 3]


@pytest.mark.long
def test_a_lesson_has_its_expectation_beside_it(tmp_path: Path, bp: Any) -> None:
    with serving("play", "--lesson", "vanishing_gradients", cwd=tmp_path) as served:
        stream = events(served)
        lesson = next(stream)[1]["lesson"]
        assert lesson["at"] == "sigmoids" and "guesses" in lesson["claim"]
        assert lesson["figures"][0] | {"say": ""} == {
            "say": "", "of": "sigmoids", "expect": [0, 0.3], "metric": "validation/accuracy"
        }  # fmt: skip
        assert post(served, {"do": "lesson", "config": "relu"}) == (200, {})
        model = next(found for kind, found in stream if kind == "model")
        assert (model["name"], model["lesson"]["at"]) == ("vanishing_relu", "relu")
        assert post(served, {"do": "lesson", "config": "nothing"})[0] == 400
    assert "--lesson" in bp("play").err
    assert bp("play", "--lesson", "nothing").code == 2


TABLE = """
dataset: {source: files, path: table.csv, target: kind, splits: {train: "60%", validation: "40%"}}
architecture: [{type: dense, units: 4, activation: relu}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 2}
"""


def test_an_input_of_ones_own(played: Served) -> None:
    stream = events(played)
    assert post(played, {"do": "look", "x": [0.25, 0.75]}) == (200, {})
    found = frame(stream, lambda each: each["sample"] is None)
    assert found["answer"] in ("0", "1", 0, 1) and "answers" in found["note"]
    assert found["layers"]["input"]["d"]["s"] == [2]  # the input's gradient
    for wrong in ([1], [1, 2, 3], "ab", [[0, 1]], [None, 1], {"a": 1}):
        assert post(played, {"do": "look", "x": wrong})[0] == 400, wrong
    assert post(played, {"do": "choose", "sample": 1}) == (200, {})
    assert frame(stream, lambda each: each["sample"] == 1)


@pytest.mark.long
def test_a_model_is_served_to_scripts(bp: Any, tmp_path: Path) -> None:
    """The same answers as `bp predict`, for CSV and for JSON; what is no table of rows is a sentence."""
    rows = "\n".join(["x,y,kind", *(f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(40))])
    (tmp_path / "table.csv").write_text(rows + "\n")
    (tmp_path / "table.yaml").write_text(TABLE)
    assert bp("train", "table.yaml", "--run-dir", "run").code == 0
    (tmp_path / "new.csv").write_text("x,y\n1,2\n3.5,4\n")
    told = bp("predict", "run", "new.csv")
    assert bp("train", "table.yaml", "--run-dir", "other", "--seed", "1").code == 0
    with serving("play", "run", "other", cwd=tmp_path) as served:

        def ask(body: bytes, kind: str, model: str = "") -> tuple[int, str]:
            request = urllib.request.Request(f"{served.address}predict{model}", body, {"content-type": kind})
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return response.status, response.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        assert ask(b"x,y\n1,2\n3.5,4\n", "text/csv") == (200, told.out)
        status, text = ask(json.dumps([{"x": 1, "y": 2}, {"x": 3.5, "y": 4}]).encode(), "application/json")
        assert status == 200
        found = json.loads(text)
        assert found["samples"] == 2
        assert found["predictions"] == bp("predict", "run", "new.csv", "--json").json["predictions"]
        for name in ("run", "other"):
            answer = bp("predict", name, "new.csv").out
            assert ask(b"x,y\n1,2\n3.5,4\n", "text/csv", f"/{name}") == (200, answer)
        assert answer != told.out
        status, text = ask(b"x,y\n1,2\n", "text/csv", "/ohter")
        assert status == 400 and "did you mean 'other'" in json.loads(text)["error"], text
        for body, kind in (
            (b"x,y\n1,2\n", "text/plain"),
            (b"\xff\xfe", "text/csv"),
            (b"", "text/csv"),
            (b"x\n1\n", "text/csv"),
            (b"x,y\n", "text/csv"),
            (b"{", "application/json"),
            (b"[]", "application/json"),
            (b"[1, [2]]", "application/json"),
            (b'[{"z": 1}]', "application/json"),
            (rb'[{"x": 1, "y": "\ud800"}]', "application/json"),
            (b"x,y\n" + b"1,2\n" * 10_001, "text/csv"),
        ):
            status, text = ask(body, kind)
            assert status == 400, (body[:40], text)
            assert json.loads(text)["error"] and "Traceback" not in text
    with serving("play", XOR, cwd=tmp_path) as served:
        request = urllib.request.Request(f"{served.address}predict", b"[[0, 1]]", {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=60)


def test_nobody_looking_it_rests(tmp_path: Path) -> None:
    with serving("play", XOR, cwd=tmp_path) as served:
        stream = events(served)
        post(served, {"do": "run"})
        frame(stream, lambda each: each["running"])
        stream.close()  # type: ignore[attr-defined]  # a generator, whose stream goes with it
        del stream
        for _ in range(100):
            time.sleep(0.1)
            found = frame(events(served), lambda each: True)
            if not found["running"]:
                break
        assert not found["running"]


@pytest.mark.parametrize(
    "body",
    [
        {"do": "open", "source": "/etc/passwd", "is_config": True, "overrides": [], "runs": "."},
        {"do": "_build"},
        {"do": "serve"},
        {"do": ["step"]},
        {"do": "step", "id": 3},
        {"do": "step", "more": 1},
        {"do": "go_to", "step": "x"},
        {"do": "go_to", "step": True},
        {"do": "speed", "steps": -1},
        {"do": "speed", "steps": "fast"},
        {"do": "choose", "sample": 10**30},
        {"do": "choose", "sample": 4},
        {"do": "look", "x": [10**400, 0]},
        {"do": "restart", "seed": -1},
        {"do": "point", "layer": "nobody", "what": "W", "index": [0]},
        {"do": "point", "layer": "dense_1", "what": "W", "index": "ab"},
        {"do": "point", "layer": "dense_1", "what": "W", "index": [9] * 1000},
        [],
        b"{",
        b"[" * 100_000,
    ],
)
def test_a_mistake_is_a_sentence(played: Served, body: Any) -> None:
    status, found = post(played, body)
    assert status == 400, found
    assert "Traceback" not in found["error"]
    assert post(played, {"do": "pause"}) == (200, {})


def test_only_this_machines_own_page_may_ask(played: Served) -> None:
    step = {"do": "step"}
    assert post(played, step, "text/plain")[0] == 400
    assert post(played, step, Origin="http://evil.example")[0] == 403
    assert post(played, step, Host="evil.example")[0] == 403
    assert played.get("do")[0] == 405
    assert played.get("page/..%2f..%2fengine.py")[0] == 404
    for name in FILES:
        status, headers, text = played.get(f"page/{name}")
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert ".innerHTML" not in text


def test_a_planted_plugin_does_not_run(bp: Any, tmp_path: Path) -> None:
    assert bp("train", XOR, "--epochs", "2", "--run-dir", "run").code == 0
    run = tmp_path / "run"
    shutil.copytree(run, tmp_path / "stranger")
    (tmp_path / "stranger/plugins").mkdir(exist_ok=True)
    (tmp_path / "stranger/plugins/evil.py").write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')")
    found = bp("play", "stranger", "--port", "0")
    assert (found.code, found.out) == (2, "")
    assert "--allow-plugins" in found.err and "Traceback" not in found.err
    assert not (tmp_path / "PWNED").exists()
    with serving("play", "run", cwd=tmp_path) as served:
        assert next(events(served))[1]["name"] == "xor"


@pytest.mark.long
def test_bad_use_is_a_line(bp: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("loss: mse\narchitecture: [dense]\n")
    wrong = bp("play", "bad.yaml")
    assert wrong.code == 2
    assert "bad.yaml:1:1: missing key 'dataset'" in wrong.err and "Traceback" not in wrong.err
    assert bp("play", "nowhere").code == 2
    assert "--set needs a CONFIG" in bp("play", "latest", "--set", "seed=1").err
    assert "runs only" in bp("play", XOR, XOR).err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = bp("play", XOR, "--port", str(taken.getsockname()[1]))
        assert (found.code, found.out) == (1, "")
        assert found.err.startswith("bp: cannot listen on 127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_its_engine(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", "play", XOR, "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (128 + number, "")
    assert not any(Path(f"/proc/{child}").exists() for child in children)
