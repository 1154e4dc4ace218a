"""Random numbers: named child generators of one seed, so that resuming can restore each by itself."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """The generator under a seed that a key names: `init`, `dropout`, `shuffle` and an epoch, `augment`, an epoch and a
    batch, … With numbers in the key it is a pure function of where training stands."""
    entropy = [crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *entropy])))


def legacy(seed: int) -> np.random.RandomState:
    """What `np.random.seed` gives, for problems that another program generates so; it knows seeds below 2^32, and a
    larger one counts from 0 again there."""
    return np.random.RandomState(seed % 2**32)
