"""The part of a report that says how far the result can be trusted, and what the network goes by."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.baselines import baselines
from backprop_cli.commands.evaluation import measured
from backprop_cli.commands.evidence import Evidence, calibration, intervals, thresholds, worst
from backprop_cli.commands.explain import attributions, explain
from backprop_cli.errors import UsageError
from backprop_cli.insight.report.markup import Curve, Markup, chart, details, element, join, note, number, table
from backprop_cli.insight.view import View

CURVES = 7  # outputs whose dependence is drawn
TEXTS = 3  # texts whose tokens are weighed
COLUMNS = 64  # up to which it is told how much each matters


def trust(view: View) -> Markup:
    """Metrics with intervals beside baselines, calibration, thresholds, the worst rows, the importance of columns."""
    prepared = view.prepared
    split, metrics = prepared.measured_split, prepared.config.trainer.metrics
    numbers, evidence = measured(prepared.network, prepared.batches(split), prepared.reading, metrics, None, split)
    if evidence is None:
        return note(f"{split} has too many outputs to be looked at row by row.")
    others, sure = baselines(prepared, split, evidence), intervals(evidence)
    rows = [
        [name, value, " to ".join(map(number, sure[name])) if name in sure else "–",
         *(baseline.get(name) for baseline in others.values())]
        for name, value in numbers["metrics"].items()
    ]  # fmt: skip
    rows_of = f"{split}, {len(evidence):,} examples"
    said = f"{rows_of}; the middle 95 % of 1,000 bootstrap samples, and simpler models beside it."
    parts = [
        element("p", said, class_="faint"),
        table(["metric", "value", "95 % interval", *others], rows),
        _calibration(evidence),
    ]
    cuts = thresholds(evidence)
    if cuts:
        parts.append(details("Thresholds", table(list(cuts[0]), [list(cut.values()) for cut in cuts])))
    far = worst(evidence, prepared.dataset.splits[split].rows)
    if far:
        shown = [[", ".join(map(number, v)) if isinstance(v, list) else v for v in row.values()] for row in far]
        parts.append(details("Worst rows", table(list(far[0]), shown), open_=prepared.reading.kind == "values"))
    parts.append(_importance(view, split))
    return join(part for part in parts if part)


def _calibration(evidence: Evidence) -> Markup:
    told = calibration(evidence)
    if told is None:
        return Markup("")
    x, y = [row["predicted"] for row in told["curve"]], [row["true"] for row in told["curve"]]
    lines = [
        Curve("right as often as sure", "var(--s4)", [0, 1], [0, 1], dash=True),
        Curve("here", "var(--s0)", x, y),
    ]
    said = f"Expected calibration error {number(told['ece'])}: how far the lines are apart, on average."
    drawn = chart("share that is right", "probability said", lines, whole=False)
    return join([element("p", said, class_="faint"), element("div", drawn, class_="grid")])


def _importance(view: View, split: str) -> Markup:
    prepared = view.prepared
    if not prepared.schema.features or prepared.dataset.input_shape[-1] > COLUMNS:
        return Markup("")
    try:
        told = explain(prepared, split)
    except UsageError:
        return Markup("")
    rows = [[row["column"], row["importance"], row["std"]] for row in told["importance"]]
    shown = table(["column", f"worse {told['metric']} when shuffled", "±"], rows)
    parts = [details("What it goes by", shown, open_=True), _dependence(told["dependence"])]
    return join(part for part in parts if part)


def _dependence(told: dict[str, list[dict[str, Any]]]) -> Markup:
    """The mean answer by the values of columns: a curve of numbers, a table of categories."""
    drawn, tables = [], []
    for column, rows in told.items():
        if not rows:
            continue
        names = [name for name in rows[0] if name != "value"][:CURVES]
        if isinstance(rows[0]["value"], str):
            tables.append(table([column, *names], [[row["value"], *map(row.get, names)] for row in rows]))
            continue
        x = [row["value"] for row in rows]
        lines = [Curve(name, f"var(--s{k})", x, [row[name] for row in rows]) for k, name in enumerate(names)]
        drawn.append(chart("mean answer", column, lines, whole=False))
    if not drawn and not tables:
        return Markup("")
    said = "The mean answer when every row has the same value in one column, the others as they are."
    parts = [element("p", said, class_="faint"), element("div", *drawn, class_="grid"), *tables]
    return details("What columns do", join(parts))


def tokens(view: View) -> Markup:
    """What the answer's probability loses without each token, of the first texts."""
    prepared = view.prepared
    split = prepared.measured_split
    parts = []
    for sample in range(min(TEXTS, len(prepared.dataset.splits[split]))):
        told = attributions(prepared, split, sample)
        head = element("p", f"{split}, sample {sample}: {told['prediction']}, p = {number(told['p'])}", class_="faint")
        words = [token["token"] for token in told["tokens"]]
        parts += [head, table(words, [[token["weight"] for token in told["tokens"]]])]
    return join(parts)
