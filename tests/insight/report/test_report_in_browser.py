"""The report in a real browser: no word on the console, charts that answer to the mouse, fit for a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.insight.report.report import report
from backprop_cli.insight.trace.text import as_html
from backprop_cli.insight.trace.trace import trace
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROBE = """
const seen = {};
addEventListener("load", () => setTimeout(() => {
  seen.charts = document.querySelectorAll("figure.chart").length;
  seen.drawn = document.querySelectorAll("figure.chart svg").length;
  seen.lines = document.querySelectorAll("figure.chart svg path").length;
  seen.width = innerWidth;
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.paper = getComputedStyle(document.body).backgroundColor;
  const svg = document.querySelector("figure.chart svg"), box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.right - 14, clientY: box.top + 50}));
  seen.tip = document.querySelector(".tip").textContent;
  document.querySelector(".legend button").click();
  const network = document.querySelector(".picture.network");
  seen.fits = network.scrollWidth <= network.clientWidth;
  network.querySelector("button").click();
  const words = [...document.querySelectorAll(".picture text")].map((text) => text.getBoundingClientRect().height);
  seen.smallest = Math.min(...words.filter((height) => height > 0));
  seen.after = document.querySelector("figure.chart").querySelectorAll("path").length;
  document.title = JSON.stringify(seen);
}, 300));
"""


def browse(page: Path, folder: Path, *options: str) -> tuple[str, list[str]]:
    """The page's DOM after its scripts have run, and what they wrote to the console."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.fail(f"no browser: install one of {', '.join(NAMES)} (Debian: apt-get install chromium)")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic",
         "--no-first-run", f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
         "--virtual-time-budget=3000", *options, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probed(text: str, folder: Path) -> Path:
    """The page with a script that acts as a reader would; its policy, which forbids that, taken off."""
    page = folder / "page.html"
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    page.write_text(text.replace("</head>", f"<script>{PROBE}</script></head>"))
    return page


def framed(page: Path, width: int) -> Path:
    """The page in a frame of this width, whose title the outer page takes over: no window of Chromium's is narrower
    than 500."""
    outer = page.with_name("framed.html")
    take = "() => document.title = document.querySelector('iframe').contentDocument.title"
    outer.write_text(
        f'<iframe style="width: {width}px; height: 900px" srcdoc="{html.escape(page.read_text())}"></iframe>'
        f'<script>addEventListener("load", () => setTimeout({take}, 1500))</script>'
    )
    return outer


def test_nothing_on_the_console(view: Callable[[str], View], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(report([view("mnist"), view("moons"), view("mazur")]))
    dom, console = browse(page, tmp_path)
    assert console == []
    assert dom.count('role="img"') == dom.count('class="chart"') > 3


@pytest.mark.parametrize("blank", [False, True])
def test_a_trace_has_nothing_on_the_console(blank: bool, tmp_path: Path) -> None:
    page = tmp_path / "trace.html"
    page.write_text(as_html(trace(load_config(ROOT / "configs/mazur.yaml")), blank))
    dom, console = browse(page, tmp_path)
    assert console == []
    assert ("________" in dom) == blank


def test_an_error_on_the_console_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>nothing.there</script>")
    _, console = browse(tmp_path / "bad.html", tmp_path)
    assert "nothing is not defined" in console[0]


@pytest.mark.parametrize("width", [390, 1200])
def test_charts_answer_and_fit(width: int, view: Callable[[str], View], tmp_path: Path) -> None:
    page = probed(report([view("moons")]), tmp_path)
    dom, console = browse(framed(page, width), tmp_path, "--window-size=1400,1000")
    assert console == []
    title = re.findall(r"<title>(.*?)</title>", dom)[-1]
    seen = json.loads(html.unescape(title))
    assert seen["width"] == width
    assert seen["drawn"] == seen["charts"] > 2
    assert seen["lines"] > 4
    assert seen["overflow"] <= 0
    assert seen["fits"]  # the picture of the network
    assert seen["smallest"] > 8  # pixels, of any word or number in a picture that has been made larger
    rows = view("moons").rows
    assert seen["tip"].startswith("epoch 4")
    assert f"{rows[-1]['validation/loss']:.4g}" in seen["tip"]
    assert seen["after"] == 1  # of two lines one was switched off


def test_dark_and_light(view: Callable[[str], View], tmp_path: Path) -> None:
    page = probed(report([view("mazur")]), tmp_path)
    papers = []
    for scheme in (0, 1):  # Blink's numbers for dark and light
        dom, _ = browse(page, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
        papers.append(json.loads(re.search(r"<title>(.*?)</title>", dom)[1])["paper"])  # type: ignore[index]  # there is a title
    assert papers == ["rgb(20, 23, 27)", "rgb(255, 255, 255)"]


SORTED = """
addEventListener("load", () => setTimeout(() => {
  const table = document.querySelector("table.sortable");
  const seen = [];
  for (let i = 0; i < 2; i++) {
    [...table.rows[0].cells].find((head) => head.textContent === "seed").querySelector("button").click();
    const column = [...table.rows[0].cells].findIndex((head) => head.textContent === "seed");
    seen.push([...table.rows].slice(1).map((row) => row.cells[column].textContent));
  }
  document.title = JSON.stringify(seen);
}, 300));
"""


def test_a_click_sorts_and_a_second_turns_round(tmp_path: Path) -> None:
    views = []
    for seed in (3, 10, 1, 2, 4, 5, 6, 7):
        cfg = load_config(ROOT / "configs/moons.yaml", [f"seed={seed}", "trainer.epochs=1"])
        train(cfg, run_dir=tmp_path / f"run{seed}")
        views.append(View(RunDirectory(tmp_path / f"run{seed}")))
    page = probed(report(views).replace("</body>", f"<script>{SORTED}</script></body>"), tmp_path)
    dom, _ = browse(page, tmp_path)
    up, down = json.loads(html.unescape(re.findall(r"<title>(.*?)</title>", dom)[0]))
    assert up == ["1", "2", "3", "4", "5", "6", "7", "10"] and down == up[::-1]
