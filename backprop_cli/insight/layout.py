"""Where the parts of a network stand in its picture: a column for each depth, a place for each node."""

from __future__ import annotations

from dataclasses import dataclass

from backprop_cli.engine.graph import INPUT, Network, Node

READABLE = 12  # units of a layer up to which each is drawn
COLUMN = 2.5  # inches between columns
UNIT = 0.86  # inches between units
BOX = 1.9  # inches, height of a layer drawn as a whole
GAP = 0.9  # inches between nodes of one column
FIRST, LAST = 6, 5  # columns that are drawn of a network with more than both and one


@dataclass(frozen=True)
class Spot:
    """A node in the picture, in inches; `units` are the heights of its units, None where they are too many."""

    name: str
    shape: tuple[int, ...]
    node: Node | None  # None for the input
    x: float
    y: float
    height: float
    depth: int  # the number of its column
    units: list[float] | None

    @property
    def top(self) -> float:
        """The height of its upper edge, in inches."""
        return self.y + self.height / 2


def places(network: Network, readable: int = READABLE) -> dict[str, Spot]:
    """A place for the input and every node, in columns by the longest way from the input, centred on y = 0. The units
    of a vector are drawn one by one up to `readable` of them.

    Of a deep network the columns in the middle have no places; where they were, column `FIRST` stays free.
    """
    depth = {INPUT: 0}
    for node in network.nodes:
        depth[node.name] = 1 + max(depth[name] for name in node.inputs)
    nodes: dict[str, Node | None] = {INPUT: None, **{node.name: node for node in network.nodes}}
    shapes = {INPUT: network.input_shape, **{node.name: node.shape for node in network.nodes}}
    spots = {}
    columns = list(range(max(depth.values()) + 1))
    left_out = columns[FIRST:-LAST] if len(columns) > FIRST + 1 + LAST else []
    for column in columns:
        if column in left_out:
            continue
        at = column - len(left_out) + 1 if left_out and column > FIRST else column
        members = [name for name in nodes if depth[name] == column]
        heights = [_height(shapes[name], readable) for name in members]
        top = (sum(heights) + GAP * (len(members) - 1)) / 2
        for name, height in zip(members, heights, strict=True):
            centre = top - height / 2
            units = None
            if _readable(shapes[name], readable):
                count = shapes[name][0]
                units = [centre + UNIT * ((count - 1) / 2 - i) for i in range(count)]
            spot = Spot(name, shapes[name], nodes[name], at * COLUMN, centre, height, at, units)
            spots[name] = spot
            top -= height + GAP
    return spots


def _readable(shape: tuple[int, ...], most: int) -> bool:
    return len(shape) == 1 and shape[0] <= most


def _height(shape: tuple[int, ...], most: int) -> float:
    return UNIT * shape[0] if _readable(shape, most) else BOX
