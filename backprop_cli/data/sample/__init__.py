"""Small real datasets that ship with bp, so that every example runs without a network.

README.md beside the files names the origin and the licence of each.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.sample_files import FOLDER, file_names, names, sample_path
from backprop_cli.data.source import Source, source
from backprop_cli.errors import UnknownNameError
from backprop_cli.registry import Doc

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema


@source("sample")
@dataclass(kw_only=True)
class Sample(Source):
    """A dataset that ships with bp: mnist5k, iris, wine, breast_cancer, digits or diabetes.

    mnist5k has the splits train (4,000 rows), validation (500) and test (500). The others have one,
    `train`, whose every slice holds the classes in nearly equal proportion; unless `splits` says
    otherwise, 70 % of it trains, 15 % validates and 15 % tests.
    """

    name: Annotated[str, Doc("mnist5k, iris, wine, breast_cancer, digits or diabetes")]

    @classmethod
    def datasets(cls) -> list[str]:
        return names() + file_names()

    @classmethod
    def about(cls, name: str) -> str:
        """As README.md beside the files has it."""
        row = re.search(
            rf"^\| `{name}\.\w+` \| (.*?) \| (.*?) \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE
        )
        return f"{row[1][:1].upper()}{row[1][1:]}{f'; {row[2]} rows' if row[2][0].isdigit() else ''}." if row else ""

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        path = sample_path(self.name)
        if path.suffix != ".npz":
            kind, target = ("text", "") if path.suffix == ".txt" else ("table", ", target: COLUMN")
            raise UnknownNameError(
                f"sample {self.name!r} is a {kind}; train on it with "
                f"dataset: {{source: files, path: 'sample:{self.name}'{target}}}; "
                f"the samples of arrays are {', '.join(names())}"
            )
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Array] = dict(file)
        x, y = (
            {key.removesuffix(end): rows for key, rows in arrays.items() if key.endswith(end)} for end in ("_x", "_y")
        )
        return Dataset(
            name=self.name,
            source="sample",
            splits=splits.cut(x, y, self.splits),
            classes=arrays["classes"].tolist() if "classes" in arrays else None,
            features=arrays["features"].tolist() if "features" in arrays else None,
            origin={"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        )
