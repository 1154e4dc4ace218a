"""Make the pictures of README: docs/pictures/*.png, from runs trained on the spot (about a minute).

    python scripts/make_pictures.py

Nothing is downloaded: the digits are those that ship with the package.
"""

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


if __name__ == "__main__":
    main()
