"""Layers that tell the columns of a table apart: numbers, and codes of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import Layer, PositiveInt
from backprop_cli.engine.node import INPUT, Node
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class ColumnReader(Layer):
    """A layer of the data themselves: it must know which columns of x (N, F) hold codes."""

    columns: Annotated[
        dict[str, PositiveInt] | None,
        Doc(
            "columns of x that hold codes, by number from 0, with how many different codes each has; by default those "
            "with encoding: embedding in dataset.columns"
        ),
    ] = None

    reads_columns: ClassVar[bool] = True

    codes: dict[int, int] = slot()  # of each column of codes, how many there are

    def __post_init__(self) -> None:
        super().__post_init__()
        self.codes = {int(column): count for column, count in (self.columns or {}).items() if column.isdigit()}

    def width(self, shape: Shape) -> int:
        """The number of columns. Raises BuildError for anything but rows of numbers that have these columns."""
        if len(shape) != 1:
            raise BuildError(f"{self.type_name} takes the rows of a table (N, F), got {shape} in a row")
        beyond = [column for column in (self.columns or {}) if not column.isdigit() or int(column) >= shape[0]]
        if beyond:
            raise BuildError(f"columns names {', '.join(beyond)}; expected numbers from 0 to {shape[0] - 1}")
        return shape[0]


def tell_columns(nodes: Sequence[Node], codes: Mapping[int, int], names: Sequence[str]) -> None:
    """Tell the layers that read the data which columns hold codes. Raises BuildError where another layer would take
    codes for numbers."""
    for node in nodes:
        if isinstance(node.layer, ColumnReader):
            if node.inputs != (INPUT,):
                raise BuildError(f"{node.layer.type_name} reads the data; set inputs: [input]", node.name)
            if node.layer.columns is None:
                node.layer.codes = dict(codes)
        elif INPUT in node.inputs and codes:
            shown = ", ".join(names[column] for column in list(codes)[:4] if column < len(names))
            raise BuildError(
                f"{node.layer.type_name} works on numbers, and some columns hold codes of categories ({shown}); put "
                "category_embedding first, or set encoding: one_hot for them",
                node.name,
            )
