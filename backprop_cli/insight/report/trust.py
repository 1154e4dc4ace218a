"""The part of a report that says how far the result can be trusted, and what the network goes by."""

from __future__ import annotations

from backprop_cli.commands.baselines import baselines
from backprop_cli.commands.evaluation import measured
from backprop_cli.commands.evidence import Evidence, calibration, intervals, thresholds, worst
from backprop_cli.commands.explain import explain
from backprop_cli.errors import UsageError
from backprop_cli.insight.report.markup import Markup, Series, chart, details, element, join, note, number, table
from backprop_cli.insight.view import View

COLUMNS = 64  # up to which it is told how much each matters


def trust(view: View) -> Markup:
    """Metrics with intervals beside baselines, calibration, thresholds, the worst rows, the importance of columns."""
    made = view.prepared
    split, metrics = made.measured_split, made.config.trainer.metrics
    numbers, found = measured(made.network, made.batches(split), made.reading, metrics, None, split)
    if found is None:
        return note(f"{split} has too many outputs to be looked at row by row.")
    others, sure = baselines(made, split, found), intervals(found)
    rows = [
        [name, value, " to ".join(map(number, sure[name])) if name in sure else "–",
         *(each.get(name) for each in others.values())]
        for name, value in numbers["metrics"].items()
    ]  # fmt: skip
    said = (
        f"{split}, {len(found):,} examples; the middle 95 % of 1,000 bootstrap samples, and simpler models beside it."
    )
    parts = [
        element("p", said, class_="faint"),
        table(["metric", "value", "95 % interval", *others], rows),
        _calibration(found),
    ]
    cuts = thresholds(found)
    if cuts:
        parts.append(details("Thresholds", table(list(cuts[0]), [list(cut.values()) for cut in cuts])))
    far = worst(found, made.dataset.splits[split].rows)
    if far:
        shown = [[", ".join(map(number, v)) if isinstance(v, list) else v for v in row.values()] for row in far]
        parts.append(details("Worst rows", table(list(far[0]), shown), open_=made.reading.kind == "values"))
    parts.append(_importance(view, split))
    return join(part for part in parts if part)


def _calibration(found: Evidence) -> Markup:
    told = calibration(found)
    if told is None:
        return Markup("")
    x, y = [row["predicted"] for row in told["curve"]], [row["true"] for row in told["curve"]]
    lines = [
        Series("right as often as sure", "var(--s4)", [0, 1], [0, 1], dash=True),
        Series("here", "var(--s0)", x, y),
    ]
    said = f"Expected calibration error {number(told['ece'])}: how far the lines are apart, on average."
    drawn = chart("share that is right", "probability said", lines, whole=False)
    return join([element("p", said, class_="faint"), element("div", drawn, class_="grid")])


def _importance(view: View, split: str) -> Markup:
    made = view.prepared
    if not made.schema.features or made.dataset.input_shape[-1] > COLUMNS:
        return Markup("")
    try:
        told = explain(made, split)
    except UsageError:
        return Markup("")
    rows = [[each["column"], each["importance"], each["std"]] for each in told["importance"]]
    return details("What it goes by", table(["column", f"worse {told['metric']} when shuffled", "±"], rows), open_=True)
