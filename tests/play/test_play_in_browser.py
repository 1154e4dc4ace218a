"""The playground in a real Chromium: wide and narrow, light and dark, its keys, and what is pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.board.serving import Served, serving
from tests.board.test_board_in_browser import chromium  # noqa: F401  # the fixture
from tests.conftest import ROOT

pytestmark = pytest.mark.browser
DIGITS = ["--set", "dataset={source: sample, name: mnist5k}"]
CUT = """[...document.querySelectorAll("svg.net text")].filter((text) => {
    const box = text.getBoundingClientRect(), picture = text.ownerSVGElement.getBoundingClientRect();
    return box.width && (box.left < picture.left || box.right > picture.right);
}).map((text) => text.textContent)"""
PLAYED = {"xor": [], "moons": [], "mnist": DIGITS, "adding_lstm": []}


@pytest.fixture(scope="module", params=PLAYED)
def played(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("play")
    with serving("play", ROOT / f"configs/{request.param}.yaml", *PLAYED[request.param], cwd=folder) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_network(width: int, scheme: str, played: Served, chromium: Any) -> None:  # noqa: F811
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.goto(played.address)
    page.locator("svg.net").wait_for()
    page.locator("#step").click()
    page.locator('.tile:has-text("loss of the batch")').wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for key in "fffffbbbbb":  # until the inputs show their gradient
        if page.locator('svg.net text:text("∂L/∂x")').count() > 0:
            break
        page.keyboard.press(key)
        page.wait_for_timeout(50)
    assert page.evaluate(CUT) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (scheme == "dark")
    unnamed = page.locator(
        "svg[role=img]:not([aria-label]), canvas:not([aria-hidden]):not([aria-label]), input:not([aria-label])"
    )
    assert unnamed.count() == 0
    assert [url for url in outside if not url.startswith((played.address, "data:"))] == []
    assert said == []
    page.close()


@pytest.fixture
def page(tmp_path: Path, chromium: Any) -> Iterator[Any]:  # noqa: F811
    with serving("play", ROOT / "configs/xor.yaml", cwd=tmp_path) as served:
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(served.address)
        page.locator("svg.net circle").first.wait_for()
        yield page
        page.close()


def step(page: Any, number: int) -> None:
    page.locator(f'.tile:has(span:text-is("step")) b:text-is("{number}")').wait_for()


def test_keys(page: Any) -> None:
    step(page, 0)
    page.keyboard.press("f")
    page.locator("#told >> text=forward: dense_1 has written y").wait_for()
    assert page.locator("svg.net circle.waiting").count() == 1  # the output is still to come
    for key, said in (
        ("f", "dense_2 has written"),
        ("f", "loss"),
        ("b", "dense_2 has δ"),
        ("b", "dense_1 has δ"),
        ("b", "update"),
    ):
        page.keyboard.press(key)
        page.locator(f"#told >> text={said}").wait_for()
    step(page, 1)
    for _ in range(3):
        page.keyboard.press("s")
    step(page, 4)
    page.keyboard.press("e")
    step(page, 5)
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    step(page, 2)
    page.keyboard.press("ArrowRight")
    step(page, 3)
    page.keyboard.press(" ")
    page.locator("#run.on").wait_for()
    page.keyboard.press(" ")
    page.locator("#run:not(.on)").wait_for()
    page.keyboard.press("r")
    step(page, 0)
    page.keyboard.press("n")
    page.locator("#where >> text=seed 1").wait_for()
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()


def test_a_number_that_is_pointed_at_is_explained(page: Any) -> None:
    page.locator("svg.net circle").nth(3).hover()
    page.locator("#point >> text=/a2 = sigmoid\\(z2\\) =/").wait_for()
    page.locator("svg.net circle").nth(3).click()
    page.locator("#point >> text=finite difference").first.wait_for()
    page.locator("svg.net .hit").first.dispatch_event("click")
    page.locator("#point >> text=/dW\\[1,1\\] = x1 · δ1 =/").wait_for()
    page.locator(".plane canvas").click(position={"x": 400, "y": 50})
    page.wait_for_function("() => document.querySelector('input[aria-label=example]').value === '3'")
    page.locator("summary >> text=numbers").first.click()
    page.locator("details[open] table tr").first.wait_for()
    page.locator(".plane summary").click()
    page.locator(".plane td").first.wait_for()
    cells = page.locator(".plane td").all_inner_texts()
    assert len(cells) == 11 * 12  # the second input and eleven outputs in each row
    assert all(0 <= float(cell) <= 1 for i, cell in enumerate(cells) if i % 12)


def test_a_point_and_a_digit_of_ones_own(page: Any, chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    page.locator(".plane canvas").click(position={"x": 200, "y": 200})
    page.locator("#told >> text=the network answers").wait_for()
    with serving("play", ROOT / "configs/mnist.yaml", *DIGITS, cwd=tmp_path) as served:
        other = chromium.new_page()
        other.goto(served.address)
        other.locator(".pad").scroll_into_view_if_needed()
        pad = other.locator(".pad").bounding_box()
        other.mouse.move(pad["x"] + 70, pad["y"] + 20)
        other.mouse.down()
        other.mouse.move(pad["x"] + 70, pad["y"] + 120, steps=8)
        other.mouse.up()
        other.locator("#told >> text=the network answers").wait_for()
        other.close()


def frames(page: Any, seconds: float = 3.0) -> float:
    read = "Number(document.body.dataset.frames)"
    before = page.evaluate(f"[{read}, performance.now()]")
    page.wait_for_timeout(seconds * 1000)
    after = page.evaluate(f"[{read}, performance.now()]")
    return float(1000 * (after[0] - before[0]) / (after[1] - before[1]))


def test_it_moves(page: Any) -> None:
    """The figure asked for is 20 pictures a second, and scripts/measure_board.py prints it; here, on a busy machine,
    that it is no slide show."""
    page.locator("select").first.select_option("1000000")
    page.keyboard.press(" ")
    assert frames(page) > 5
