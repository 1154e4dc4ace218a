"""The sums of a small dense layer, written out with its numbers: what one would do on paper."""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.engine.layer import Activation
from backprop_cli.engine.layers.dense import Dense

if TYPE_CHECKING:
    from backprop_cli.insight.trace.trace import Step, Trace

#: a line with a relation that does not begin as a sentence does: `Training: μ = …` is one, `The sum, y = …` is none
_EQUATION = re.compile(r"(?!`|With |[A-Z][a-z]{2,}[^:=←~∈]*[=←~∈]|.*PyTorch does).*[=←~∈]")
_UNFINISHED = re.compile(r",[^,]*\b(where|as|and|of)$")  # what the next line of the docstring goes on with


def number(value: float) -> str:
    """Nine decimals, as the worked examples print them; scientific where that would lose digits."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.9f}".rstrip("0").rstrip(".") if value else "0"
    return f"{value:.6g}"


def equations(component: Any) -> list[str]:
    """The lines of a docstring that are equations, without remarks after them."""
    lines = (line.strip().split(". ")[0] for line in (inspect.getdoc(component) or "").splitlines()[1:])
    return [_UNFINISHED.sub("", line) for line in lines if _EQUATION.match(line)]


def _sum(terms: list[tuple[float, float]], constant: float | None = None) -> str:
    products = [f"{_signed(a) if i else number(a)}·{_signed(b)}" for i, (a, b) in enumerate(terms)]
    return " + ".join(products + ([_signed(constant)] if constant is not None else []))


def _signed(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


def loss_terms(found: Trace) -> list[str]:
    """What each output adds to the loss, for the losses one meets first."""
    y, t = np.atleast_1d(found.output), np.atleast_1d(found.target)
    if y.ndim != 1 or len(y) > 12:
        return []
    if found.loss_name == "mean_squared_error" and y.shape == t.shape:
        k = len(y)
        return [
            f"L{i + 1} = (y{i + 1} − t{i + 1})² / {k} = ({number(float(y[i]))} − {_signed(float(t[i]))})² / {k}"
            f" = {number(float((y[i] - t[i]) ** 2 / k))}"
            for i in range(k)
        ]
    if found.loss_name == "sparse_categorical_crossentropy":
        true = int(t[0])
        p = float(y[true])
        return [f"L = −log y{true + 1} = −log {number(p)} = {number(-math.log(p))}"] if p > 0 else []
    return []


def updates(found: Trace) -> list[str]:
    """The new values of layers that are written out: by the rule of plain SGD or of Adam's first step if that is what
    was done, else by the step that was taken."""
    trained = [each for step in found.steps if step.backward for each in step.parameters if not each.frozen]
    shown = [each for parameter in trained for each in parameter.gradients]
    eta, eps = found.learning_rate, found.epsilon or 0.0
    adam = "w − η m̂ / (√v̂ + ε)"
    first: list[str] = []
    if all(_close(each.value - eta * each.gradient, each.updated) for each in shown):
        rule, step = "w − η g", "− {eta} · {g}"
    elif any(adam in line for line in found.optimizer_symbols) and all(
        _close(each.value - eta * each.gradient / (abs(each.gradient) + eps), each.updated) for each in shown
    ):
        rule, step = adam, "− {eta} · {g} / (|{g}| + {eps})"
        first = ["at the first step m̂ is g, and √v̂ is |g|"]
    else:
        rule, step = "w + step", "+ {made}"
    lines = []
    for parameter in trained:
        for each in parameter.gradients:
            numbers = {"eta": eta, "eps": eps, "g": each.gradient, "made": each.updated - each.value}
            made = step.format(**{name: _signed(value) for name, value in numbers.items()})
            index = ",".join(str(i + 1) for i in each.index)
            lines.append(f"{parameter.name}[{index}] ← {rule} = {number(each.value)} {made} = {number(each.updated)}")
    return first + lines if lines else []


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def dense_forward(step: Step, layer: Dense, activation: Activation | None) -> list[str]:
    """z_j = Σ_i x_i W_ij + b_j, then a_j = f(z_j), one line a unit."""
    (x,) = step.x
    z = step.z if step.z is not None else step.y
    name = activation.type_name if activation else ""
    lines = []
    for j in range(layer.units):
        terms = [(float(x[i]), float(layer.W[i, j])) for i in range(len(x))]
        bias = float(layer.b[j]) if layer.bias else None
        left = f"z{j + 1}" if activation else f"y{j + 1}"
        lines.append(f"{left} = {_sum(terms, bias)} = {number(float(z[j]))}")
        if activation:
            lines.append(f"a{j + 1} = {name}(z{j + 1}) = {number(float(step.y[j]))}")
    return lines


def dense_backward(step: Step, layer: Dense, activation: Activation | None, fused: bool) -> list[str]:
    """δ_j = dL/da_j · f'(z_j), then dW_ij = x_i δ_j, db_j = δ_j and dx_i = Σ_j δ_j W_ij, one line a number."""
    if step.delta is None or step.upstream is None:
        return []
    (x,), delta, lines = step.x, step.delta, []
    for j in range(layer.units):
        up, d = float(step.upstream[j]), float(delta[j])
        if fused:
            lines.append(f"δ{j + 1} = dL/dz{j + 1} = {number(d)}   (loss and {activation.type_name} together: p − y)")  # type: ignore[union-attr]  # fused means there is one
        elif activation is None:
            lines.append(f"δ{j + 1} = dL/dy{j + 1} = {number(d)}")
        else:
            slope = f"{number(d / up)}" if up else "f'(z)"
            lines.append(f"δ{j + 1} = dL/da{j + 1} · f'(z{j + 1}) = {_signed(up)} · {slope} = {number(d)}")
    for i in range(len(x)):
        for j in range(layer.units):
            product = float(x[i]) * float(delta[j])
            lines.append(
                f"dW[{i + 1},{j + 1}] = x{i + 1} · δ{j + 1} = {_signed(float(x[i]))} · {_signed(float(delta[j]))}"
                f" = {number(product)}"
            )
    if layer.bias:
        lines += [f"db[{j + 1}] = δ{j + 1} = {number(float(delta[j]))}" for j in range(layer.units)]
    if step.dx[0] is not None:
        for i in range(len(x)):
            parts = [float(delta[j]) * float(layer.W[i, j]) for j in range(layer.units)]
            terms = _sum([(float(delta[j]), float(layer.W[i, j])) for j in range(layer.units)])
            total = " + ".join(_signed(each) for each in parts) + " = " if len(parts) > 1 else ""
            lines.append(f"dL/dx{i + 1} = {terms} = {total}{number(sum(parts))}")
    return lines
