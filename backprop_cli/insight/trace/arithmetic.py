"""The sums of a small dense layer, written out with its numbers: what one would do on paper."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

from backprop_cli.engine.layer import Activation
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.engine.node import INPUT
from backprop_cli.insight.trace.lines import Line, Value, number
from backprop_cli.insight.trace.step import Step, Trace

#: a line with a relation that does not begin as a sentence does: `Training: μ = …` is one, `The sum, y = …` is none
_EQUATION = re.compile(r"(?!`|With |[A-Z][a-z]{2,}[^:=←~∈]*[=←~∈]|.*PyTorch does).*[=←~∈]")
_UNFINISHED = re.compile(r",[^,]*\b(where|as|and|of)$")  # what the next line of the docstring goes on with


def equations(component: Any) -> list[str]:
    """The lines of a docstring that are equations, without remarks after them."""
    lines = (line.strip().split(". ")[0] for line in (inspect.getdoc(component) or "").splitlines())
    return [_UNFINISHED.sub("", line) for line in lines if _EQUATION.match(line)]


def _signed(value: float) -> str:
    return str(Value(value, bracketed=True))


def _products(pairs: list[tuple[Value, Value]]) -> list[str | Value]:
    """`0.15·0.05 + 0.2·0.1`: the first factor of a sum needs no brackets."""
    sum_: list[str | Value] = []
    for i, (a, b) in enumerate(pairs):
        first = Value(a.value, a.result, bracketed=bool(i))
        sum_ += [*([" + "] if i else []), first, "·", Value(b.value, b.result, bracketed=True)]
    return sum_


def loss_lines(found: Trace) -> list[Line]:
    """What each output adds to the loss, for the losses that say it."""
    symbols = {f"{name}{i + 1}": f"{name}{i + 1}" for name in "yt" for i in range(found.output.size)}
    numbers = {
        f"{name}{i + 1}": _signed(float(value))
        for name, array in zip("yt", found.compared, strict=True)
        for i, value in enumerate(array.reshape(-1))
    }
    several = len(found.loss_terms) > 1
    return [
        Line(
            (f"L{i + 1 if several else ''} = {term.formula.format(**symbols)} =",),
            f"{term.formula.format(**numbers)} = {number(term.value)}",
        )
        for i, term in enumerate(found.loss_terms)
    ]


def updates(found: Trace) -> list[Line | str]:
    """The new values of layers that are written out: by the rule of plain SGD or of Adam's first step if that is what
    was done, else by the step that was taken."""
    written = [step for step in found.steps if step.backward]
    trained = [(step, each) for step in written for each in step.parameters if not each.frozen]
    shown = [each for _, parameter in trained for each in parameter.gradients]
    eta, eps = found.learning_rate, found.epsilon or 0.0
    adam = "w − η m̂ / (√v̂ + ε)"
    lines: list[Line | str] = []
    if all(_close(each.value - eta * each.gradient, each.updated) for each in shown):
        rule = "w − η g"
    elif any(adam in line for line in found.optimizer_symbols) and all(
        _close(each.value - eta * each.gradient / (abs(each.gradient) + eps), each.updated) for each in shown
    ):
        rule = adam
        lines = ["at the first step m̂ is g, and √v̂ is |g|"] if shown else []
    else:
        rule = "w + step"
    for step, parameter in trained:
        for each in parameter.gradients:
            index = ",".join(str(i + 1) for i in each.index)
            g = Value(each.gradient, _gradient(step, parameter.name, each.index), bracketed=True)
            change: tuple[str | Value, ...] = (f" + {_signed(each.updated - each.value)}",)
            if rule == "w − η g":
                change = (f" − {_signed(eta)} · ", g)
            elif rule == adam:
                change = (f" − {_signed(eta)} · ", g, " / (|", g, f"| + {_signed(eps)})")
            begin = f"{parameter.name}[{index}] ← {rule} = {number(each.value)}"
            if rule == "w + step":  # the step would tell the answer
                lines.append(
                    Line(
                        (f"{begin.rpartition(' = ')[0]} =",),
                        f"{number(each.value)}{change[0]} = {number(each.updated)}",
                    )
                )
            else:
                lines.append(Line((begin, *change, " ="), number(each.updated)))
    return lines


def _gradient(step: Step, name: str, index: tuple[int, ...]) -> tuple[Any, ...]:
    return (f"d{name.removeprefix(f'{step.name}.')}", step.name, *index)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def source(name: str, i: int) -> tuple[Any, ...] | None:
    """What the i-th number of a layer's output is a result of; None for the data, which are given."""
    return None if name == INPUT else ("y", name, i)


def dense_forward(step: Step, layer: Dense, activation: Activation | None) -> list[Line]:
    """z_j = Σ_i x_i W_ij + b_j, then a_j = f(z_j), one line a unit."""
    (x,), (before,) = step.x, step.inputs
    z = step.z if step.z is not None else step.y
    lines = []
    for j in range(layer.units):
        pairs = [(Value(float(x[i]), source(before, i)), Value(float(layer.W[i, j]))) for i in range(len(x))]
        bias = [f" + {_signed(float(layer.b[j]))}"] if layer.bias else []
        name, result = ("z", ("z", step.name, j)) if activation else ("y", ("y", step.name, j))
        lines.append(Line((f"{name}{j + 1} = ", *_products(pairs), *bias, " ="), number(float(z[j])), result))
        if activation:
            left = f"a{j + 1} = {activation.type_name}(z{j + 1}) ="
            lines.append(Line((left,), number(float(step.y[j])), ("y", step.name, j)))
    return lines


def dense_backward(step: Step, layer: Dense, activation: Activation | None, fused: bool) -> list[Line]:
    """δ_j = dL/da_j · f'(z_j), then dW_ij = x_i δ_j, db_j = δ_j and dx_i = Σ_j δ_j W_ij, one line a number."""
    if step.delta is None or step.upstream is None:
        return []
    (x,), delta, lines = step.x, step.delta, []
    for j in range(layer.units):
        up, d = float(step.upstream[j]), float(delta[j])
        result = ("δ", step.name, j)
        if fused and activation is not None:
            told = f"{number(d)}   (loss and {activation.type_name} together: p − y)"
            lines.append(Line((f"δ{j + 1} = dL/dz{j + 1} =",), told, result))
        elif activation is None:
            lines.append(Line((f"δ{j + 1} = dL/dy{j + 1} =",), number(d), result))
        else:
            slope = number(d / up) if up else "f'(z)"
            told = f"{_signed(up)} · {slope} = {number(d)}"
            lines.append(Line((f"δ{j + 1} = dL/da{j + 1} · f'(z{j + 1}) =",), told, result))
    for i in range(len(x)):
        for j in range(layer.units):
            a, d = float(x[i]), float(delta[j])
            told = f"{_signed(a)} · {_signed(d)} = {number(a * d)}"
            lines.append(Line((f"dW[{i + 1},{j + 1}] = x{i + 1} · δ{j + 1} =",), told, ("dW", step.name, i, j)))
    if layer.bias:
        for j in range(layer.units):
            lines.append(Line((f"db[{j + 1}] = δ{j + 1} =",), number(float(delta[j])), ("db", step.name, j)))
    if step.dx[0] is not None:
        for i in range(len(x)):
            parts = [float(delta[j]) * float(layer.W[i, j]) for j in range(layer.units)]
            pairs = [
                (Value(float(delta[j]), ("δ", step.name, j)), Value(float(layer.W[i, j]))) for j in range(layer.units)
            ]
            total = " + ".join(map(_signed, parts)) + " = " if len(parts) > 1 else ""
            told = f"{total}{number(sum(parts))}"
            lines.append(Line((f"dL/dx{i + 1} = ", *_products(pairs), " ="), told, ("dx", step.name, i)))
    return lines
