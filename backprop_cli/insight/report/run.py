"""The parts of a report that look inside one run: gradients, confusion, mistakes, pictures, environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_cli.commands.explain import is_text
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.report import class_report
from backprop_cli.errors import BpError
from backprop_cli.insight.doctor.examine import examine_run
from backprop_cli.insight.doctor.text import lines
from backprop_cli.insight.doctor.verdicts import Limits
from backprop_cli.insight.flow import HOW_TO_RECORD, recorded, snapshot
from backprop_cli.insight.layout import READABLE
from backprop_cli.insight.report.markup import (
    Curve,
    Markup,
    chart,
    details,
    element,
    escape,
    join,
    moment,
    note,
    number,
    table,
)
from backprop_cli.insight.report.measured import measured
from backprop_cli.insight.report.mistakes import Mistake, data_uri, is_image, mistakes
from backprop_cli.insight.report.trust import tokens, trust
from backprop_cli.insight.view import SplitAnswers, View
from backprop_cli.runs.plain import failure, read_plain

WRITTEN = 25  # classes up to which the matrix is a table
PROBE = Limits(steps=300, work=1e10)  # of the doctor's: a report is written in a few seconds
MAX_CONFIG = 1 << 20  # bytes of a config that are shown
PAIRS = 20  # confusions listed beyond that
FLOW = {  # what diagnostics hold: title, whether decades matter
    "gradient_norm": ("norm of the gradient", True),
    "update_ratio": ("size of an update relative to the weights", True),
    "dead": ("share of dead units", False),
    "saturated": ("share of saturated units", False),
}


def inside(view: View, level: int) -> Markup:
    """Everything that needs the network and its data; one note where they cannot be loaded."""
    parts = [_part(level, "Gradient flow", lambda: _flow(view)), _part(level, "Diagnosis", lambda: _diagnosis(view))]
    try:
        prepared = view.prepared
    except (BpError, OSError) as error:
        return join([*parts, note(f"Without the network and its data there is no more to show: {error}")])
    if prepared.reading.has_classes:
        parts.append(_part(level, "Confusion", lambda: _confusion(view, level)))
    if prepared.reading.kind == "values":
        parts.append(_part(level, "Measured", lambda: measured(view)))
    if prepared.reading.kind == "values" and prepared.reading.numeric and len(prepared.network.output_shape) == 1:
        parts.append(_part(level, "Predicted and true values", lambda: _picture(view, "regression")))
    parts.append(_part(level, "How far it can be trusted", lambda: trust(view)))
    if prepared.dataset.images is not None or len(prepared.dataset.input_shape) == 3:
        parts.append(_part(level, "Pixels that it goes by", lambda: _picture(view, "saliency")))
    if is_text(prepared) and prepared.reading.has_classes and len(prepared.network.output_shape) == 1:
        parts.append(_part(level, "Words that it goes by", lambda: tokens(view)))
    if prepared.dataset.input_shape == (2,):
        parts.append(_part(level, "Decision boundary", lambda: _picture(view, "boundary")))
    if _small(view):
        parts.append(_part(level, "Network", lambda: _picture(view, "network")))
    weights = next((getattr(node.layer, "W", None) for node in view.network.nodes if hasattr(node.layer, "W")), None)
    if weights is not None and weights.ndim == 4:
        parts.append(_part(level, "Filters of the first convolution", lambda: _picture(view, "filters")))
    return join(parts)


def _part(level: int, title: str, make: Callable[[], Markup]) -> Markup:
    heading = element(f"h{level}", title)
    try:
        return join([heading, make()])
    except (BpError, OSError) as error:
        return join([heading, note(str(error))])


def _small(view: View) -> bool:
    shapes = [view.network.input_shape, *(node.shape for node in view.network.nodes)]
    return len(shapes) <= 12 and all(len(shape) == 1 and shape[0] <= READABLE + 8 for shape in shapes)


def _flow(view: View) -> Markup:
    charts = []
    for quantity, (title, log) in FLOW.items():
        flow = recorded(view, quantity)
        values = [value for y in flow.y.values() for value in y if value is not None]
        if not values or (not log and not any(values)):
            continue
        last = max(len(flow.y) - 1, 1)
        layers = [
            Curve(name, f"color-mix(in oklab, var(--s0) {100 - 100 * i / last:.0f}%, var(--s4))", flow.x,
                 [None if log and value is not None and value <= 0 else value for value in y])
            for i, (name, y) in enumerate(flow.y.items())
        ]  # fmt: skip
        charts.append(chart(title, "epoch", layers, log=log, whole=False))
    if charts:
        said = element("p", "A line a layer, from the input (blue) to the output (yellow).", class_="faint")
        return join([said, element("div", *charts, class_="grid")])
    moments = snapshot(view)
    said = note(f"No diagnostics were recorded, so this is one batch at the checkpoint. To record: {HOW_TO_RECORD}")
    logs = [np.log10(layer.gradient_norm) for layer in moments if layer.gradient_norm > 0]
    low, high = (min(logs) - 0.5, max(logs)) if logs else (0.0, 1.0)
    bars = []
    for layer in moments:
        share = 100 * (np.log10(layer.gradient_norm) - low) / (high - low) if layer.gradient_norm > 0 else 0
        bars += [element("span", layer.name), element("i", style=f"--p:{share:.1f}"), number(layer.gradient_norm)]
    bars = [bar if isinstance(bar, Markup) else element("span", bar) for bar in bars]
    caption = element("p", "Norm of the gradient of each layer, logarithmic.", class_="faint")
    return join([said, caption, element("div", *bars, class_="bars")])


def _diagnosis(view: View) -> Markup:
    """What `bp doctor` says."""
    examination = examine_run(view.run, PROBE)
    said = [element("p", f"({remark})", class_="faint") for remark in examination.notes]
    if examination.healthy:
        return join([element("p", "Nothing inside points to a disease."), *said])
    text = "\n".join(lines(examination, "config.yaml")).strip()
    return join([element("pre", text, class_="verdict"), *said])


def _confusion(view: View, level: int) -> Markup:
    answers = view.answers()
    said = element(
        "p", f"{answers.split}: {number(len(answers.truth))} examples, accuracy {answers.accuracy:.4f}. Rows are true "
        "classes, columns predicted ones.", class_="faint",
    )  # fmt: skip
    parts = [said, _matrix(answers) if len(answers.classes) <= WRITTEN else _picture(view, "confusion")]
    parts.append(_pairs(answers))
    rows = class_report([answers.predicted], [answers.truth], answers.classes)["per_class"]
    parts.append(details("Every class", table(list(rows[0]), [list(row.values()) for row in rows])))
    parts.append(_mistakes(view, answers, level))
    return join(parts)


def _matrix(answers: SplitAnswers) -> Markup:
    matrix = answers.matrix
    totals = np.maximum(matrix.sum(axis=1), 1)
    rows = [element("tr", element("th"), *[element("th", name) for name in answers.classes])]
    for i, name in enumerate(answers.classes):
        cells = [element("th", name)]
        for j, other in enumerate(answers.classes):
            share = matrix[i, j] / totals[i]
            depth = 100 * share if i == j else 100 * np.sqrt(share)
            told = f"{name} predicted as {other}: {matrix[i, j]} of {totals[i]} ({100 * share:.1f} %)"
            right = "right" if i == j else None
            cells.append(element("td", matrix[i, j], class_=right, style=f"--p:{depth:.0f}", title=told))
        rows.append(element("tr", *cells))
    return element("div", element("table", *rows, class_="matrix"), class_="wide")


def _pairs(answers: SplitAnswers) -> Markup:
    matrix = answers.matrix.copy()
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:PAIRS]
    places = [divmod(int(cell), len(matrix)) for cell in order]
    rows = [[answers.classes[i], answers.classes[j], int(matrix[i, j])] for i, j in places if matrix[i, j]]
    return details("Most frequent confusions", table(["true", "predicted", "examples"], rows)) if rows else Markup("")


def _mistakes(view: View, answers: SplitAnswers, level: int) -> Markup:
    shown = mistakes(view, answers)
    heading = element(f"h{level + 1}", "Surest mistakes")
    if not shown:
        right = (answers.predicted == answers.truth).all()
        return join([heading, element("p", f"None: all of {answers.split} is right.")]) if right else Markup("")
    x = view.prepared.dataset.splits[answers.split].x
    if is_image(np.asarray(x[shown[0].row])):
        images = [np.asarray(x[mistake.row]) for mistake in shown]
        scores = view.prepared.reading.scale == "scores"
        white = float(max(image.max() for image in images))
        cards = [_card(mistake, image, white, scores) for mistake, image in zip(shown, images, strict=True)]
        return join([heading, element("div", *cards, class_="mistakes")])
    names = view.prepared.dataset.features or []
    width = min(int(np.prod(x.shape[1:])), 8)
    word = "margin" if view.prepared.reading.scale == "scores" else "probability"
    heads = ["sample", "true", "predicted", word, *(names[:width] or [f"x{i + 1}" for i in range(width)])]
    rows = [
        [mistake.row, mistake.true, mistake.predicted, mistake.sureness,
         *_told(view, names, np.asarray(x[mistake.row]).reshape(-1)[:width])]
        for mistake in shown[:12]
    ]  # fmt: skip
    return join([heading, table(heads, rows)])


def _told(view: View, names: Sequence[str], values: Array) -> list[Any]:
    if not names:
        return [value.item() for value in values]
    return [view.prepared.schema.in_unit(name, value).item() for name, value in zip(names, values, strict=False)]


def _card(mistake: Mistake, x: Any, white: float, scores: bool) -> Markup:
    said = f"sample {mistake.row}: {mistake.true} predicted as {mistake.predicted}"
    image = Markup(f'<img src="{data_uri(x, white)}" alt="{escape(said)}">')
    sure = number(mistake.sureness) if scores else f"{100 * mistake.sureness:.0f} %"
    text = join([element("b", f"{mistake.true} → {mistake.predicted}"), f" {sure}"])
    return element("div", image, text, title=said)


def _picture(view: View, kind: str) -> Markup:
    """A picture of `bp plot`."""
    from backprop_cli.insight import plots, style

    label, view.label = view.label, view.run.id
    try:
        with style.styled(on_a_page=True):
            svg = style.inline_svg(plots.draw(kind, [view]), f"{view.run.id}/{kind}")
    finally:
        view.label = label
    return element("div", Markup(svg), class_=f"picture {kind}")


def config_and_environment(view: View, open_: bool) -> Markup:
    """The resolved config, and what run.json says beside metrics and where each value of the config comes from."""
    try:
        config = read_plain(view.run.config, MAX_CONFIG).decode("utf-8", "replace")
    except OSError as error:
        config = f"({failure(f'cannot read {view.run.config}', error)})"
    told = {key: value for key, value in view.run.info.items() if key not in ("metrics", "best", "origins")}
    environment = [list(pair) for pair in _flat(told)]
    return join(
        [
            details(f"Config of {view.run.id}", element("pre", config), open_=open_),
            details(f"Environment of {view.run.id}", table(["", ""], environment), open_=open_),
        ]
    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for key, child in value.items():
        if isinstance(child, dict):
            leaves += _flat(child, f"{prefix}{key}.")
        elif child is not None and child != []:
            text = " ".join(map(str, child)) if isinstance(child, list) else number(child)
            text = moment(child) if key in ("started", "ended") else str(child) if key == "pid" else text
            leaves.append((f"{prefix}{key}", text))
    return leaves
