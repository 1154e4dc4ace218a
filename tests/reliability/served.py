"""Requests that no page of bp sends, to the servers of `bp play` and `bp board`: a sentence, and the server goes on.

    python -m tests.reliability.served [--trials 5000] [--seed 0]

Three of five trials post rows to /predict of one of several models: a table's with categories, one of images, one of
texts, and the average of a sweep's; bodies are CSV, JSON or neither, of any type, from empty to 8 MiB. The others send
commands to /do, and queries to the board. An answer has to have the status 200 and be what it says it is, or 4xx and
one sentence, within a second of the server's processor time; no server may end, take more than 512 MB, or print a
traceback. A control asks one model of each kind for an answer, and gets it.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import io
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.reliability.asking import PICTURES, TABLE, pictures
from tests.reliability.harness import bp, folder
from tests.reliability.typed import ODD

MEGABYTES, SECONDS, PATIENCE = 512, 1.0, 120
MOST = 8 << 20  # bytes of a request
COLUMNS = ["x", "colour", "when", "kind"]  # of the table; the last is the target
TEXTS = """
dataset:
  {source: files, path: texts.csv, text: said, target: kind, transforms: [{type: tokenize, length: 4}],
   splits: {train: "60%", test: "40%"}}
architecture:
- {type: embedding, input_dim: 30, output_dim: 4}
- {type: lstm, units: 3}
- {type: dense, units: 2, activation: softmax}
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""


def prepare(path: Path) -> None:
    """Runs whose models take rows of several kinds."""
    colours = ["red", "green", "blue"]
    rows = [f"{i % 7},{colours[i % 3]},2026-01-{i % 28 + 1:02},{'ab'[i % 2]}" for i in range(40)]
    (path / "table.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    rows = [f"{'good words' if i % 2 else 'bad ones'} {i % 3},{'ab'[i % 2]}" for i in range(40)]
    (path / "texts.csv").write_text("\n".join(["said,kind", *rows]) + "\n")
    for name, text in (("table", TABLE), ("pictures", PICTURES), ("texts", TEXTS)):
        (path / f"{name}.yaml").write_text(text)
    pictures(path / "pictures")
    for command in (
        "train table.yaml --run-dir runs/table --quiet",
        "train pictures.yaml --run-dir runs/pictures --quiet",
        "train texts.yaml --run-dir runs/texts --quiet",
        "sweep table.yaml --set seed=1,2 --runs runs --name swept --quiet",
    ):
        code, said = bp(path, *command.split())
        assert code == 0, f"{command}: {said}"


class Server:
    """A `bp` that serves, and what it took so far."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self._errors = path / f"{arguments[0]}-errors"
        command = [sys.executable, "-m", "backprop_cli", *arguments, "--port", "0"]
        env = os.environ | {"PYTHONPATH": str(ROOT), "BP_CACHE": str(path / "cache")}
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(command, cwd=path, env=env, stdout=-1, stderr=errors, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://"), self.said
        self.host = self.address.removeprefix("http://").partition("/")[0]

    @property
    def said(self) -> str:
        return self._errors.read_text(errors="replace")

    def _told(self, name: str) -> Iterator[str]:
        """What the kernel says, under this name, of the server and of each process that it has started."""
        for path in Path("/proc").iterdir():
            with suppress(OSError):  # others end at any time
                if path.name.isdigit():
                    parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
                    if str(self.process.pid) in (path.name, parent):
                        yield (path / name).read_text()

    @property
    def processor(self) -> float:
        """Seconds of processor time."""
        ticks = [told.rpartition(")")[2].split()[11:13] for told in self._told("stat")]
        return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")

    @property
    def megabytes(self) -> float:
        """The most memory that one of its processes has had."""
        peaks = [re.search(r"VmHWM:\s+(\d+)", told) for told in self._told("status")]
        return max(int(peak[1]) / 1024 for peak in peaks if peak)

    def ask(self, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Status, type and body of the answer."""
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type", ""), answer.read()
        finally:
            connection.close()


@contextmanager
def serving(path: Path, *arguments: str) -> Iterator[Server]:
    server = Server(path, *arguments)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(20)


NAMES = st.sampled_from(
    ["", "/table", "/pictures", "/texts", "/swept", "/nobody", "/%00", "/..%2f..%2fetc", "/%ff", "/a/b"]
)
TYPES = st.sampled_from(["application/json", "text/csv", "application/json", "text/csv", "text/plain", "", "a/b; \x0c"])
#: values that a row may have, or may not
WORDS = st.one_of(
    ODD, st.sampled_from(["red", "2026-01-02", "1e400", "1_0", "٣", " 1", "0x10", "good words", True, 1e30])
)
#: pieces that CSV is made of
CELLS = st.one_of(
    st.sampled_from(
        ["1", "red", "2026-01-02", "", '"', '""', '"a\nb"', "\r", "\0", "\ufeff", "nan", "-inf", "9" * 400, "𝟙"]
    ),
    st.text(max_size=4),
    st.sampled_from(["x" * 200_000]),
)


def shaped(draw: Any, depth: int) -> Any:
    """Nested lists of numbers, often of one shape."""
    shape = draw(st.lists(st.integers(0, 9), min_size=1, max_size=depth))
    if draw(st.booleans()):
        shape = [*shape[:1], *draw(st.sampled_from([(4, 4), (4, 4, 1), (3,), (5,), (10**5,), (2, 2, 2, 2, 2, 2)]))]
    value = draw(st.sampled_from([0, 1.5, -1, 10**25, 1e39, float("nan"), float("inf"), True, None, "a"]))
    return np.full(shape, value, object).tolist()


def rows(draw: Any) -> Any:
    """What JSON may say about rows."""
    how = draw(st.integers(0, 5))
    if how == 0:
        return draw(ODD)
    if how == 1:
        return shaped(draw, 4)
    names = st.sampled_from([*COLUMNS, "said", "", "X", "\x1b[31m", "path"])
    row = st.dictionaries(names, WORDS, max_size=5)
    made = draw(st.lists(row | ODD if how == 2 else row, max_size=4))
    return made * draw(st.sampled_from([1, 1, 1, 3_000, 10_001])) if how == 3 else made


def predicted(draw: Any) -> tuple[bytes, str]:
    """(body, type) of a request for predictions."""
    kind = draw(TYPES)
    how = draw(st.integers(0, 19))
    if how == 0:
        return draw(st.binary(max_size=200)), kind
    if how == 1:
        depth = draw(st.sampled_from([1, 900, 100_000]))
        return b"[" * depth + b"1" + b"]" * depth, kind
    if how == 2:
        piece = draw(st.sampled_from([b"[", b"1,", b"x,", b"\n", b"{}", b'"', b"\0", b"[[1]],", b'{"x":1},']))
        return piece * (draw(st.sampled_from([1000, 7 << 20])) // len(piece)), kind
    if "json" in kind or how < 5:
        return json.dumps(rows(draw), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"), kind
    heads = draw(st.sampled_from([COLUMNS[:3], COLUMNS, ["said"], ["x", "x"], ["X"], [], ["path"]]))
    lines = draw(st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=4))
    separator = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    text = separator.join([",".join(heads), *lines * draw(st.sampled_from([1, 1, 1, 2_000]))])
    return text.encode("utf-8", "surrogatepass")[: MOST + 1000], kind


def command(draw: Any) -> bytes:
    """A body for /do."""
    verbs = ["forward", "backward", "step", "epoch", "pause", "speed", "back", "go_to", "restart", "choose", "point"]
    verb = draw(st.sampled_from([*verbs, "change", "lesson", "look", "predict", "close", "__init__", "x" * 3000]))
    keys = st.sampled_from(
        ["steps", "step", "seed", "sample", "layer", "what", "index", "x", "name", "settings", "id", "y"]
    )
    asked = {"do": verb, **draw(st.dictionaries(keys, WORDS, max_size=3))}
    return json.dumps(asked if draw(st.integers(0, 9)) else draw(ODD)).encode("utf-8", "surrogatepass")


def query(draw: Any) -> str:
    """What is asked of the board."""
    pages = ["runs", "sparks", "run", "curves", "flow", "histograms", "sweep", "compare", "importance", "nothing"]
    keys = st.sampled_from(["key", "where", "sort", "sweep", "folded", "from", "rows", "columns", "token", ""])
    texts = st.one_of(
        st.sampled_from(
            ["table", "runs/table", "swept", "0", "-1", "9" * 5000, "x>", "<=", "best.x=", "\0", "../..", "²"]
        ),
        st.text(max_size=6),
        st.sampled_from(["a," * 3000, "%", "optimizer..x", "loss<1e400"]),
    )
    asked = draw(st.lists(st.tuples(keys, texts), max_size=4))
    text = urlencode([(key, value.encode("utf-8", "surrogatepass")) for key, value in asked])
    return f"/api/{draw(st.sampled_from(pages))}?{text}"


@dataclass
class Tally:
    """What came of the requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0


def fault(status: int, kind: str, body: bytes) -> str | None:
    """What is wrong with an answer."""
    text = body.decode("utf-8", "replace")
    if "Traceback" in text:
        return "a traceback"
    if status == 200:
        try:
            if kind.startswith("text/csv"):
                assert len({len(line) for line in csv.reader(io.StringIO(text))}) == 1
            elif "json" in kind:
                json.loads(text)
        except (ValueError, AssertionError):
            return f"no {kind}"
        return None
    if not 400 <= status < 500:
        return f"status {status}"
    said = json.loads(text)["error"] if "json" in kind else text.strip()
    if not said or "\n" in said or len(said) > 2000:
        return f"not one sentence: {said[:300]!r}"
    return None


def fuzz(trials: int, seed: int, play: Server, board: Server) -> Tally:
    tally = Tally()

    @settings(
        max_examples=trials, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.seed(seed)
    @given(st.data())
    def one(data: Any) -> None:
        draw, to = data.draw, data.draw(st.integers(0, 4))
        server, verb, body, headers = play, "POST", None, {}
        if to < 3:
            path = f"/predict{draw(NAMES)}"
            body, headers["content-type"] = predicted(draw)
        elif to == 3:
            path, body, headers["content-type"] = "/do", command(draw), "application/json"
        else:
            server, verb, path = board, "GET", query(draw)
        refused = len(body or b"") > MOST or "\x0c" in headers.get("content-type", "")
        before = server.processor
        try:
            status, kind, answer = server.ask(verb, path, body, headers)
            wrong = fault(status, kind, answer)
        except (BrokenPipeError, ConnectionResetError) as error:  # the answer came before all was sent
            status, wrong = 413, None if refused else repr(error)
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            if isinstance(error, ValueError) and "control characters" in str(error):
                return  # which http.client does not send
            status, wrong = 0, repr(error)
        took = server.processor - before
        tally.statuses[status] += 1
        tally.slowest = max(tally.slowest, took)
        if took > SECONDS and path != "/do":  # where what a step costs is up to the network
            wrong = f"{took:.2f} s of processor time"
        if wrong:
            tally.faults.append(f"{verb} {path[:200]} {headers} {body and body[:300]!r}: {wrong}")
            print(tally.faults[-1], flush=True)
        count = sum(tally.statuses.values())
        if count % 500 == 0:
            print(f"{count}: {dict(tally.statuses)}, {len(tally.faults)} wrong", flush=True)

    one()
    return tally


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    with folder() as base:
        prepare(base)
        runs = ("runs/table", "runs/pictures", "runs/texts", "runs/swept")
        with serving(base, "play", *runs[:3]) as play, serving(base, "board", "runs") as board:
            for name, asked in (
                ("table", [{"x": 1, "colour": "red", "when": "2026-01-05"}]),
                ("pictures", np.zeros((2, 4, 4, 1)).tolist()),
                ("texts", [{"said": "good words"}]),
            ):
                status, _, answer = play.ask(
                    "POST", f"/predict/{quote(name)}", json.dumps(asked).encode(), {"content-type": "application/json"}
                )
                assert status == 200, f"{name}: {answer!r}"
            began = time.monotonic()
            tally = fuzz(given_.trials, given_.seed, play, board)
            ended = [server.process.poll() for server in (play, board)]
            megabytes = max(server.megabytes for server in (play, board))
            said = play.said + board.said
    print(
        f"{sum(tally.statuses.values())} requests in {time.monotonic() - began:.0f} s: {dict(tally.statuses)}, "
        f"{len(tally.faults)} wrong; at most {tally.slowest:.2f} s of processor time and {megabytes:.0f} MB"
    )
    assert ended == [None, None], f"a server ended: {ended}: {said}"
    assert "Traceback" not in said and not said.strip(), said[-3000:]
    assert not tally.faults and megabytes < MEGABYTES


if __name__ == "__main__":
    main()
