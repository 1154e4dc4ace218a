from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@initializer("identity", "eye", "dirac")
class Identity(InitializerBase):
    """The kernel that passes its input on, times gain.

    (in, out): ones on the diagonal. (kh, kw, in, out): that at the field's centre, zero around it.
    Raises BuildError for a parameter of one axis. Le, Jaitly & Hinton 2015, arXiv:1504.00941
    """

    gain: Annotated[float, Doc("factor on the ones")] = 1.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        if out.ndim < 2:
            raise BuildError(f"identity fills kernels (…, in, out), got a parameter of shape {out.shape}")
        out[...] = 0
        centre = tuple((size - 1) // 2 for size in out.shape[:-2])
        np.fill_diagonal(out[centre], self.gain)
