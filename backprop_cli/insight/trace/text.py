"""A trace as text and as one self-contained HTML page; with `blank`, as a worksheet with a key."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np

from backprop_cli.insight.trace.arithmetic import loss_terms, number, updates
from backprop_cli.insight.trace.trace import READABLE, Parameter, Step, Trace

BLANK = "________"
SHOWN = 144  # numbers of an array that are printed
Section = tuple[str, list[str]]  # heading, lines


def sections(found: Trace) -> list[Section]:
    """The trace as headings and lines, in the order one would work through it."""
    target = found.target
    given = [f"x = {_array(found.x)}", f"target = {_array(np.asarray(target))}", *([found.note] if found.note else [])]
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
    made.append((f"update  {found.optimizer_name}", [*rule, after[0], *updates(found), after[1]]))
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


_GIVEN = ("    ", "x =", "target =", "η =")  # lines that a worksheet leaves as they are
_ROW = re.compile(r"(\[[\d,]+\]  \S+ →) (.*)")  # of a parameter: everything after its value is to be found
_NUMBER = r"-?\d[\d.]*(?:e[+-]?\d+)?"
_TOLD = 6  # characters from which on a number is told from others by itself


def blanked(made: list[Section]) -> list[Section]:
    """The same as a worksheet, with a key at the end.

    Of each line the symbols stay, and the numbers it begins from; results, and what leads to them where symbols say
    it, are hidden. A result that a later line begins from is named there by its place in the key.
    """
    sheet: list[Section] = []
    key: list[str] = []
    places: dict[str, str] = {}
    for heading, lines in made:
        hidden = []
        for line in lines:
            kept, answer = (line, "") if line.startswith(_GIVEN) else _parted(line)
            shown = kept if line.startswith("    ") else _referred(kept, places)
            if answer:
                key.append(f"({len(key) + 1})  {answer}")
                shown += f" {BLANK} ({len(key)})"
                found = re.match(rf"\[.*\]|{_NUMBER}", answer.rpartition(" = ")[2])
                if found and len(found[0]) >= _TOLD:
                    places.setdefault(found[0], f"({len(key)})")
            hidden.append(shown)
        sheet.append((heading, hidden))
    return [*sheet, ("key", key)]


def _parted(line: str) -> tuple[str, str]:
    """(what a worksheet shows, what it asks for) of a line `name = symbols or sum = … = result`."""
    row = _ROW.match(line)
    if row:
        return row[1], row[2]
    parts = line.split(" = ")
    shown = parts[: 2 if len(parts) > 2 else 1]
    return (" = ".join(shown) + " =", " = ".join(parts[len(shown) :])) if len(parts) > 1 else (line, "")


def _referred(line: str, places: dict[str, str]) -> str:
    """A line with results from before as their places in the key."""
    name, equals, array = line.partition(" = ")
    if array in places:
        return f"{name}{equals}{places[array]}"
    pattern = rf"\((-{_NUMBER[2:]})\)|{_NUMBER}"
    return re.sub(pattern, lambda each: places.get(each[1] or each[0], each[0]), line)


def parts(found: Trace, blank: bool = False) -> list[Section]:
    """The trace, or a worksheet made of it."""
    return blanked(sections(found)) if blank else sections(found)


def as_text(found: Trace, blank: bool = False) -> str:
    """The trace as plain text."""
    made = parts(found, blank)
    return "\n\n".join("\n".join([heading, "─" * len(heading), *lines]) for heading, lines in made) + "\n"


def as_html(found: Trace, blank: bool = False) -> str:
    """The trace as one HTML file that needs no network."""
    body = []
    for heading, lines in parts(found, blank):
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
.eq, .num {{ white-space: pre-wrap; }}
.eq {{ font-family: "Cambria Math", "STIX Two Math", Georgia, serif; font-style: italic; opacity: .8; }}
.num {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; overflow-wrap: anywhere; }}
@media print {{ section {{ break-inside: avoid; }} }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""
