"""Random numbers: named child generators of one seed, so that resuming can restore each by itself."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, name: str, *position: int) -> np.random.Generator:
    """The generator called `name` (init, shuffle, dropout, augmentation) under a seed.

    `position` (an epoch, a batch) makes it a pure function of where training stands.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode()), *position])))
