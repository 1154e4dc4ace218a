"""Wrong labels on purpose: some class ids of the training split, drawn again at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprop_cli.data.dataset import Dataset
from backprop_cli.errors import UsageError
from backprop_cli.seeds import generator


def with_label_noise(dataset: Dataset, share: float, seed: int) -> Dataset:
    """The dataset with labels of its training split drawn again: each with probability `share`, uniformly from all
    classes, its own among them. The other splits keep their labels.

    Zhang et al. 2017, arXiv:1611.03530. Raises UsageError where the targets are no class ids, or nothing is `train`.
    """
    if "train" not in dataset.splits:
        raise UsageError(
            f"dataset.label_noise changes labels of the split train, and there are {', '.join(dataset.splits)} only"
        )
    train = dataset.splits["train"]
    if dataset.classes is None or train.y.dtype.kind not in "iub" or train.y.ndim != 1:
        raise UsageError("dataset.label_noise draws class labels again, and these targets are none; leave it out")
    rng = generator(seed, "label_noise")
    y = np.array(train.y)
    drawn = np.flatnonzero(rng.random(len(y)) < share)
    y[drawn] = rng.integers(len(dataset.classes), size=len(drawn))
    wrong = int(np.count_nonzero(y != train.y))
    told = (
        f"label_noise {share:g}: {len(drawn):,} of {len(y):,} training labels were drawn again, and {wrong:,} of them "
        "are wrong now"
    )
    return replace(
        dataset,
        splits={**dataset.splits, "train": replace(train, y=y)},
        origin={**dataset.origin, "label_noise": {"drawn": len(drawn), "wrong": wrong}},
        notes=[*dataset.notes, told],
    )
