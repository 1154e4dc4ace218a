"""A trace as text and as one self-contained HTML page; with `blank`, as a worksheet with a key."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np

from backprop_cli.insight.arithmetic import loss_terms, number
from backprop_cli.insight.trace import READABLE, Parameter, Step, Trace

BLANK = "________"
SHOWN = 144  # numbers of an array that are printed
Section = tuple[str, list[str]]  # heading, lines


def sections(found: Trace) -> list[Section]:
    """The trace as headings and lines, in the order one would work through it."""
    target = found.target
    given = [f"x = {_array(found.x)}", f"target = {_array(np.asarray(target))}"]
    made: list[Section] = [(f"{found.config}: one step on sample {found.sample} of {found.split}", given)]
    for step in found.steps:
        lines = [f"    {line}" for line in step.symbols] + (step.forward or _summary(step))
        made.append((f"forward  {step.name} ({step.type})", lines))
    loss = [f"    {line}" for line in found.loss_symbols]
    loss += [f"output = {_array(found.output)}", *loss_terms(found), f"L = {number(found.loss)}"]
    made.append((f"loss  {found.loss_name}", loss))
    for step in reversed(found.steps):
        lines = step.backward or _gradient_summary(step)
        made.append((f"backward  {step.name} ({step.type})", lines))
        for parameter in step.parameters:
            made.append((f"gradient of {parameter.name} {parameter.shape}", _rows(parameter)))
    rule = [f"    {line}" for line in found.optimizer_symbols]
    after = [f"η = {number(found.learning_rate)}", f"L after the step = {found.loss_after:.12f}"]
    made.append((f"update  {found.optimizer_name}", [*rule, *after]))
    made.append(("check", [f"largest relative error of a gradient shown: {found.worst:.1e}"]))
    return made


def _summary(step: Step) -> list[str]:
    return [f"x = {_array(each)}" for each in step.x] + [f"y = {_array(step.y)}"]


def _gradient_summary(step: Step) -> list[str]:
    if step.delta is None:
        return ["nothing before this layer is trained: no gradient is needed"]
    lines = [f"δ = {_array(step.delta)}"]
    return lines + [f"dx = {_array(each)}" for each in step.dx if each is not None]


def _rows(parameter: Parameter) -> list[str]:
    lines = []
    if len(parameter.gradients) < int(np.prod(parameter.shape)):
        lines.append(f"the {len(parameter.gradients)} largest of {int(np.prod(parameter.shape)):,}")
    for each in parameter.gradients:
        index = ",".join(str(i + 1) for i in each.index)
        kept = "  (frozen)" if parameter.frozen else ""
        lines.append(
            f"[{index}]  {number(each.value)} → {number(each.updated)}{kept}   gradient {number(each.gradient)}   "
            f"difference {number(each.numeric)}   relative error {each.error:.0e}"
        )
    return lines


def _array(array: Any) -> str:
    if array.size > SHOWN or (array.ndim > 2 and array.size > READABLE):
        return f"array of shape {array.shape}, from {number(float(array.min()))} to {number(float(array.max()))}"
    if array.ndim == 0:
        return number(float(array))
    if array.ndim == 1:
        return "[" + "  ".join(number(float(value)) for value in array) + "]"
    return "[" + "; ".join(_array(row) for row in array) + "]"


def blanked(made: list[Section]) -> list[Section]:
    """The same with every result hidden (what stands after the last = or →), and a key at the end."""
    sheet: list[Section] = []
    key: list[str] = []
    for heading, lines in made:
        hidden = []
        for line in lines:
            match = None if line.startswith(_GIVEN) else _RESULT.match(line)
            if match:
                key.append(f"({len(key) + 1})  {match[2].strip()}")
                hidden.append(f"{match[1]} {BLANK} ({len(key)})")
            else:
                hidden.append(line)
        sheet.append((heading, hidden))
    return [*sheet, ("key", key)]


_GIVEN = ("    ", "x =", "target =", "η =")  # lines that a worksheet leaves as they are
_RESULT = re.compile(r"^(.*?[^=]=|\[[\d,]+\]  \S+ →)(?=[^=]*$)(.*)$")


def text(found: Trace, blank: bool = False) -> str:
    """The trace as plain text."""
    made = blanked(sections(found)) if blank else sections(found)
    return "\n\n".join("\n".join([heading, "─" * len(heading), *lines]) for heading, lines in made) + "\n"


def page(found: Trace, blank: bool = False) -> str:
    """The trace as one HTML file that needs no network."""
    made = blanked(sections(found)) if blank else sections(found)
    body = []
    for heading, lines in made:
        items = "".join(
            f'<div class="{"eq" if line.startswith("    ") else "num"}">{html.escape(line.strip())}</div>'
            for line in lines
        )
        kind = html.escape(heading.split(" ")[0])
        body.append(f'<section class="{kind}"><h2>{html.escape(heading)}</h2>{items}</section>')
    title = html.escape(f"{found.config}: one step of backpropagation")
    return _PAGE.format(title=title, body="\n".join(body))


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
.eq {{ font-family: "Cambria Math", "STIX Two Math", Georgia, serif; font-style: italic; opacity: .8; }}
.num {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; overflow-wrap: anywhere; }}
@media print {{ section {{ break-inside: avoid; }} }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""
