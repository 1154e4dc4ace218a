"""Make the pictures of README: docs/pictures/*.png, from runs trained on the spot (about a minute).

    python scripts/make_pictures.py

Nothing is downloaded: the digits are those that ship with the package. The picture of `bp play` needs Chromium.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

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


def screen(file: str, config: str, keys: list[str], wait: str) -> None:
    """`bp play` in Chromium, after some keys, once `wait` is on the page."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "backprop_cli", "play", f"configs/{config}.yaml", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        with sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 980})
            assert process.stdout is not None
            page.goto(process.stdout.readline().strip())
            page.locator("svg.net circle").first.wait_for()
            page.locator("select").first.select_option("1000000")
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_timeout(1500)
            page.locator("svg.net circle").nth(3).click()
            page.locator(wait).first.wait_for()
            page.screenshot(path=PICTURES / file, full_page=True)
            browser.close()
    finally:
        process.terminate()
        process.wait()
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
    screen("play.png", "xor", [" ", " "], "#point >> text=finite difference")


if __name__ == "__main__":
    main()
