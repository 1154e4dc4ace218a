"""Pieces of an HTML page. Whatever comes from outside is escaped here, and only here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backprop_cli.errors import visible
from backprop_cli.runs.json_text import dumps

POINTS = 1000  # of a curve, at most


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(value: Any) -> Markup:
    """A value as HTML text, safe in elements and quoted attributes; Markup stays as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def element(name: str, *children: Any, **attributes: Any) -> Markup:
    """<name attributes>children</name>; a trailing _ of an attribute's name is dropped (class_)."""
    given = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{given}>{''.join(map(escape, children))}</{name}>")


def join(parts: Iterable[Any]) -> Markup:
    """Pieces one after the other."""
    return Markup("\n".join(escape(part) for part in parts))


def number(value: Any) -> str:
    """A value as people read it; Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(heads: Sequence[Any], rows: Iterable[Sequence[Any]], class_: str | None = None) -> Markup:
    """A table that scrolls by itself where the page is narrow; text stands left, numbers right."""
    cells = [list(row) for row in rows]
    text = [any(isinstance(cell, str) for cell in column) for column in zip(*cells, strict=True)]
    text = text or [False] * len(heads)
    named = [element("th", head, class_="text" if left else None) for head, left in zip(heads, text, strict=True)]
    head = element("tr", *named) if any(map(str, heads)) else ""
    body = [
        element("tr", *[element("td", number(cell), class_="text" if isinstance(cell, str) else None) for cell in row])
        for row in cells
    ]
    return element("div", element("table", head, *body, class_=class_), class_="wide")


def moment(text: Any) -> Any:
    """A time as written in run.json: in the local time of whoever looks at the page, here of who has written it."""
    try:
        when = datetime.fromisoformat(str(text)).astimezone()
    except ValueError:
        return text
    return element("time", f"{when:%Y-%m-%d %H:%M:%S}", datetime=when.isoformat())


def tiles(items: Iterable[tuple[str, Any]]) -> Markup:
    """Numbers to see at once: (what it is, value)."""
    return element("div", *[element("div", element("b", number(v)), element("span", k), class_="tile")
                            for k, v in items], class_="tiles")  # fmt: skip


def note(text: str) -> Markup:
    """A remark nobody overlooks."""
    return element("p", text, class_="note")


def details(summary: str, *children: Any, open_: bool = False) -> Markup:
    """A part one can fold."""
    inner = join([element("summary", summary), *children])
    return Markup(f"<details{' open' if open_ else ''}>{inner}</details>")


@dataclass(frozen=True)
class Curve:
    """A series of a chart; None is a gap. `color` is CSS."""

    name: str
    color: str
    x: Sequence[float]
    y: Sequence[float | None]
    dash: bool = False
    faint: bool = False  # beside those that stand out: thin, and not in the legend


def chart(title: str, x: str, lines: Sequence[Curve], *, log: bool = False, whole: bool = True) -> Markup:
    """A chart that the page's script draws from its data; long series are thinned to `POINTS`."""
    series = []
    for line in lines:
        stride = -(-len(line.x) // POINTS)
        kept = [*range(0, len(line.x) - 1, stride), len(line.x) - 1] if line.x else []
        y = [None if line.y[i] is None else float(f"{line.y[i]:.6g}") for i in kept]
        series.append(
            {
                "name": visible(line.name),
                "color": line.color,
                "dash": line.dash,
                "faint": line.faint,
                "x": [line.x[i] for i in kept],
                "y": y,
            }
        )
    data = {"x": x, "label": visible(title), "log": log, "whole": whole, "series": series}
    script = Markup(f'<script type="application/json">{script_json(data)}</script>')
    return element("figure", element("figcaption", element("span", title)), script, class_="chart")


def script_json(value: Any) -> Markup:
    """JSON that can stand inside a <script>: nothing in it can end the element."""
    text = dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
