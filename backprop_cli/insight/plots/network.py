"""The network as a graph: weights as coloured edges; with --sample, activations and deltas in the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle, FancyBboxPatch

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.insight import style
from backprop_cli.insight.brief import brief, short
from backprop_cli.insight.edges import RADIUS, WIDE, arc, edges, sources, weighted, weights
from backprop_cli.insight.filters import tile as pixels
from backprop_cli.insight.layout import BOX, COLUMN, FIRST, Spot, places
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import Probe, View, alone

NAME = 18  # letters of a feature's or a class's name


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw the graph of each network; with `options.sample` also the activations and deltas of that example.

    Raises UsageError for an example that does not exist.
    """
    pairs = []
    for view in views:
        lost = alone(view.network) if options.sample is not None else None
        if lost:
            options.note(f"{view.run.id}: {lost}")
        split, _ = view.split(options.split)
        pairs.append((view, view.probe(split, options.sample) if options.sample is not None else None, split))
    spots = [places(view.network) for view in views]
    width = max(max(spot.x for spot in drawing.values()) for drawing in spots) + COLUMN
    height = max(max(spot.top for spot in drawing.values()) for drawing in spots) * 2 + 2.3
    for part, (view, probe, split) in style.panels(figure, pairs, max(width, 5.5), height):
        panel(part, view, probe, f", sample {options.sample} of {split}" if probe else "")


def panel(figure: Figure | SubFigure, view: View, probe: Probe | None, what: str) -> None:
    """One network from left to right."""
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_aspect("equal")
    network = view.network
    spots = places(network)
    largest = max((float(np.abs(weights(spot)).max()) for spot in spots.values() if weighted(spots, spot)), default=1)
    values = _shown_values(spots, probe)
    for spot in spots.values():
        edges(ax, spots, spot, largest or 1.0)
    for spot in spots.values():
        delta = probe.deltas.get(spot.name) if probe else None
        if spot.units is None:
            _box(ax, spot, values.get(spot.name), delta)
        else:
            _units(ax, spot, values, delta)
        _heading(ax, network, spot)
    last, reading = spots[network.nodes[-1].name], view.prepared.reading
    classes = reading.class_names(network.output_shape[-1]) if reading.kind == "classes" else []
    if len(last.units or []) == len(classes):
        _names(ax, last, classes, 1)
    features = view.prepared.dataset.features or []
    named = bool(features) and len(spots[INPUT].units or []) == len(features)
    if named:
        _names(ax, spots[INPUT], features, -1)
    top = max(spot.top for spot in spots.values())
    right = max(spot.x for spot in spots.values())
    ax.set_xlim(-1.1 - (0.075 * min(max(map(len, features)), NAME) if named else 0), right + 1.1)
    arcs = [arc(source, spot) for spot in spots.values() for source in sources(spots, spot)]
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


def _key(spots: dict[str, Spot], largest: float, probe: Probe | None) -> str:
    lines = []
    if any(weighted(spots, spot) for spot in spots.values()):
        lines.append(f"edges: weights; orange above 0, blue below; the thickest is |w| = {largest:.3g}")
    if probe is not None:
        lines.append("in the nodes: activations; δ = ∂loss/∂z")
    elif any(spot.units for spot in spots.values() if spot.node):
        lines.append("in the nodes: biases")
    return "\n".join(lines)


def _shown_values(spots: dict[str, Spot], probe: Probe | None) -> dict[str, Array]:
    return {name: probe.values[name][0] for name in spots if name in probe.values} if probe else {}


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


def _units(ax: Axes, spot: Spot, values: dict[str, Array], delta: Array | None) -> None:
    """A circle a unit: its activation by colour and number, δ below; without a sample its bias."""
    value = values.get(spot.name)
    drawn = [np.ravel(array) for array in values.values() if array.ndim == 1 and len(array) <= 12]
    low, high = (min(map(np.min, drawn)), max(map(np.max, drawn))) if drawn else (0, 1)
    bias = getattr(spot.node.layer, "b", None) if spot.node else None
    for i, y in enumerate(spot.units or []):
        face: Any = style.paper()
        ink, text = style.ink(), ""
        if value is not None:
            face = style.SCALE((float(value[i]) - low) / ((high - low) or 1))
            ink, text = style.ink_on(face), short(float(value[i]))
        elif bias is not None and bias.ndim == 1:
            text = short(float(bias[i]))
        elif spot.name == INPUT:
            text = f"x{i + 1}"
        ax.add_patch(Circle((spot.x, y), RADIUS, facecolor=face, edgecolor=style.ink(), linewidth=1, zorder=3))
        ax.text(spot.x, y, text, ha="center", va="center", fontsize=8, color=ink, zorder=4)
        if delta is not None and value is not None:
            ax.text(spot.x, y - RADIUS - 0.05, f"δ {short(float(delta[0, i]))}", ha="center", va="top", fontsize=7,
                    color=style.VERMILLION, zorder=4,
                    bbox={"facecolor": style.paper(), "edgecolor": "none", "pad": 0.4, "alpha": 0.8})  # fmt: skip


def _box(ax: Axes, spot: Spot, value: Array | None, delta: Array | None) -> None:
    """A layer of many units as a whole: its size, its weights' spread; with a sample a picture of its activations."""
    corner = (spot.x - WIDE, spot.y - BOX / 2)
    ax.add_patch(
        FancyBboxPatch(corner, 2 * WIDE, BOX, boxstyle="round,pad=0,rounding_size=0.12", facecolor=style.paper(),
                       edgecolor=style.ink(), linewidth=1, zorder=2)
    )  # fmt: skip
    lines = ["×".join(map(str, spot.shape)) + (" units" if len(spot.shape) == 1 else "")]
    weights = getattr(spot.node.layer, "W", None) if spot.node else None
    if value is None and weights is not None:
        lines += ["weights", "×".join(map(str, weights.shape)), f"rms {np.sqrt(np.mean(np.square(weights))):.3g}"]
    if value is None:
        ax.text(spot.x, spot.y, "\n".join(lines), ha="center", va="center", fontsize=8, zorder=4)
        return
    if delta is not None:
        lines.append(f"δ rms {short(float(np.sqrt(np.mean(np.square(delta)))))}")
    tile, side = pixels(value), WIDE - 0.1
    extent = (spot.x - side, spot.x + side, spot.y - side + 0.28, spot.y + side + 0.28)
    ax.imshow(tile, cmap=style.SCALE, extent=extent, aspect="auto", interpolation="nearest", zorder=3)
    ax.text(spot.x, spot.y - BOX / 2 + 0.1, "\n".join(lines), ha="center", va="bottom", fontsize=7.5, zorder=4)
    spread = f"{short(float(value.min()))} … {short(float(value.max()))}"
    ax.text(spot.x, spot.y - BOX / 2 - 0.06, spread, ha="center", va="top", fontsize=7, color=style.GREY, zorder=4)


def _heading(ax: Axes, network: Network, spot: Spot) -> None:
    kind = ""
    if spot.node is not None:
        layer = spot.node.layer
        inner = getattr(layer, "activation", None)
        kind = layer.type_name
        if spot.node is network.nodes[-1] and network.head is not None:
            inner = network.head
        kind = f"\n{kind}, {inner.type_name}" if inner is not None else f"\n{kind}"
    ax.text(spot.x, spot.top + 0.12, f"{style.shorten(spot.name, 18)}{kind}", ha="center", va="bottom", fontsize=8.5)


def _names(ax: Axes, spot: Spot, names: Sequence[str], side: int) -> None:
    """The names of features left of the inputs (side −1), of classes right of the outputs (1)."""
    where = "left" if side > 0 else "right"
    for y, name in zip(spot.units or [], names, strict=True):
        text = style.shorten(str(name), NAME)
        ax.text(spot.x + side * (RADIUS + 0.12), y, text, ha=where, va="center", fontsize=8)
