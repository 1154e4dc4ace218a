from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.registry import Doc


@initializer("orthogonal")
class Orthogonal(InitializerBase):
    """Orthonormal columns (rows, where the kernel is wider than high), times gain.

    A kernel of more axes counts as (product of all but the last, last), as in Keras. `per_block`: a kernel (H, k H),
    as recurrent layers have for their k gates, gets k square orthogonal blocks, one per gate, so that each gate by
    itself keeps norms. Uniform over such matrices: QR of a normal one, R's diagonal made positive (Mezzadri 2007).
    Saxe, McClelland & Ganguli 2014, arXiv:1312.6120
    """

    gain: Annotated[float, Doc("factor on every entry; √2 suits a ReLU")] = 1.0
    per_block: Annotated[bool, Doc("one orthogonal block for each gate of a recurrent kernel")] = False

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        matrix = np.empty((int(np.prod(out.shape[:-1])), out.shape[-1]))
        rows, columns = matrix.shape
        width = rows if self.per_block and columns % rows == 0 else columns
        for start in range(0, columns, width):
            q, r = np.linalg.qr(rng.standard_normal((max(rows, width), min(rows, width))))
            q *= np.where(np.diag(r) < 0, -1.0, 1.0)
            matrix[:, start : start + width] = q if rows >= width else q.T
        out[...] = self.gain * matrix.reshape(out.shape)
