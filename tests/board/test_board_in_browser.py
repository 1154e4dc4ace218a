"""The board in a real Chromium: every view, wide and narrow, light and dark; a training followed live."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.board.serving import Served, serving
from tests.conftest import ROOT
from tests.insight.report.test_report_in_browser import NAMES

pytestmark = pytest.mark.browser
MOONS = [str(ROOT / "configs/moons.yaml"), "--set", "dataset.samples=100", "-q"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(f"no browser: install one of {', '.join(NAMES)} (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def run(*arguments: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "backprop_cli", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board")
    run("train", *MOONS, "--epochs", "6", "--run-dir", "runs/one", "--set", "trainer.diagnostics=true", cwd=path)
    run("train", *MOONS, "--epochs", "6", "--run-dir", "runs/two", "--seed", "1", cwd=path)
    run("sweep", *MOONS, "--set", "optimizer.learning_rate=0.1,0.01", "--set", "trainer.epochs=3", "--name", "rates",
        cwd=path)  # fmt: skip
    # a run from a stranger, whose names are markup
    shutil.copytree(path / "runs/one", path / "runs/odd")
    info = json.loads((path / "runs/odd/run.json").read_text())
    info |= {"id": "<img src=x onerror=alert(1)>", "dataset": {"name": "<b>data</b>"}}
    (path / "runs/odd/run.json").write_text(json.dumps(info))
    return path


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Served]:
    with serving("board", cwd=folder) as served:
        yield served


VIEWS = {
    "runs": ("", "table.runs tr:nth-child(4)"),
    "run": ("#/run/0/one", ".chart svg path"),
    "compare": ("#/compare?runs=0/one,0/two&group=mean", ".chart path.band"),
    "sweep": ("#/sweep/0/rates", ".axes path.best"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view(view: str, width: int, scheme: str, board: Served, chromium: Any) -> None:
    address, wanted = VIEWS[view]
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.goto(board.address + address)
    page.locator(wanted).first.wait_for(state="attached")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (scheme == "dark")
    unnamed = page.locator(
        "svg[role=img]:not([aria-label]), canvas:not([aria-hidden]), input:not([aria-label]):not([type=checkbox])"
    )
    assert unnamed.count() == 0
    assert page.locator("img").count() == 0  # what a stranger's run is called stays text
    assert [url for url in outside if not url.startswith((board.address, "data:"))] == []
    assert said == []
    page.close()


def test_keys_filters_and_links(board: Served, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(board.address)
    page.locator("table.runs").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("status=completed two")
    page.locator("text=1 of 5 runs").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("h1 >> text=two").wait_for()
    page.locator("select").first.select_option("step")
    assert page.url.endswith("#/run/0/two?x=step")
    page.reload()  # the address keeps the state
    page.locator(".chart svg >> text=step").first.wait_for()
    page.locator("text=numbers").first.click()
    page.locator("details[open] table tr").first.wait_for()
    assert page.locator("details[open] table tr").count() == 7  # a line an epoch, and the heads
    weights = page.locator(".hist figure").first
    weights.locator("summary").click()
    weights.locator("td").first.wait_for()
    cells = weights.locator("td").all_inner_texts()
    assert sum(int(count) for count in cells[2::3]) == 32  # of dense_1.W
    assert cells[1:-3:3] == cells[3::3]  # where one bar ends the next begins
    page.locator("text=bp doctor").click()
    page.locator("text=/points to a disease|edit:|learning/").first.wait_for()
    page.keyboard.press("u")
    page.locator("table.runs").wait_for()
    page.close()


def test_a_run_that_is_deleted_or_torn_says_so(tmp_path: Path, folder: Path, chromium: Any) -> None:
    shutil.copytree(folder / "runs/one", tmp_path / "runs/gone")
    shutil.copytree(folder / "runs/one", tmp_path / "runs/torn")
    (tmp_path / "runs/torn/run.json").write_text("{")
    with serving("board", cwd=tmp_path) as served:
        page = chromium.new_page()
        page.goto(served.address)
        page.locator("tr >> text=unreadable").wait_for()
        page.goto(f"{served.address}#/run/0/torn")
        page.locator(".note >> text=run.json").wait_for()
        page.goto(f"{served.address}#/run/0/gone")
        page.locator(".chart path.line").first.wait_for(state="attached")
        shutil.rmtree(tmp_path / "runs/gone")
        page.locator("#state >> text=there is no such run any more").wait_for()
        assert page.locator(".chart path.line").count() > 0  # what was seen stays
        page.goto(f"{served.address}#/run/0/nothing")
        page.locator(".note >> text=there is no such run any more").wait_for()
        page.close()


def points(page: Any) -> list[float]:
    """Where the points of the validation loss stand, as the chart has them."""
    path = page.locator('[data-quantity="loss"] path.line').last.get_attribute("d") or ""
    return [float(point.split()[0]) for point in path.replace("M", "L").split("L")[1:]]


#: notes when the page has shown which epoch, 50 times a second
SHOWN = """window.shown = [];
setInterval(() => {
    const tile = [...document.querySelectorAll(".tile")].find((tile) => tile.lastChild.textContent === "epochs");
    const epoch = tile ? Number(tile.firstChild.textContent.split(" ")[0].replaceAll(",", "")) : 0;
    if (epoch !== (window.shown.at(-1) ?? [0])[0]) window.shown.push([epoch, Date.now() / 1000]);
}, 20)"""


class Written(threading.Thread):
    """Notes when each epoch is in the log for the first time."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self.log, self.epochs, self.over = log, dict[int, float](), False

    def run(self) -> None:
        while not self.over:
            last = self.log.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[2]
            if last:
                self.epochs.setdefault(int(json.loads(last)["epoch"]), time.time())
            time.sleep(0.02)


def test_a_minute_of_training_is_followed_through_a_kill(tmp_path: Path, chromium: Any) -> None:
    """Every epoch is on screen within a second of its line; after a kill and --resume the curve goes on, and no point
    comes twice."""
    digits = [
        str(ROOT / "configs/mnist.yaml"),
        "--set",
        "dataset={source: sample, name: mnist5k}",
        "--epochs",
        "100000",
    ]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "backprop_cli", "train", "-q"]
    first = subprocess.Popen([*command, *digits, "--run-dir", "runs/live"], **quiet)
    second = None
    log = tmp_path / "runs/live/metrics.jsonl"
    try:
        wait(lambda: log.is_file() and log.stat().st_size > 0)
        with serving("board", cwd=tmp_path) as served:
            page = chromium.new_page()
            page.goto(f"{served.address}#/run/0/live")
            page.locator(".chart path.line").first.wait_for(state="attached")
            page.evaluate(SHOWN)
            written = Written(log)
            written.start()
            page.wait_for_timeout(25_000)
            first.send_signal(signal.SIGKILL)
            first.wait()
            page.locator("text=interrupted").wait_for(timeout=20_000)
            assert "bp train --resume runs/live" in page.locator(".command").inner_text()
            second = subprocess.Popen([*command, "--resume", "runs/live"], **quiet)
            wait(lambda: json.loads((tmp_path / "runs/live/run.json").read_text())["status"] == "running", 60)
            page.wait_for_timeout(35_000)
            written.over = True
            written.join()
            page.wait_for_timeout(1_000)
            shown = page.evaluate("window.shown")
            late = {}
            for epoch, when in written.epochs.items():
                on_screen = next((at for number, at in shown if number >= epoch), float("inf"))
                if on_screen - when > 1:
                    late[epoch] = on_screen - when
            assert len(written.epochs) > 10
            assert late == {}, f"of {len(written.epochs)} epochs"
            positions = points(page)
            assert len(positions) > 10
            assert all(one < other for one, other in itertools.pairwise(positions))
            page.close()
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.wait()


def wait(there: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)
