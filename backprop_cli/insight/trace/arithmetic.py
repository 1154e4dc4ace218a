"""The sums of a small dense layer, written out with its numbers: what one would do on paper."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np

from backprop_cli.engine.layer import Activation
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.engine.layers.softmax import Softmax
from backprop_cli.insight.trace.lines import Line, Value, number, products, signed, source
from backprop_cli.insight.trace.step import LayerStep, Trace

#: a line with a relation that does not begin as a sentence does: `Training: μ = …` is one, `The sum, y = …` is none
_EQUATION = re.compile(r"(?!`|With |[A-Z][a-z]{2,}[^:=←~∈]*[=←~∈]|.*PyTorch does).*[=←~∈]")
LARGE = 50.0  # of z: e^50 has 22 digits
_UNFINISHED = re.compile(r",[^,]*\b(where|as|and|of)$")  # what the next line of the docstring goes on with


def equations(component: Any) -> list[str]:
    """The lines of a docstring that are equations, without remarks after them."""
    lines = (line.strip().split(". ")[0] for line in (inspect.getdoc(component) or "").splitlines())
    return [_UNFINISHED.sub("", line) for line in lines if _EQUATION.match(line)]


def loss_lines(trace: Trace) -> list[Line]:
    """What each output adds to the loss, for the losses that say it."""
    symbols = {f"{name}{i + 1}": f"{name}{i + 1}" for name in "yt" for i in range(trace.output.size)}
    numbers = {
        f"{name}{i + 1}": signed(float(value))
        for name, array in zip("yt", trace.compared, strict=True)
        for i, value in enumerate(array.reshape(-1))
    }
    several = len(trace.loss_terms) > 1
    return [
        Line(
            (f"L{i + 1 if several else ''} = {term.formula.format(**symbols)} =",),
            f"{term.formula.format(**numbers)} = {number(term.value)}",
        )
        for i, term in enumerate(trace.loss_terms)
    ]


def updates(trace: Trace) -> list[Line | str]:
    """The new values of layers that are written out: by the rule of plain SGD or of Adam's first step if that is what
    was done, else by the step that was taken."""
    written = [step for step in trace.steps if step.backward]
    trained = [(step, parameter) for step in written for parameter in step.parameters if not parameter.frozen]
    shown = [element for _, parameter in trained for element in parameter.gradients]
    eta, eps = trace.learning_rate, trace.epsilon or 0.0
    adam = "w − η m̂ / (√v̂ + ε)"
    lines: list[Line | str] = []
    if all(_close(element.value - eta * element.gradient, element.updated) for element in shown):
        rule = "w − η g"
    elif any(adam in line for line in trace.optimizer_symbols) and all(
        _close(element.value - eta * element.gradient / (abs(element.gradient) + eps), element.updated)
        for element in shown
    ):
        rule = adam
        lines = ["at the first step m̂ is g, and √v̂ is |g|"] if shown else []
    else:
        rule = "w + step"
    for step, parameter in trained:
        for element in parameter.gradients:
            index = ",".join(str(i + 1) for i in element.index)
            g = Value(element.gradient, _gradient(step, parameter.name, element.index), bracketed=True)
            change: tuple[str | Value, ...] = (f" + {signed(element.updated - element.value)}",)
            if rule == "w − η g":
                change = (f" − {signed(eta)} · ", g)
            elif rule == adam:
                change = (f" − {signed(eta)} · ", g, " / (|", g, f"| + {signed(eps)})")
            begin = f"{parameter.name}[{index}] ← {rule} = {number(element.value)}"
            if rule == "w + step":  # the step would tell the answer
                lines.append(
                    Line(
                        (f"{begin.rpartition(' = ')[0]} =",),
                        f"{number(element.value)}{change[0]} = {number(element.updated)}",
                    )
                )
            else:
                lines.append(Line((begin, *change, " ="), number(element.updated)))
    return lines


def _gradient(step: LayerStep, name: str, index: tuple[int, ...]) -> tuple[Any, ...]:
    return (f"d{name.removeprefix(f'{step.name}.')}", step.name, *index)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def dense_forward(step: LayerStep, layer: Dense, activation: Activation | None) -> list[Line]:
    """z_j = Σ_i x_i W_ij + b_j, then a_j = f(z_j), one line a unit."""
    (x,), (before,) = step.x, step.inputs
    z = step.z if step.z is not None else step.y
    lines = []
    for j in range(layer.units):
        pairs = [(Value(float(x[i]), source(before, i)), Value(float(layer.W[i, j]))) for i in range(len(x))]
        bias = [f" + {signed(float(layer.b[j]))}"] if layer.bias else []
        name, result = ("z", ("z", step.name, j)) if activation else ("y", ("y", step.name, j))
        lines.append(Line((f"{name}{j + 1} = ", *products(pairs), *bias, " ="), number(float(z[j])), result))
        if activation and not isinstance(activation, Softmax):
            left = f"a{j + 1} = {activation.type_name}(z{j + 1}) ="
            lines.append(Line((left,), number(float(step.y[j])), ("y", step.name, j)))
    return lines + (_softmax(step, z) if isinstance(activation, Softmax) else [])


def _softmax(step: LayerStep, z: Any) -> list[Line]:
    """a_j = e^z_j / Σ_k e^z_k. The largest z is taken from all of them first where e^z would be too large to print."""
    shift = float(z.max()) if abs(z).max() > LARGE else 0.0
    powers = [math.exp(float(logit) - shift) for logit in z]
    less = f" − {signed(shift)}" if shift else ""
    lines: list[Line] = []
    for j, e_z in enumerate(powers):
        exponent = Value(float(z[j]), ("z", step.name, j))
        lines.append(Line((f"e{j + 1} = e^(", exponent, f"{less}) ="), number(e_z), ("e", step.name, j)))
    names = [Value(power, ("e", step.name, j)) for j, power in enumerate(powers)]
    whole = [part for name in names for part in (" + ", name)][1:]
    lines.append(Line(("Σ = ", *whole, " ="), number(sum(powers)), ("Σ", step.name, 0)))
    below = Value(sum(powers), ("Σ", step.name, 0))
    for j, power in enumerate(names):
        shown = (f"a{j + 1} = e{j + 1} / Σ = ", power, " / ", below, " =")
        lines.append(Line(shown, number(float(step.y[j])), ("y", step.name, j)))
    return lines


def _fused(step: LayerStep, target: Any, j: int) -> tuple[str, str]:
    """δ_j where loss and last activation make one step: p − t by the number of outputs that are averaged, where that is
    what was done; and its formula."""
    assert step.delta is not None
    d, p, units = float(step.delta[j]), float(step.y[j]), step.y.size
    flat = np.asarray(target, dtype=float).reshape(-1)
    ids = flat.size == 1 and units > 1
    t = float(j == int(flat[0])) if ids else float(flat[j])
    for by in (1, units):
        if math.isclose((p - t) / by, d, rel_tol=1e-9, abs_tol=1e-12):
            share = f" / {by}" if by > 1 else ""
            sum_ = f"{number(p)} − {signed(t)}"
            told = f"({sum_}){share} = {number(d)}" if by > 1 else f"{sum_} = {number(d)}"
            return told, f"(y{j + 1} − t{j + 1}){share} =" if by > 1 else f"y{j + 1} − t{j + 1} ="
    return number(d), ""


def dense_backward(
    step: LayerStep, layer: Dense, activation: Activation | None, fused: bool, target: Any = None
) -> list[Line]:
    """δ_j = dL/da_j · f'(z_j), then dW_ij = x_i δ_j, db_j = δ_j and dx_i = Σ_j δ_j W_ij, one line a number."""
    if step.delta is None or step.upstream is None:
        return []
    (x,), delta, lines = step.x, step.delta, []
    for j in range(layer.units):
        up, d = float(step.upstream[j]), float(delta[j])
        result = ("δ", step.name, j)
        if fused and activation is not None:
            told, formula = _fused(step, target, j)
            lines.append(Line((f"δ{j + 1} = dL/dz{j + 1} = {formula}",), told, result))
        elif activation is None:
            lines.append(Line((f"δ{j + 1} = dL/dy{j + 1} =",), number(d), result))
        elif isinstance(activation, Softmax):
            pulls = zip(step.upstream, step.y, strict=True)
            inner = " + ".join(f"{signed(float(u))}·{signed(float(a))}" for u, a in pulls)
            told = f"{signed(float(step.y[j]))} · ({number(up)} − ({inner})) = {number(d)}"
            lines.append(Line((f"δ{j + 1} = a{j + 1} (dL/da{j + 1} − Σ dL/da·a) =",), told, result))
        elif activation.shares_row:
            lines.append(Line((f"δ{j + 1} = dL/dz{j + 1} =",), number(d), result))
        else:
            slope = number(d / up) if up else "f'(z)"
            told = f"{signed(up)} · {slope} = {number(d)}"
            lines.append(Line((f"δ{j + 1} = dL/da{j + 1} · f'(z{j + 1}) =",), told, result))
    for i in range(len(x)):
        for j in range(layer.units):
            a, d = float(x[i]), float(delta[j])
            told = f"{signed(a)} · {signed(d)} = {number(a * d)}"
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
            total = " + ".join(map(signed, parts)) + " = " if len(parts) > 1 else ""
            told = f"{total}{number(sum(parts))}"
            lines.append(Line((f"dL/dx{i + 1} = ", *products(pairs), " ="), told, ("dx", step.name, i)))
    return lines
