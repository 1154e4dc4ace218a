from __future__ import annotations

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.dropout import Dropout
from backprop_cli.errors import BuildError


@layer("spatial_dropout", "spatial_dropout1d", "spatial_dropout2d", "dropout1d", "dropout2d")
class SpatialDropout(Dropout):
    """Whole channels are zeroed with probability `rate` while training, the rest scaled up.

    y = x ⊙ m / (1 − rate),  m (N, 1, ..., C) ~ Bernoulli(1 − rate)          y = x in inference
    dx = dy ⊙ m / (1 − rate)          x, y (N, T, F) or (N, H, W, C)
    Neighbouring pixels tell of one another, so that dropping single ones drops no information.
    Tompson et al. 2015, arXiv:1411.4280
    """

    examples = [{"options": {"rate": 0.5}, "inputs": [(2, 3, 4)]}, {"options": {"rate": 0.3}, "inputs": [(3, 2)]}]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) < 2:
            raise BuildError(f"spatial_dropout takes sequences (T, F) or images (H, W, C), got {shape}; take dropout")
        self.workspace("noise", (*[1] * (len(shape) - 1), shape[-1]))
        return shape
