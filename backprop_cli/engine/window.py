"""Where a sliding window stands: the geometry that convolutions and pooling share.

`same` follows TensorFlow and Keras: ⌈size / stride⌉ positions, the odd padding cell after. `valid` pads
nothing. Explicit padding follows PyTorch: ⌊(size + padding − reach) / stride⌋ + 1 positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, MaxLen, MinLen

from backprop_cli.errors import BuildError

Size = Annotated[int, Gt(0)]
Cells = Annotated[int, Ge(0)]
Pair = Annotated[list[Cells], MinLen(2), MaxLen(2)]
Sizes = Size | Annotated[list[Size], MinLen(1), MaxLen(2)]  # one for every axis, or one for each
Border = Cells | Annotated[list[Cells | Pair], MinLen(1), MaxLen(2)]  # for an axis: both ends alike, or [before, after]
Padding = Literal["same", "valid"] | Border


class Axis(NamedTuple):
    """A window along one axis: position o covers x[o·stride + i·dilation − before] for i < kernel."""

    size: int
    out: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def padded(self) -> bool:
        return self.before > 0 or self.after > 0

    @property
    def pointwise(self) -> bool:
        """Whether the window is one cell and visits every one."""
        return self.kernel == 1 and self.stride == 1 and not self.padded

    @property
    def tiles(self) -> bool:
        """Whether windows lie side by side and cover every cell."""
        return self.kernel == self.stride and self.out * self.stride == self.size and not self.padded

    def span(self, i: int) -> tuple[slice, slice]:
        """The positions whose i-th cell is not padding, and those cells of x."""
        shift = i * self.dilation - self.before
        first = max(0, -(shift // self.stride))
        last = min(self.out - 1, (self.size - 1 - shift) // self.stride)
        if last < first:
            return slice(0, 0), slice(0, 0)
        start = first * self.stride + shift
        return slice(first, last + 1), slice(start, start + (last - first) * self.stride + 1, self.stride)


SMALL = 64  # cells of a window that may be larger than what it looks at
ONE = Axis(1, 1)  # the axis that a sequence lacks of being an image


def each(value: int | Sequence[int], rank: int, what: str) -> tuple[int, ...]:
    """One number per axis from one for all, or a list. Raises BuildError where the list is of another length."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise BuildError(f"{what} takes one number or {rank}, got {list(values)}")
    return values


def borders(padding: Border, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) per axis. Raises BuildError where the list is of another length."""
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    if len(padding) != rank:
        raise BuildError(f"padding takes one entry for each of {rank} axes, got {padding}")
    return tuple((side, side) if isinstance(side, int) else (side[0], side[1]) for side in padding)


def same(size: int, reach: int, stride: int) -> tuple[int, int]:
    """The padding that leaves ⌈size / stride⌉ positions."""
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2


def axes(
    sizes: Sequence[int],
    kernel: int | Sequence[int],
    strides: int | Sequence[int] = 1,
    padding: Padding = "valid",
    dilation: int | Sequence[int] = 1,
) -> tuple[Axis, Axis]:
    """The two axes of a window over an image (H, W), or over a sequence (T,) as an image of one row.

    Raises BuildError where the window does not fit into the padded input, or is so large that most of it is padding
    wherever it stands.
    """
    rank = len(sizes)
    kernels, steps = each(kernel, rank, "the kernel"), each(strides, rank, "strides")
    spread = each(dilation, rank, "dilation")
    if padding == "same":
        reaches = [d * (k - 1) + 1 for k, d in zip(kernels, spread, strict=True)]
        pads = tuple(same(*pair) for pair in zip(sizes, reaches, steps, strict=True))
    else:
        pads = borders(0 if padding == "valid" else padding, rank)
    windows = []
    for size, k, s, d, (before, after) in zip(sizes, kernels, steps, spread, pads, strict=True):
        room, reach = size + before + after, d * (k - 1) + 1
        if reach > room:
            raise BuildError(
                f"a window of {k}" + (f" dilated to {reach}" if d > 1 else "") + f" does not fit into {room} cells "
                f"(input {tuple(sizes)}, padding {padding}); "
                "take a smaller kernel, `padding: same`, or pool less before"
            )
        if k > max(2 * size + 1, SMALL):  # a step would take as long as all its cells do
            raise BuildError(f"a window of {k} is more than twice the input {tuple(sizes)}; at most {2 * size + 1}")
        windows.append(Axis(size, (room - reach) // s + 1, k, s, d, before, after))
    return (windows[0], windows[1]) if rank == 2 else (ONE, windows[0])


def sizes_of(axis_pair: tuple[Axis, Axis], rank: int) -> tuple[int, ...]:
    """The numbers of positions: (oh, ow), or (ot,) for sequences."""
    return tuple(axis.out for axis in axis_pair[-rank:])


def checked(shape: Sequence[int], rank: int, who: str) -> tuple[tuple[int, ...], int]:
    """(H, W) and C of an image, or (T,) and F of a sequence. Raises BuildError for another rank."""
    if len(shape) != rank + 1:
        kind, advice = (
            ("images (H, W, C)", "{type: reshape, shape: [28, 28, 1]}, say,")
            if rank == 2
            else ("sequences (T, F)", "{type: reshape, shape: [-1, 1]}, say,")
        )
        raise BuildError(f"{who} takes {kind}, got {tuple(shape)}; put {advice} before it")
    return tuple(shape[:-1]), shape[-1]
