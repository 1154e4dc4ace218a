from __future__ import annotations

from typing import Annotated

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.convolution import Convolution, Filters, images, places
from backprop_cli.engine.layer import layer
from backprop_cli.engine.window import Axis, Cells, borders, checked, each, same
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("conv2d_transpose", "transposed_conv2d", "conv_transpose2d", "deconvolution2d")
class Conv2dTranspose(Convolution):
    """The transpose of a convolution: every input pixel writes W, scaled, into its window of the output.

    y = f(z),  z[n, p·s + i·d − pad, q·s + j·d − pad] = b + Σ x[n, p, q] W[i, j]ᵀ over all that land there
    δ = dy ⊙ f'(z)    dW[i, j] = Σ δᵀ x    db = Σ δ    dx = the convolution of δ with W
    x (N, H, W, C)   W (kh, kw, O, C), the kernel of the convolution it transposes   b (O,)   y (N, H', W', O)
    `same` gives H' = H·stride, as in Keras; `valid` and explicit padding H' = (H − 1)·stride + d(kh − 1) + 1 − pad
    + output_padding, as in PyTorch. Zeiler et al. 2010, doi:10.1109/CVPR.2010.5539957
    """

    filters: Filters
    output_padding: Annotated[
        Cells, Doc("rows and columns added to one side of y, where a stride leaves its size open")
    ] = 0

    examples = [
        {"options": {"filters": 2, "kernel_size": 3}, "inputs": [(2, 3, 2)]},
        {"options": {"filters": 1, "kernel_size": 3, "strides": 2, "padding": "same"}, "inputs": [(2, 3, 2)]},
        {"options": {"filters": 3, "kernel_size": 2, "strides": 3, "activation": "tanh"}, "inputs": [(1, 2, 1)]},
        {
            "options": {"filters": 2, "kernel_size": [3, 2], "strides": 2, "padding": 1, "output_padding": 1},
            "inputs": [(3, 3, 1)],
        },
        {"options": {"filters": 2, "kernel_size": 2, "strides": 3, "padding": "same"}, "inputs": [(2, 2, 2)]},
        {"options": {"filters": 2, "kernel_size": 1, "bias": False}, "inputs": [(2, 1, 3)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        sizes, channels = checked(shapes[0], self.rank, self.type_name)
        rows, columns = self.windows(sizes)
        self.ask_kernel(rows, columns, self.filters, channels, 1)
        return self.ask_output((rows.size, columns.size, self.filters))

    def windows(self, sizes: Shape) -> tuple[Axis, Axis]:
        """Those of the convolution that is transposed: it leads from y's sizes to x's."""
        kernels, steps = each(self.kernel_size, 2, "the kernel"), each(self.strides, 2, "strides")
        spread = each(self.dilation, 2, "dilation")
        axes = []
        for axis, (out, k, s, d) in enumerate(zip(sizes, kernels, steps, spread, strict=True)):
            reach = d * (k - 1) + 1
            if self.padding == "same":
                size = out * s
                before, after = same(size, reach, s)
            else:
                before, after = borders(0 if self.padding == "valid" else self.padding, 2)[axis]
                size = (out - 1) * s + reach - before - after + self.output_padding
            if size < 1:
                raise BuildError(
                    f"padding {self.padding} cuts away all that a transposed convolution makes of {sizes} "
                    f"with kernel {kernels} and strides {steps}; pad less"
                )
            if self.output_padding >= (1 if self.padding == "same" else max(s, d)):
                raise BuildError(
                    f"output_padding {self.output_padding} must be less than the stride, {s}, and goes with "
                    "explicit padding only"
                )
            axes.append(Axis(size, out, k, s, d, before, after))
        return axes[0], axes[1]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        z = self.before_activation(y)
        self.scatter(places(x), images(z, self._rows.size))
        self.finish(z, y, training)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        axes = (self._rows, self._columns)
        sizes = [(axis.out - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1 for axis in axes]
        rest = [axis.size + axis.before + axis.after - size for axis, size in zip(axes, sizes, strict=True)]
        return self.onnx_convolution(graph, "ConvTranspose", x, self.W.transpose(3, 2, 0, 1), output_padding=rest)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        self.start_backward(y, dy)
        delta = images(dy, self._rows.size)
        self.kernel_gradient(delta, places(x))
        if dx is not None:
            self.convolve(delta, places(dx))

    def flops(self, *shapes: Shape) -> int:
        (*sizes, channels) = shapes[0]
        rows, columns = self.windows(tuple(sizes))
        return 2 * rows.out * columns.out * rows.kernel * columns.kernel * channels * self.filters
