"""Whether the ONNX model of configs/mnist.yaml says of all 10,000 test images what bp says: train it on MNIST's
original files, export, compare.

    python scripts/measure_onnx.py FOLDER        a folder with the four IDX files of MNIST
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from backprop_cli import load
from backprop_cli.commands.export.export import export
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config
from backprop_cli.data.loading import load_dataset

ROOT = Path(__file__).resolve().parent.parent


def main(images: Path) -> None:
    transforms = "transforms: [{type: scale, by: 0.00392156862745098}]"
    splits = 'splits: {train: "train[:55000]", validation: "train[55000:]", test: test}'
    cfg = load_config(
        ROOT / "configs" / "mnist.yaml", [f"dataset={{source: files, path: {images}, {splits}, {transforms}}}"]
    )
    with TemporaryDirectory() as folder:
        train(cfg, run_dir=Path(folder) / "run")
        model = load(Path(folder) / "run")
        started = time.process_time()
        made = export(model, "onnx", Path(folder) / "mnist.onnx")
        took = time.process_time() - started
        x = np.asarray(load_dataset(cfg.dataset, cfg.seed, cfg.folder).splits["test"].x)
        ours = model.outputs(x)
        (theirs,) = onnxruntime.InferenceSession(made.path).run(None, {"input": x.astype(np.float32)})
    same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
    worst = np.abs(ours - theirs).max() / np.abs(ours).max()
    print(
        f"{same:,} of {len(x):,} test images get the same class; largest relative error {worst:.1e}; "
        f"export {took:.2f} s"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
