"""The network as a graph: weights as coloured edges; with --sample, activations and deltas in the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.insight import style
from backprop_cli.insight.brief import brief, short
from backprop_cli.insight.layout import BOX, COLUMN, FIRST, Place, places
from backprop_cli.insight.plots import Options
from backprop_cli.insight.view import Probe, View, alone

Array = npt.NDArray[Any]
RADIUS = 0.3
WIDE = 0.62  # half the width of a layer drawn as a whole
NUMBERED = 18  # edges between two layers up to which each bears its weight


def draw(figure: Figure, views: Sequence[View], options: Options) -> None:
    pairs = []
    for view in views:
        lost = alone(view.network) if options.sample is not None else None
        if lost:
            options.note(f"{view.run.id}: {lost}")
        split, _ = view.split(options.split)
        pairs.append((view, view.probe(split, options.sample) if options.sample is not None else None, split))
    spots = [places(view.network) for view in views]
    width = max(max(place.x for place in each.values()) for each in spots) + COLUMN
    height = max(max(place.top for place in each.values()) for each in spots) * 2 + 2.3
    for part, (view, probe, split) in style.panels(figure, pairs, max(width, 5.5), height):
        panel(part, view, probe, f", sample {options.sample} of {split}" if probe else "")


def panel(figure: Figure | SubFigure, view: View, probe: Probe | None, what: str) -> None:
    """One network from left to right."""
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_aspect("equal")
    network = view.network
    spots = places(network)
    largest = max(
        (float(np.abs(_weights(place)).max()) for place in spots.values() if _weighted(spots, place)), default=1
    )
    values = _shown_values(spots, probe)
    for place in spots.values():
        _edges(ax, spots, place, largest or 1.0)
    for place in spots.values():
        delta = probe.deltas.get(place.name) if probe else None
        if place.units is None:
            _box(ax, place, values.get(place.name), delta)
        else:
            _units(ax, place, values, delta)
        _heading(ax, network, place)
    last, reading = spots[network.nodes[-1].name], view.prepared.reading
    classes = reading.class_names(network.output_shape[-1]) if reading.kind == "classes" else []
    if len(last.units or []) == len(classes):
        _classes(ax, last, classes)
    top = max(place.top for place in spots.values())
    right = max(place.x for place in spots.values())
    ax.set_xlim(-1.1, right + 1.1)
    arcs = [_arc(source, place) for place in spots.values() for source in _sources(spots, place)]
    _left_out(ax, [node.name for node in network.nodes if node.name not in spots])
    ax.set_ylim(-top - 0.75, top + max(0.95, *arcs, 0))
    title = f"{style.shorten(view.label, 60)}{what}"
    if probe is not None:
        target = brief(probe.target[0])
        title += f"\ntarget {target}, output {brief(probe.output[0])}, loss {probe.loss:.4g}"
    ax.set_title(title)
    ax.text(
        right / 2, -top - 0.6, _key(spots, largest, probe), ha="center", va="center", fontsize=8.5, color=style.GREY
    )


def _key(spots: dict[str, Place], largest: float, probe: Probe | None) -> str:
    lines = []
    if any(_weighted(spots, place) for place in spots.values()):
        lines.append(f"edges: weights; vermillion above 0, blue below; the thickest is |w| = {largest:.3g}")
    if probe is not None:
        lines.append("in the nodes: activations; δ = ∂loss/∂z")
    elif any(place.units for place in spots.values() if place.node):
        lines.append("in the nodes: biases")
    return "\n".join(lines)


def _shown_values(spots: dict[str, Place], probe: Probe | None) -> dict[str, Array]:
    return {name: probe.values[name][0] for name in spots if name in probe.values} if probe else {}


def _weights(place: Place) -> Array:
    assert place.node is not None and isinstance(place.node.layer, Dense)
    return place.node.layer.W


def _weighted(spots: dict[str, Place], place: Place) -> bool:
    """Whether each weight into the node is an edge of its own."""
    if place.node is None or not isinstance(place.node.layer, Dense) or place.units is None:
        return False
    return any(source.units is not None for source in _sources(spots, place))


def _edges(ax: Axes, spots: dict[str, Place], place: Place, largest: float) -> None:
    for source in _sources(spots, place):
        if place.depth - source.depth > 1:  # past other columns: an arc above them
            start, end = (source.x, source.top - 0.1), (place.x, place.top - 0.1)
            rad = -2 * _arc(source, place) / (place.x - source.x)
            arrow = FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={rad}", arrowstyle="-|>", mutation_scale=12,
                                    color=style.GREY, linewidth=1.3, zorder=1)  # fmt: skip
            ax.add_patch(arrow)
        elif source.units is not None and place.units is not None and _weighted(spots, place):
            _weight_lines(ax, source, place, _weights(place), largest)
        elif source.units is not None and place.units is not None and len(source.units) == len(place.units):
            lines = [[(source.x, a), (place.x, b)] for a, b in zip(source.units, place.units, strict=True)]
            ax.add_collection(LineCollection(lines, colors=style.GREY, linewidths=0.9, zorder=1))
        else:
            _band(ax, source, place)


def _left_out(ax: Axes, names: Sequence[str]) -> None:
    """In place of the middle of a deep network: which layers are not drawn."""
    if not names:
        return
    x = FIRST * COLUMN
    told = f"{len(names)} more\n{style.shorten(names[0], 18)}\nto\n{style.shorten(names[-1], 18)}"
    ax.text(x, 0, told, ha="center", va="center", fontsize=8.5, color=style.GREY)
    for side in (-1, 1):
        ends = [x + side * WIDE, x + side * (COLUMN - WIDE)]
        ax.plot(ends, [0, 0], ":", color=style.GREY, linewidth=2)


def _sources(spots: dict[str, Place], place: Place) -> list[Place]:
    """What a node reads, as far as it is drawn."""
    return [spots[name] for name in (place.node.inputs if place.node else ()) if name in spots]


def _arc(source: Place, place: Place) -> float:
    """How far, in inches, the arc of a connection past other columns rises; 0 between neighbours."""
    columns = place.depth - source.depth
    return min(0.32 * columns, 1.3) if columns > 1 else 0.0


def _weight_lines(ax: Axes, source: Place, place: Place, weights: Array, largest: float) -> None:
    lines, tints, widths = [], [], []
    for i, a in enumerate(source.units or []):
        for j, b in enumerate(place.units or []):
            share = abs(float(weights[i, j])) / largest
            lines.append([(source.x, a), (place.x, b)])
            tints.append((*to_rgb(style.VERMILLION if weights[i, j] > 0 else style.BLUE), 0.25 + 0.75 * share))
            widths.append(0.5 + 3.2 * share)
            if weights.size <= NUMBERED:
                at = 0.66
                ax.text(source.x + at * (place.x - source.x), a + at * (b - a), f"{weights[i, j]:.2f}", fontsize=7,
                        ha="center", va="center", zorder=2,
                        bbox={"facecolor": style.paper(), "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
    ax.add_collection(LineCollection(lines, colors=tints, linewidths=widths, zorder=1))


def _band(ax: Axes, source: Place, place: Place) -> None:
    """All connections between two layers as one area, as tall at each end as the layer there."""
    left, right = source.height / 2 - 0.15, place.height / 2 - 0.15
    inner = [source.x + (RADIUS if source.units else WIDE), place.x - (RADIUS if place.units else WIDE)]
    xs = [inner[0], inner[1], inner[1], inner[0]]
    ys = [source.y + left, place.y + right, place.y - right, source.y - left]
    ax.fill(xs, ys, color=style.GREY, alpha=0.22, linewidth=0, zorder=0)


def _units(ax: Axes, place: Place, values: dict[str, Array], delta: Array | None) -> None:
    """A circle a unit: its activation by colour and number, δ below; without a sample its bias."""
    value = values.get(place.name)
    drawn = [np.ravel(each) for each in values.values() if each.ndim == 1 and len(each) <= 12]
    low, high = (min(map(np.min, drawn)), max(map(np.max, drawn))) if drawn else (0, 1)
    bias = getattr(place.node.layer, "b", None) if place.node else None
    for i, y in enumerate(place.units or []):
        face: Any = style.paper()
        ink, text = style.ink(), ""
        if value is not None:
            face = style.SCALE((float(value[i]) - low) / ((high - low) or 1))
            ink, text = style.ink_on(face), short(float(value[i]))
        elif bias is not None and bias.ndim == 1:
            text = short(float(bias[i]))
        elif place.name == INPUT:
            text = f"x{i + 1}"
        ax.add_patch(Circle((place.x, y), RADIUS, facecolor=face, edgecolor=style.ink(), linewidth=1, zorder=3))
        ax.text(place.x, y, text, ha="center", va="center", fontsize=8, color=ink, zorder=4)
        if delta is not None and value is not None:
            ax.text(place.x, y - RADIUS - 0.05, f"δ {short(float(delta[0, i]))}", ha="center", va="top", fontsize=7,
                    color=style.VERMILLION, zorder=4,
                    bbox={"facecolor": style.paper(), "edgecolor": "none", "pad": 0.4, "alpha": 0.8})  # fmt: skip


def _box(ax: Axes, place: Place, value: Array | None, delta: Array | None) -> None:
    """A layer of many units as a whole: its size, its weights' spread; with a sample a picture of its activations."""
    corner = (place.x - WIDE, place.y - BOX / 2)
    ax.add_patch(
        FancyBboxPatch(corner, 2 * WIDE, BOX, boxstyle="round,pad=0,rounding_size=0.12", facecolor=style.paper(),
                       edgecolor=style.ink(), linewidth=1, zorder=2)
    )  # fmt: skip
    lines = ["×".join(map(str, place.shape)) + (" units" if len(place.shape) == 1 else "")]
    weights = getattr(place.node.layer, "W", None) if place.node else None
    if value is None and weights is not None:
        lines += ["weights", "×".join(map(str, weights.shape)), f"rms {np.sqrt(np.mean(np.square(weights))):.3g}"]
    if value is None:
        ax.text(place.x, place.y, "\n".join(lines), ha="center", va="center", fontsize=8, zorder=4)
        return
    if delta is not None:
        lines.append(f"δ rms {short(float(np.sqrt(np.mean(np.square(delta)))))}")
    tile, side = _tile(value), WIDE - 0.1
    extent = (place.x - side, place.x + side, place.y - side + 0.28, place.y + side + 0.28)
    ax.imshow(tile, cmap=style.SCALE, extent=extent, aspect="auto", interpolation="nearest", zorder=3)
    ax.text(place.x, place.y - BOX / 2 + 0.1, "\n".join(lines), ha="center", va="bottom", fontsize=7.5, zorder=4)
    spread = f"{short(float(value.min()))} … {short(float(value.max()))}"
    ax.text(place.x, place.y - BOX / 2 - 0.06, spread, ha="center", va="top", fontsize=7, color=style.GREY, zorder=4)


def _tile(value: Array) -> Array:
    """Activations as a picture: images as they are (channels averaged), sequences as T × F, vectors in rows."""
    if value.ndim == 3:
        return np.asarray(value.mean(axis=-1))
    if value.ndim == 2:
        return value.T
    flat = value.reshape(-1).astype(float)
    side = int(np.ceil(np.sqrt(flat.size)))
    padded = np.full(side * -(-flat.size // side), np.nan)
    padded[: flat.size] = flat
    return padded.reshape(-1, side)


def _heading(ax: Axes, network: Network, place: Place) -> None:
    kind = ""
    if place.node is not None:
        layer = place.node.layer
        inner = getattr(layer, "activation", None)
        kind = layer.type_name
        if place.node is network.nodes[-1] and network.head is not None:
            inner = network.head
        kind = f"\n{kind}, {inner.type_name}" if inner is not None else f"\n{kind}"
    ax.text(place.x, place.top + 0.12, f"{style.shorten(place.name, 18)}{kind}", ha="center", va="bottom", fontsize=8.5)


def _classes(ax: Axes, place: Place, names: Sequence[str]) -> None:
    """The classes' names beside the outputs."""
    for y, name in zip(place.units or [], names, strict=True):
        ax.text(place.x + RADIUS + 0.12, y, style.shorten(name, 12), ha="left", va="center", fontsize=8)
