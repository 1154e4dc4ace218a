"""`bp report`: one HTML file that needs no network, about one run or several beside each other.

Curves are drawn by the page's own script from numbers inside the page; other pictures are those of
`bp plot` as SVG, in the page's colours. A content security policy forbids the page to load anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands import compare
from backprop_cli.errors import BpError, visible
from backprop_cli.insight.curves import AXES, COLOURS, PHASES, curve, leading, quantities, spans_decades
from backprop_cli.insight.report.markup import (
    Curve,
    Markup,
    chart,
    details,
    element,
    join,
    moment,
    note,
    number,
    table,
    tiles,
)
from backprop_cli.insight.report.run import config_and_environment, inside
from backprop_cli.insight.report.sweep import settings, what_mattered
from backprop_cli.insight.view import View, sweep_of
from backprop_cli.runs.versions import __version__

PAGE = Path(__file__).parent / "page"
COLORS = 7  # --s0 … --s6 of report.css
ROWS = 400  # epochs listed in a table, at most


def report(views: Sequence[View]) -> str:
    """The page. A part that cannot be made (data that are gone, say) is a note in its place."""
    title = views[0].run.id if len(views) == 1 else f"{len(views)} runs compared"
    parts: list[Any] = [_head(views, title)]
    if (folder := sweep_of(views)) is not None:
        parts.append(_part("Settings", lambda: settings(folder)))
        parts.append(_part("What mattered", lambda: what_mattered(folder, views)))
    if len(views) > 1:
        parts.append(_part("What differs", lambda: _differences(views)))
    parts.append(_part("Curves", lambda: _curves(views)))
    if len(views) > COLOURS:
        parts.append(note("Of so many runs each has a report of its own: bp report RUN"))
    for view in views if len(views) <= COLOURS else ():
        single = len(views) == 1
        if not single:
            parts.append(element("h2", view.label))
            parts.append(_summary(view))
        parts.append(inside(view, 2 if single else 3))
    parts.append(element("h2", "Config and environment"))
    settled = [config_and_environment(view, open_=len(views) == 1) for view in views]
    parts += settled if len(views) <= COLOURS else [details(f"Config and environment of {len(views)} runs", *settled)]
    parts.append(element("p", f"Written by bp {__version__}.", class_="faint"))
    return visible(_page(title, join(parts)))


def _page(title: str, body: Markup) -> str:
    css, *scripts = ((PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "chart.js", "report.js"))
    script = "".join(scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', title)}\n<style>{css}</style></head>\n<body>\n{body}\n"
        f"<script>{script}</script>\n</body></html>\n"
    )


def _part(title: str, make: Callable[[], Markup]) -> Markup:
    try:
        return join([element("h2", title), make()])
    except BpError as error:
        return join([element("h2", title), note(str(error))])


def _head(views: Sequence[View], title: str) -> Markup:
    if len(views) > 1:
        return element("h1", title)
    info = views[0].run.info
    status = info["status"]
    heading = element("h1", title, " ", element("span", status, class_=f"status {status}"))
    return join([heading, _summary(views[0])])


def _summary(view: View) -> Markup:
    info = view.run.info
    best, last = info.get("best") or {}, info.get("metrics") or {}
    data = info.get("dataset") or {}
    sizes = ", ".join(f"{name} {number(size)}" for name, size in (data.get("sizes") or {}).items())
    items: list[tuple[str, Any]] = [
        (f"best {name}, epoch {best.get('epoch')}", value) for name, value in best.items() if "/" in name
    ]
    items += [(f"last {name}", value) for name, value in last.items() if "/" in name]
    items += [("epochs", last.get("epoch", 0)), ("steps", last.get("step", 0)), ("seconds", last.get("time"))]
    items += [("parameters", info.get("parameters"))]
    told = f"{data.get('name')} ({data.get('source')}): {sizes}; seed {info.get('seed')}; started "
    lines = [element("p", told, moment(info.get("started")), class_="faint")]
    if reason := info.get("reason"):
        lines.append(note(reason))
    return join([tiles(items), *lines])


def _differences(views: Sequence[View]) -> Markup:
    rows = compare.rows(compare.compare([view.run for view in views]))
    names = [view.label if len(view.label) < 40 else view.run.id for view in views]
    if len(views) > COLOURS:
        differing = [row for row in rows if len({str(value) for value in row[2:-1]}) > 1]
        heads = [row[1] if row[0] in ("config", "run") else f"{row[0]} {row[1]}" for row in differing]
        values = zip(*(row[2:-1] for row in differing), strict=True)
        runs = [[view.run.id, *row] for view, row in zip(views, values, strict=True)]
        said = element("p", "A click on a heading sorts by it.", class_="faint")
        return join([said, table(["run", *heads], runs, class_="sortable")])
    cells = [[f"{row[0]} {row[1]}", *map(number, row[2:-1]), row[-1]] for row in rows]
    return table(["", *names, "last − first"], cells)


def _curves(views: Sequence[View]) -> Markup:
    charts, first = [], leading(views)
    for quantity in quantities(views):
        drawn = [(i, logged) for i, view in enumerate(views) for phase in ("", *PHASES)
                 if (logged := curve(view, quantity, phase))]  # fmt: skip
        several = len({line.phase for _, line in drawn}) > 1
        lines = []
        for i, logged in drawn:
            name = " ".join(part for part in (views[i].label if len(views) > 1 else "", logged.phase) if part)
            dash = several and logged.phase == "train"
            faint = i not in first
            k = first.index(i) % COLORS if len(views) > 1 and not faint else int(dash)
            color = "var(--faint)" if faint else f"var(--s{k})"
            lines.append(Curve(name or quantity, color, logged.x, logged.y, dash, faint))
        if quantity == "learning_rate" and all(len(set(line.y)) == 1 for _, line in drawn):
            continue  # constant: the config says it
        title = quantity.replace("_", " ")
        lines.sort(key=lambda line: not line.faint)
        charts.append(chart(title, AXES["epoch"], lines, log=spans_decades([line for _, line in drawn])))
    if not charts:
        return note("No epoch was finished, so there are no curves.")
    if len(first) < len(views):
        others = len(views) - len(first)
        said = element("p", f"The best {len(first)} stand out; {others} others are faint.", class_="faint")
        return join([said, element("div", *charts, class_="grid")])
    tables = [details(f"Every epoch in numbers{f': {view.label}' if len(views) > 1 else ''}", _epochs(view))
              for view in views]  # fmt: skip
    return join([element("div", *charts, class_="grid"), *tables])


def _epochs(view: View) -> Markup:
    keys = [key for key in dict.fromkeys(key for row in view.rows for key in row) if key != "step"]
    stride = -(-len(view.rows) // ROWS)
    rows = view.rows[::stride]
    if rows and rows[-1] is not view.rows[-1]:
        rows.append(view.rows[-1])
    said = element("p", f"Every {stride}th epoch, and the last.", class_="faint") if stride > 1 else ""
    return join([said, table(keys, [[row.get(key) for key in keys] for row in rows])])
