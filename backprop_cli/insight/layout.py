"""Where the parts of a network stand in its picture: a column for each depth, a place for each node."""

from __future__ import annotations

from dataclasses import dataclass

from backprop_cli.engine.graph import INPUT, Network, Node

READABLE = 12  # units of a layer up to which each is drawn
COLUMN = 2.5  # inches between columns
UNIT = 0.86  # inches between units
BOX = 1.9  # inches, height of a layer drawn as a whole
GAP = 0.9  # inches between nodes of one column


@dataclass(frozen=True)
class Place:
    """A node in the picture, in inches; `units` are the heights of its units, None where they are too many."""

    name: str
    shape: tuple[int, ...]
    node: Node | None  # None for the input
    x: float
    y: float
    height: float
    depth: int
    units: list[float] | None

    @property
    def top(self) -> float:
        return self.y + self.height / 2


def places(network: Network) -> dict[str, Place]:
    """A place for the input and every node, in columns by the longest way from the input, centred on y = 0."""
    depth = {INPUT: 0}
    for node in network.nodes:
        depth[node.name] = 1 + max(depth[name] for name in node.inputs)
    nodes: dict[str, Node | None] = {INPUT: None, **{node.name: node for node in network.nodes}}
    shapes = {INPUT: network.input_shape, **{node.name: node.shape for node in network.nodes}}
    found = {}
    for column in range(max(depth.values()) + 1):
        members = [name for name in nodes if depth[name] == column]
        heights = [_height(shapes[name]) for name in members]
        top = (sum(heights) + GAP * (len(members) - 1)) / 2
        for name, height in zip(members, heights, strict=True):
            centre = top - height / 2
            units = None
            if _readable(shapes[name]):
                count = shapes[name][0]
                units = [centre + UNIT * ((count - 1) / 2 - i) for i in range(count)]
            place = Place(name, shapes[name], nodes[name], column * COLUMN, centre, height, column, units)
            found[name] = place
            top -= height + GAP
    return found


def _readable(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 and shape[0] <= READABLE


def _height(shape: tuple[int, ...]) -> float:
    return UNIT * shape[0] if _readable(shape) else BOX
