"""How pictures look: colours that colour-blind people tell apart, one set of sizes, the same bytes every time.

Colours of lines are those of Okabe and Ito (2008, "Color Universal Design"); scales are cividis
(Nuñez et al. 2018, doi:10.1371/journal.pone.0199239), made for the same purpose.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import colormaps, rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogFormatter

from backprop_cli.errors import visible
from backprop_cli.runs.files import write_output

BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY = "#e69f00", "#56b4e9", "#767676"
LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY)
SCALE = colormaps["cividis"]
DIVERGING = LinearSegmentedColormap.from_list("bp_diverging", [BLUE, "#f7f7f7", VERMILLION])
DPI = 144
INK, PAPER = "#010203", "#fdfefd"  # replaced where a picture is to follow the colours of a page

_RC: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a run may be called $x_1$
    "svg.hashsalt": "bp",
}
_ON_A_PAGE: dict[Any, Any] = {
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), INK
    ),
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "svg.fonttype": "none",  # text stays text, in the page's own font
}


@contextmanager
def styled(on_a_page: bool = False) -> Iterator[None]:
    """Our look for figures made and saved within."""
    with rc_context(_RC | (_ON_A_PAGE if on_a_page else {})), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def color(index: int, count: int) -> Any:
    """The colour of line `index` of `count`: a palette while it lasts, then a scale."""
    return LINES[index] if count <= len(LINES) else SCALE(index / (count - 1))


def shade(index: int, count: int) -> Any:
    """The colour of one of `count` ordered things (layers by depth), away from the scale's pale end."""
    return SCALE(0.9 * index / max(count - 1, 1))


def ink_on(background: Any) -> str:
    """Black or white, whichever is read better on a colour (r, g, b, …) of 0…1."""
    r, g, b = background[:3]
    return "#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 0.5 else "#ffffff"


class _Decimal(LogFormatter):
    """Labels where LogFormatter has them, as 0.01 rather than 1e−02."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}".replace("-", "−") if super().__call__(x, pos) else ""


def logarithmic(axis: Any) -> None:
    """Make an x or y axis logarithmic, labelled in plain text: mathematics in labels is off."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(_Decimal())
    axis.set_minor_formatter(_Decimal(minor_thresholds=(1, 0.5)))


def ink() -> Any:
    """The colour of text, within `styled`."""
    return rcParams["text.color"]


def paper() -> str:
    """The colour of what lies behind, within `styled`."""
    return PAPER if ink() == INK else "white"


def in_legend(label: str) -> str:
    """A label that matplotlib does not hide: it leaves those that begin with _ out of legends."""
    return f" {label}" if label.startswith("_") else label


def shorten(text: str, length: int = 40) -> str:
    """Text of at most `length` characters, its middle left out."""
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def panels(figure: Figure, items: Sequence[Any], width: float, height: float) -> Iterator[tuple[SubFigure, Any]]:
    """A part of the figure for each item, side by side, at most three in a row; sized in inches."""
    columns = min(len(items), 3)
    rows = -(-len(items) // columns)
    figure.set_size_inches(width * columns, height * rows)
    parts = figure.subfigures(rows, columns, squeeze=False).flat
    yield from zip(parts, items, strict=False)


def legend_below(figure: Figure | SubFigure, *axes: Axes, title: str | None = None, fontsize: float = 10) -> None:
    """One legend for some axes, under everything, where it covers nothing."""
    named: dict[str, Any] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    widest = max(map(len, named), default=1)
    columns = max(1, min(len(named), int(figure.bbox.width / figure.figure.dpi * 12 / (widest + 6))))
    figure.legend(
        list(named.values()), list(named), loc="outside lower center", ncols=columns, title=title, fontsize=fontsize
    )


def save(figure: Figure, path: Path) -> None:
    """Write a .png or .svg, the same bytes for the same picture. Raises RunError, UsageError."""
    data = BytesIO()
    kind = path.suffix[1:].lower()
    if kind == "svg":
        write_output(path, [_svg(figure, dpi=DPI).encode()])
        return
    figure.savefig(data, format=kind, dpi=DPI, metadata={"Software": None})
    write_output(path, [data.getvalue()])


def _svg(figure: Figure, **options: Any) -> str:
    """The picture as SVG, in which XML has no control characters."""
    data = BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None}, **options)
    return visible(data.getvalue().decode("utf-8", "replace"))


def inline_svg(figure: Figure, key: str) -> str:
    """The picture as an <svg> for an HTML page, in the page's own colours; to be used within `styled(True)`."""
    with rc_context({"svg.hashsalt": key}):
        text = _svg(figure, transparent=True)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)  # rules for every element of the page
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", text)
    for size in ("width", "height"):  # the page decides; viewBox keeps the shape
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    return text
