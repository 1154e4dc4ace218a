"""What taking a trained model along costs: one row, a million rows, exporting each config that ships, and whether ONNX
says of MNIST's 10,000 test images what bp says.

    python scripts/measure_models.py [FOLDER]        a folder with the four IDX files of MNIST
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, ROWS = 9, 1_000_000
FLOWERS = """
dataset: {source: sample, name: iris, splits: {train: 80%, validation: 20%}, transforms: [standardize]}
architecture: [{type: dense, units: 16, activation: relu}, {type: dense, units: 3, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer: {type: adam, learning_rate: 0.01}
trainer: {epochs: 20}
"""
HEAD = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n"
FROM_PYTHON = "from backprop_cli import load; load('run/checkpoints/best.safetensors').predict([[5.1, 3.5, 1.4, 0.2]])"
BP = [sys.executable, "-m", "backprop_cli"]


def run(command: list[str], folder: Path) -> tuple[float, float, float]:
    """(seconds, seconds of processor time, MB of the largest resident set) of a command.

    A child's resident set starts with that of its parent, which therefore imports nothing before.
    """
    started = time.perf_counter()
    with (folder / "out").open("wb") as out:
        child = subprocess.Popen(command, cwd=folder, stdout=out)
        _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def predictions(folder: Path) -> None:
    (folder / "flowers.yaml").write_text(FLOWERS)
    (folder / "row.csv").write_text(HEAD + "5.1,3.5,1.4,0.2\n")
    (folder / "rows.csv").write_text(
        HEAD + "".join(f"{4 + i % 37 / 10},{2 + i % 23 / 10},{1 + i % 59 / 10},{i % 25 / 10}\n" for i in range(ROWS))
    )
    run([*BP, "train", "flowers.yaml", "--quiet", "--run-dir", "run"], folder)
    for said, command in (
        ("bp predict, one row", [*BP, "predict", "run/checkpoints/best.safetensors", "row.csv"]),
        ("load and predict, one row", [sys.executable, "-c", FROM_PYTHON]),
    ):
        took = statistics.median(run(command, folder)[1] for _ in range(ROUNDS))
        print(f"{said}: {took:.2f} s of processor time (median of {ROUNDS})")
    wall, took, peak = run([*BP, "predict", "run/checkpoints/best.safetensors", "rows.csv", "-o", "o.csv"], folder)
    print(f"bp predict, {ROWS:,} rows of CSV to CSV: {wall:.1f} s, {took:.1f} s of processor time, {peak:.0f} MB")


def exports(folder: Path) -> None:
    from backprop_cli.commands.export.export import export
    from backprop_cli.config import load_config
    from backprop_cli.errors import UsageError
    from backprop_cli.model.build import prepare
    from backprop_cli.model.model import Model

    took = {}
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        if path.name.endswith(".lesson.yaml"):
            continue
        sample = ["dataset={source: sample, name: mnist5k}"] if path.stem == "mnist" else []
        cfg = load_config(path, sample)
        made = prepare(cfg)
        model = Model(made.description, made.network, made.transforms, cfg.loss, cfg.trainer.metrics)
        started = time.process_time()
        try:
            export(model, "onnx", folder / "model.onnx")
        except UsageError as error:
            print(f"{path.stem}: {error}")
            continue
        took[path.stem] = time.process_time() - started
    slowest = max(took, key=took.__getitem__)
    print(f"export of {len(took)} configs: at most {took[slowest]:.2f} s of processor time ({slowest})")


def digits(folder: Path, images: Path) -> None:
    import numpy as np
    import onnxruntime

    from backprop_cli import load
    from backprop_cli.commands.export.export import export
    from backprop_cli.commands.train import train
    from backprop_cli.config import load_config
    from backprop_cli.data.loading import load_dataset

    transforms = "transforms: [{type: scale, by: 0.00392156862745098}]"
    splits = 'splits: {train: "train[:55000]", validation: "train[55000:]", test: test}'
    cfg = load_config(
        ROOT / "configs" / "mnist.yaml", [f"dataset={{source: files, path: {images}, {splits}, {transforms}}}"]
    )
    train(cfg, run_dir=folder / "digits")
    model = load(folder / "digits")
    made = export(model, "onnx", folder / "mnist.onnx")
    x = np.asarray(load_dataset(cfg.dataset, cfg.seed, cfg.folder).splits["test"].x)
    ours = model.outputs(x)
    (theirs,) = onnxruntime.InferenceSession(made.path).run(None, {"input": x.astype(np.float32)})
    same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
    worst = np.abs(ours - theirs).max() / np.abs(ours).max()
    print(f"ONNX: {same:,} of {len(x):,} test images get the same class; largest relative error {worst:.1e}")


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        predictions(Path(made))
        exports(Path(made))
        if sys.argv[1:]:
            digits(Path(made), Path(sys.argv[1]).resolve())
