"""A trace as text and as one self-contained HTML page; with `blank`, as a worksheet with a key."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np

from backprop_cli.engine.node import INPUT
from backprop_cli.errors import visible
from backprop_cli.insight.trace.arithmetic import loss_lines, updates
from backprop_cli.insight.trace.lines import Line, Section, Value, number, source, worksheet
from backprop_cli.insight.trace.step import READABLE, LayerStep, Trace, TracedParameter

SHOWN = 144  # numbers of an array that are printed
FIRST, LAST = 8, 2  # of a longer vector than READABLE
DIGITS = 9  # decimals that lines are written with
_DECIMAL = re.compile(r"(?<![\w.^])\d+\.\d+(e-?\d+)?(?![0-9A-Za-z.])")


def sections(trace: Trace, whole: bool = False) -> list[Section]:
    """The trace as headings and lines, in the order one would work through it. `whole`: no vector is shortened."""
    given = [
        f"x = {_array(trace.x, whole)}",
        f"target = {_array(np.asarray(trace.target), whole)}",
        *([trace.note] if trace.note else []),
    ]
    parts: list[Section] = [(f"{trace.config}: one step on sample {trace.sample} of {trace.split}", [*given])]
    readable = {step.name for step in trace.steps if step.forward}
    for step in trace.steps:
        parts.append(
            (f"forward  {step.name} ({step.type})", [*_symbols(step.symbols), *_forward(step, readable, whole)])
        )
    output = Line(("output =",), _array(trace.output, whole))
    loss: list[Line | str] = [
        *_symbols(trace.loss_symbols),
        output,
        *loss_lines(trace),
        Line(("L =",), number(trace.loss)),
    ]
    parts.append((f"loss  {trace.loss_name}", loss))
    for step in reversed(trace.steps):
        parts.append((f"backward  {step.name} ({step.type})", [*step.backward] or _backward(step, whole)))
        for parameter in step.parameters:
            parts.append((f"gradient of {parameter.name} {parameter.shape}", _rows(parameter)))
    after = Line(("L after the step =",), f"{trace.loss_after:.12f}")
    update: list[Line | str] = [
        *_symbols(trace.optimizer_symbols),
        f"η = {number(trace.learning_rate)}",
        *updates(trace),
        after,
    ]
    parts.append((f"update  {trace.optimizer_name}", update))
    parts.append(("check", [f"largest relative error of a gradient shown: {trace.worst:.1e}"]))
    return parts


def _symbols(equations: list[str]) -> list[str]:
    return [f"    {line}" for line in equations]


def _forward(step: LayerStep, readable: set[str], whole: bool) -> list[Line | str]:
    """The sums of a small layer; of another its input, as results of the layers before, and its output."""
    if step.forward:
        return [*step.forward]
    lines: list[Line | str] = []
    for x, name in zip(step.x, step.inputs, strict=True):
        if name == INPUT:
            lines.append(f"x = {_array(x, whole)}")
        elif name in readable:
            numbers: list[str | Value] = ["x = ["]
            for i, value in enumerate(x.reshape(-1)):
                numbers += [*(["  "] if i else []), Value(float(value), source(name, i))]
            lines.append(Line((*numbers, "]"), ""))
        else:
            lines.append(Line((f"x = y of {name} =",), _array(x, whole)))
    return [*lines, Line(("y =",), _array(step.y, whole), ("y", step.name))]


def _backward(step: LayerStep, whole: bool) -> list[Line | str]:
    if step.delta is None:
        return ["nothing before this layer is trained: no gradient is needed"]
    lines: list[Line | str] = [Line(("δ =",), _array(step.delta, whole))]
    return lines + [Line(("dx =",), _array(gradient, whole)) for gradient in step.dx if gradient is not None]


def _rows(parameter: TracedParameter) -> list[Line | str]:
    lines: list[Line | str] = []
    if len(parameter.gradients) < int(np.prod(parameter.shape)):
        lines.append(f"the {len(parameter.gradients)} largest of {int(np.prod(parameter.shape)):,}")
    for element in parameter.gradients:
        index = ",".join(str(i + 1) for i in element.index)
        kept = "  (frozen)" if parameter.frozen else ""
        told = (
            f"{number(element.updated)}{kept}   gradient {number(element.gradient)}   "
            f"difference {number(element.numeric)}   relative error {element.error:.0e}"
        )
        lines.append(Line((f"[{index}]  {number(element.value)} →",), told))
    return lines


def _array(array: Any, whole: bool) -> str:
    if array.size > SHOWN or (array.ndim > 2 and array.size > READABLE):
        return f"array of shape {array.shape}, from {number(float(array.min()))} to {number(float(array.max()))}"
    if array.ndim == 0:
        return number(float(array))
    if array.ndim == 1:
        numbers = [number(float(value)) for value in array]
        if len(numbers) > READABLE and not whole:
            numbers = [*numbers[:FIRST], "…", *numbers[-LAST:], f"({len(numbers)} numbers)"]
        return "[" + "  ".join(numbers) + "]"
    return "[" + "; ".join(_array(row, whole) for row in array) + "]"


def parts(trace: Trace, blank: bool = False, digits: int = DIGITS) -> list[tuple[str, list[str]]]:
    """The trace, or a worksheet made of it, as headings and lines of text, with that many decimals."""
    chosen = worksheet(sections(trace, whole=True)) if blank else sections(trace)
    return [(heading, [_rounded(str(line), digits) for line in lines]) for heading, lines in chosen]


def _rounded(line: str, digits: int) -> str:
    """A line with fewer decimals; a number that would become 0 keeps one digit. Equations stay as they are."""
    if digits == DIGITS or line.startswith("    "):
        return line
    return _DECIMAL.sub(lambda match: _decimal(float(match[0]), digits), line)


def _decimal(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return text if float(text) or not value else f"{value:.1g}"


def as_text(trace: Trace, blank: bool = False, digits: int = DIGITS) -> str:
    """The trace as plain text."""
    sections_of_text = parts(trace, blank, digits)
    return "\n\n".join("\n".join([heading, "─" * len(heading), *lines]) for heading, lines in sections_of_text) + "\n"


def as_html(trace: Trace, blank: bool = False, digits: int = DIGITS) -> str:
    """The trace as one HTML file that needs no network."""
    body = []
    for heading, lines in parts(trace, blank, digits):
        items = "".join(
            f'<div class="{"eq" if line.startswith("    ") else "num"}">{html.escape(line.strip())}</div>'
            for line in lines
        )
        kind = html.escape(heading.split(" ")[0])
        body.append(f'<section class="{kind}"><h2>{html.escape(heading)}</h2>{items}</section>')
    title = html.escape(f"{trace.config}: one step of backpropagation")
    return visible(_PAGE.format(title=title, body="\n".join(body)))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; --forward: #0072b2; --backward: #d55e00; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1rem; margin: 0 0 .4rem; }}
section {{ border-left: 4px solid var(--line); padding: .5rem 1rem; margin: 1rem 0; background: var(--soft); }}
section.forward {{ border-color: var(--forward); }} section.backward, section.gradient
{{ border-color: var(--backward); }}
.eq, .num {{ white-space: pre-wrap; }}
.eq {{ font-family: "Cambria Math", "STIX Two Math", Georgia, serif; font-style: italic; opacity: .8; }}
.num {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; overflow-wrap: anywhere; }}
@media print {{ section {{ break-inside: avoid; }} }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""
