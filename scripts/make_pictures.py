"""Make the pictures of README: docs/pictures/*.png, from runs trained on the spot (about a minute).

    python scripts/make_pictures.py

Nothing is downloaded: the digits are those that ship with the package. Those of `bp board` and `bp play` need Chromium.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from backprop_cli import load_config, train
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions, draw
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SCALED = "dataset.transforms=[{type: scale, by: 0.00392156862745098}]"


def run(folder: Path, name: str, *overrides: str) -> View:
    """A run of a shipped config, trained now."""
    cfg = load_config(ROOT / "configs" / f"{name}.yaml", overrides=list(overrides))
    train(cfg, run_dir=folder / name)
    return View(RunDirectory(folder / name))


def save(file: str, kind: str, *views: View, **options: object) -> None:
    path = PICTURES / file
    with style.styled():
        style.save(draw(kind, views, PictureOptions(**options)), path)  # type: ignore[arg-type]  # options by name
    smaller(path)


@contextmanager
def opened(*command: str, height: int) -> Iterator[tuple[Any, str]]:
    """(a page of Chromium that wide, the address of a server): `bp COMMAND` while the block runs."""
    from playwright.sync_api import sync_playwright

    served = [sys.executable, "-m", "backprop_cli", *command, "--port", "0"]
    process = subprocess.Popen(served, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        with sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            assert process.stdout is not None
            yield browser.new_page(viewport={"width": 1280, "height": height}), process.stdout.readline().strip()
            browser.close()
    finally:
        process.terminate()
        process.wait()


def play() -> None:
    """`bp play` on XOR after some thousand steps, with the arithmetic of a unit."""
    with opened("play", "configs/xor.yaml", height=980) as (page, address):
        page.goto(address)
        page.locator("svg.net circle").first.wait_for()
        page.locator("select").first.select_option("1000000")
        page.keyboard.press(" ")
        page.wait_for_function("() => document.querySelector('input[type=range]').max >= 5000", timeout=300_000)
        page.keyboard.press(" ")
        page.locator("#run:not(.on)").wait_for()
        page.locator("svg.net circle").nth(3).click()
        page.locator("#point >> text=finite difference").first.wait_for()
        page.screenshot(path=PICTURES / "play.png", full_page=True)
    smaller(PICTURES / "play.png")


def board(folder: Path) -> None:
    """`bp board`: the table, a run, and three seeds compared."""
    seeds = ",".join(f"0/moons-{seed}" for seed in range(3))
    views = {
        "board_runs.png": ("", "table.runs tr:last-child .spark path", 460),
        "board_run.png": ("#/run/0/mnist", ".heat canvas", 1560),
        "board_compare.png": (f"#/compare?runs={seeds}&group=mean", ".chart path.band", 880),
    }
    with opened("board", str(folder), height=880) as (page, address):
        for file, (state, wanted, height) in views.items():
            page.set_viewport_size({"width": 1280, "height": height})
            page.goto("about:blank")
            page.goto(address + state)
            page.locator(wanted).first.wait_for(state="attached")
            page.wait_for_timeout(500)
            page.evaluate("document.getElementById('where').textContent = 'runs'")  # not the folder of this script
            page.screenshot(path=PICTURES / file)
            smaller(PICTURES / file)


def smaller(path: Path) -> None:
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(128)  # a third of the bytes, and nobody sees it
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        plain = run(folder, "deep_sigmoid")
        normalised = run(folder, "deep_sigmoid_batch_norm")
        plain.label, normalised.label = "10 sigmoid layers", "the same, batch-normalised"
        save("curves.png", "loss", plain, normalised, metrics=["train/loss", "validation/accuracy"])
        save("gradients.png", "gradients", plain)
        save("boundary.png", "boundary", run(folder, "moons"))
        save("network.png", "network", run(folder, "xor"), sample=1)
        digits = run(folder, "mnist", "dataset={source: sample, name: mnist5k}", SCALED)
        save("confusion.png", "confusion", digits)
        for seed in range(3):
            train(
                load_config(ROOT / "configs/moons.yaml", overrides=[f"seed={seed}"]), run_dir=folder / f"moons-{seed}"
            )
        board(folder)
    play()


if __name__ == "__main__":
    main()
