"""Measure what `bp board` and `bp play` promise, with Chromium, and print a table (some three minutes).

python scripts/measure_board.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOONS = ["train", str(ROOT / "configs/moons.yaml"), "--set", "dataset.samples=100", "--epochs", "3", "--quiet"]
RUNS, STEPS = 2000, 100_000
TURNS = 5


def bp(*arguments: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "backprop_cli", *arguments], cwd=cwd, check=True, capture_output=True)


@contextmanager
def serving(*arguments: str, cwd: Path) -> Iterator[tuple[str, int, float]]:
    """(address, process id, seconds until the address was said)"""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", *arguments, "--port", "0"], cwd=cwd, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        yield address, process.pid, time.monotonic() - start
    finally:
        process.terminate()
        process.wait(20)


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


WATCH = """
new MutationObserver((_, watching) => {
  if (document.querySelector(WANTED)) { (window.shownAfter ??= {})[WANTED] = performance.now(); watching.disconnect(); }
}).observe(document, {childList: true, subtree: true});
"""


def shown(page: Any, address: str, wanted: str) -> float:
    """Seconds from asking for a page until something is on it, by the browser's own clock."""
    page.add_init_script(WATCH.replace("WANTED", json.dumps(wanted)))
    page.goto(address)
    return float(page.wait_for_function("wanted => window.shownAfter?.[wanted]", arg=wanted).json_value()) / 1000


def frames(page: Any, seconds: float = 4.0) -> float:
    """Pictures a second."""
    read = "[Number(document.body.dataset.frames), performance.now()]"
    before = page.evaluate(read)
    page.wait_for_timeout(1000 * seconds)
    after = page.evaluate(read)
    return float(1000 * (after[0] - before[0]) / (after[1] - before[1]))


def board(page: Any, folder: Path) -> Iterator[tuple[str, str, str]]:
    bp(*MOONS, "--run-dir", "many/run0", cwd=folder)
    for i in range(1, RUNS):
        shutil.copytree(folder / "many/run0", folder / f"many/run{i}", copy_function=os.link)
    shutil.copytree(folder / "many/run0", folder / "long/one")
    row = json.loads((folder / "long/one/metrics.jsonl").read_text().splitlines()[-1])
    with (folder / "long/one/metrics.jsonl").open("w") as file:
        for step in range(1, STEPS + 1):
            file.write(json.dumps({**row, "epoch": step, "step": step, "train/loss": 1 / step}) + "\n")
    yield "board: start", started("board", "many", cwd=folder), "1.5 s"
    with serving("board", "many", cwd=folder) as (address, pid, _):
        yield (
            f"board: first view of {RUNS:,} runs",
            f"{shown(page, address, 'table.runs tr:nth-child(9)'):.2f} s",
            "1.5 s",
        )
        yield "board: memory of the server then", f"{memory(pid):.0f} MB", "300 MB"
    seconds = []
    for _ in range(5):  # each by a server that has read nothing yet
        with serving("board", "long", cwd=folder) as (address, _, _):
            seconds.append(shown(page, f"{address}#/run/0/one", ".chart path.line"))
    yield f"board: a run of {STEPS:,} steps", f"{median(seconds):.2f} s", "1 s"


def started(*arguments: str, cwd: Path) -> str:
    """Seconds until a command has said its address: the median of five, after one that warms up."""
    seconds = []
    for _ in range(6):
        with serving(*arguments, cwd=cwd) as (_, _, start):
            seconds.append(start)
    return f"{median(seconds[1:]):.2f} s"


def play(page: Any, folder: Path) -> Iterator[tuple[str, str, str]]:
    endless = ["--set", "trainer.epochs=1000000"]  # a training that has ended sends no pictures
    digits = ["--set", "dataset={source: sample, name: mnist5k}"]
    for name, more, asked in (("xor", [], "20"), ("mnist", digits, "5")):
        command = ["play", str(ROOT / f"configs/{name}.yaml"), *more, *endless]
        yield f"play {name}: start", started(*command, cwd=folder), "1.5 s"
        with serving(*command, cwd=folder) as (address, _, _):
            shown(page, address, "svg.net")
            page.locator("select").first.select_option("1000000")
            page.keyboard.press(" ")
            page.locator("#run.on").wait_for()
            yield f"play {name}: pictures a second", f"{frames(page):.1f}", asked
            assert page.locator("#run.on").count() == 1, "it must still be training"


def processor(pid: int) -> float:
    """Seconds of a processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watching(page: Any, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Trainings in turns, one alone, one with the page of its run open."""
    digits = [str(ROOT / "configs/mnist.yaml"), "--set", "dataset={source: sample, name: mnist5k}", "--epochs", "30"]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    shares = []
    (folder / "live").mkdir()
    with serving("board", "live", cwd=folder) as (address, pid, _):
        for turn in range(2 * TURNS):
            watched = turn % 2 == 1
            name = f"turn{turn}"
            page.goto(f"{address}#/run/0/{name}" if watched else "about:blank")
            start, before = time.monotonic(), processor(pid)
            process = subprocess.Popen(
                [sys.executable, "-m", "backprop_cli", "train", *digits, "-q", "--run-dir", f"live/{name}"], cwd=folder
            )
            if watched:
                while not (folder / f"live/{name}/metrics.jsonl").exists():
                    time.sleep(0.05)
                page.reload()
            _, _, usage = os.wait4(process.pid, 0)
            seconds[watched].append(usage.ru_utime + usage.ru_stime)
            if watched:
                shares.append((processor(pid) - before) / (time.monotonic() - start))
    ratio = median(seconds[True]) / median(seconds[False])
    yield "watching: processor time of a training", f"{100 * (ratio - 1):+.1f} %", "1 %"
    yield "watching: share of a processor in the server", f"{100 * median(shares):.1f} %", "–"


def main() -> None:
    path = next(filter(None, map(shutil.which, BROWSERS)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for part in (play, board, watching):
            for what, figure, asked in part(page, Path(folder)):
                print(f"{what:46} {figure:>10}   asked for: {asked}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
