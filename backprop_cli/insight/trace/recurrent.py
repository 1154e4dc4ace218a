"""The sums of a small rnn, lstm or gru, step by step and back through time.

Everything is worked out here once more from x, the parameters and dL/dy, by the equations in the layers' docstrings;
`trace` shows it only where it ends in the numbers that the engine has. The three layers are in one file because they
share the walk through time and the way in which a step is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layers.gru import GRU
from backprop_cli.engine.layers.lstm import LSTM
from backprop_cli.engine.layers.recurrent import Recurrent
from backprop_cli.engine.layers.rnn import RNN
from backprop_cli.insight.trace.lines import Line, Value, number, products, signed, source, total
from backprop_cli.insight.trace.step import LayerStep, Written

GATES = {RNN: "h", LSTM: "ifgo", GRU: "zrn"}  # the letters of the blocks of W, U and b


def sigmoid(z: float) -> float:
    """σ(z) = 1 / (1 + e^−z)."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


class Walk:
    """One example's way through a recurrent layer: lines forward, lines backward, and what they end in."""

    def __init__(self, step: LayerStep, layer: Recurrent) -> None:
        self.step, self.layer, self.name = step, layer, step.name
        (self.x,), (self.before,) = step.x, step.inputs
        self.T, self.H = len(self.x), layer.units
        self.order = list(range(self.T))[:: -1 if layer.go_backwards else 1]  # step of x that is read t-th
        self.letters = GATES[type(layer)]
        self.h = np.zeros((self.T + 1, self.H))
        self.gates = np.zeros((self.T, len(self.letters), self.H))
        self.forward: list[Line] = []
        self.backward: list[Line] = []

    # ---- forward ----------------------------------------------------------------------------

    def h_of(self, t: int, j: int, bracketed: bool = False) -> Value:
        """h after t steps: a result of an earlier line, except the zeros that it begins with."""
        return Value(float(self.h[t, j]), self.key(t, j) if t else None, bracketed)

    def key(self, t: int, j: int) -> tuple[Any, ...]:
        """What h after t steps is a result of: an output of the layer, where it is one."""
        if self.layer.return_sequences:
            return "y", self.name, self.order[t - 1] * self.H + j
        return ("y", self.name, j) if t == self.T else ("h", self.name, t, j)

    def from_x(self, t: int, column: int) -> list[tuple[Value, Value]]:
        """x_t W, the products of one column."""
        at = self.order[t]
        width = self.x.shape[1]
        return [
            (Value(float(self.x[at, i]), source(self.before, at * width + i)), Value(float(self.layer.W[i, column])))
            for i in range(width)
        ]

    def from_h(self, t: int, column: int, factors: list[Value] | None = None) -> list[tuple[Value, Value]]:
        """h_{t−1} U, the products of one column; none at the first step, where h is 0."""
        states = factors or [self.h_of(t, k) for k in range(self.H)]
        return [(states[k], Value(float(self.layer.U[k, column]))) for k in range(self.H)] if t else []

    def gate(self, t: int, k: int, j: int, f: str, pairs: list[tuple[Value, Value]], more: list[Any]) -> float:
        """One number of a gate: f(the sum of products, and of what else is added)."""
        shown = [*products(pairs), *more]
        value = sum(a.value * b.value for a, b in pairs) + sum(float(e.value) for e in more if isinstance(e, Value))
        value = max(value, 0.0) if f == "relu" else math.tanh(value) if f == "tanh" else sigmoid(value)
        self.gates[t, k, j] = value
        label = f"{self.letters[k]}{t + 1}" + (f"[{j + 1}]" if self.H > 1 else "")
        key = self.key(t + 1, j) if self.letters == "h" else ("gate", self.name, t, k, j)
        self.forward.append(Line((f"{label} = {f}(", *shown, ") ="), number(value), key))
        return value

    def g(self, t: int, k: int, j: int) -> Value:
        """A gate in a later line."""
        return Value(float(self.gates[t, k, j]), ("gate", self.name, t, k, j), bracketed=True)

    def bias(self, column: int, array: str = "b") -> list[Any]:
        """` + b`, where there is one."""
        return [" + ", Value(float(getattr(self.layer, array)[column]), bracketed=True)] if self.layer.bias else []

    def said(self, letter: str, t: int, j: int, shown: list[Any], value: float, key: tuple[Any, ...]) -> None:
        """Add a forward line: number j of `letter` after t steps, what it comes from, its value, and the result's
        key."""
        label = f"{letter}{t}" + (f"[{j + 1}]" if self.H > 1 else "")
        self.forward.append(Line((f"{label} = ", *shown, " ="), number(value), key))

    # ---- backward ---------------------------------------------------------------------------

    def back(self, label: str, t: int, j: int, expression: str, numbers: str, value: float) -> float:
        """A number of the way back: its formula, then its numbers."""
        index = f"[{j + 1}]" if self.H > 1 else ""
        self.backward.append(Line((f"{label}{t + 1}{index} = {expression} =",), f"{numbers} = {number(value)}"))
        return value

    def arrives(self, t: int, j: int, later: float) -> float:
        """dL/dh_t: from y, and from the step after."""
        dy = self.step.upstream
        assert dy is not None
        if self.layer.return_sequences:
            outside = float(dy[self.order[t], j])
        else:
            outside = float(dy[j]) if t == self.T - 1 else 0.0
        if t == self.T - 1:
            index = f"[{j + 1}]" if self.H > 1 else ""
            self.backward.append(Line((f"dh{t + 1}{index} = dL/dy =",), number(outside)))
            return outside
        if self.layer.return_sequences:
            told = f"{number(outside)} + {signed(later)}"
            return self.back("dh", t, j, "dL/dy + what the step after gives back", told, outside + later)
        index = f"[{j + 1}]" if self.H > 1 else ""
        self.backward.append(Line((f"dh{t + 1}{index} = what the step after gives back =",), number(later)))
        return later

    def kernels(self, deltas: Array, of_h: Array | None = None, states: Array | None = None) -> dict[str, Array]:
        """dW = Σ x_tᵀ δ_t, dU = Σ h_{t−1}ᵀ δ_t, db = Σ δ_t and dx_t = δ_t Wᵀ, a line a number; δ (T, gates H)."""
        of_h = deltas if of_h is None else of_h
        x, h = self.x[self.order], self.h[:-1]
        names = [f"{letter}[{j + 1}]" if self.H > 1 else letter for letter in self.letters for j in range(self.H)]
        gradients = {"W": x.T @ deltas, "U": h.T @ of_h}
        if states is not None:  # gru before reset_after: U_n sees r ⊙ h
            gradients["U"][:, 2 * self.H :] = states.T @ of_h[:, 2 * self.H :]
        for name, left, right in (("W", x, deltas), ("U", h, of_h)):
            for i in range(left.shape[1]):
                for c, column in enumerate(names):
                    seen = states if name == "U" and states is not None and c >= 2 * self.H else left
                    pairs = [(float(seen[t, i]), float(right[t, c])) for t in range(self.T) if name == "W" or t]
                    self.summed(f"d{name}[{i + 1},{c + 1}]", f"{'x' if name == 'W' else 'h'}{i + 1} · δ{column}", pairs)
        if self.layer.bias:
            gradients["b"] = deltas.sum(axis=0)
            for c, column in enumerate(names):
                self.backward.append(Line((f"db[{c + 1}] = Σ δ{column} =",), total(deltas[:, c])))
        dx = np.zeros_like(self.x)
        dx[self.order] = deltas @ self.layer.W.T
        gradients["x"] = dx
        if self.step.dx[0] is not None:
            for t in range(self.T):
                for i in range(self.x.shape[1]):
                    pairs = [(float(deltas[t, c]), float(self.layer.W[i, c])) for c in range(deltas.shape[1])]
                    at = self.order[t] + 1
                    key = ("dx", self.name, self.order[t] * self.x.shape[1] + i)
                    self.summed(f"dL/dx[{at},{i + 1}]", "δ Wᵀ", pairs, key)
        return gradients

    def summed(self, label: str, formula: str, pairs: list[tuple[float, float]], key: Any = None) -> None:
        """Add a backward line: a sum of products as a formula and in numbers, its value, and the result's key."""
        value = sum(a * b for a, b in pairs)
        told = " + ".join(f"{signed(a)}·{signed(b)}" for a, b in pairs) or "0"
        self.backward.append(Line((f"{label} = Σ {formula} =",), f"{told} = {number(value)}", key))

    def carried(self, k: int, deltas: Array) -> tuple[str, float]:
        """δ_t Uᵀ at unit k, in numbers and its value."""
        pairs = [(float(deltas[c]), float(self.layer.U[k, c])) for c in range(len(deltas))]
        return " + ".join(f"{signed(a)}·{signed(b)}" for a, b in pairs), sum(a * b for a, b in pairs)

    def y(self) -> Array:
        """The output, in the order of x."""
        if not self.layer.return_sequences:
            last: Array = self.h[-1]
            return last
        y: Array = np.zeros((self.T, self.H))
        y[self.order] = self.h[1:]
        return y


def write(step: LayerStep, layer: Recurrent) -> Written:
    """The lines of an rnn, lstm or gru, with the numbers they end in."""
    walk = Walk(step, layer)
    lines = _WAYS[type(layer)](walk, layer)
    return Written(walk.forward, walk.backward, walk.y(), lines)


def _rnn(walk: Walk, layer: Any) -> dict[str, Array] | None:
    T, H = walk.T, walk.H
    for t in range(T):
        for j in range(H):
            pairs = [*walk.from_x(t, j), *walk.from_h(t, j)]
            walk.h[t + 1, j] = walk.gate(t, 0, j, layer.activation, pairs, walk.bias(j))
    if walk.step.upstream is None:
        return None
    deltas, later = np.zeros((T, H)), np.zeros(H)
    for t in reversed(range(T)):
        for j in range(H):
            dh, h = walk.arrives(t, j, later[j]), float(walk.h[t + 1, j])
            if layer.activation == "tanh":
                slope, formula, told = 1 - h * h, "dh · (1 − h²)", f"{signed(dh)} · (1 − {signed(h)}²)"
            else:
                slope, formula, told = float(h > 0), "dh, where h > 0", f"{signed(dh)} · {int(h > 0)}"
            deltas[t, j] = walk.back("δ", t, j, formula, told, dh * slope)
        later = _hand_back(walk, t, deltas[t])
    return walk.kernels(deltas)


def _hand_back(walk: Walk, t: int, deltas: Array) -> Array:
    later = np.zeros(walk.H)
    for k in range(walk.H) if t else ():
        told, later[k] = walk.carried(k, deltas)
        walk.back("back to h", t - 1, k, "δ Uᵀ", told, later[k])
    return later


def _lstm(walk: Walk, layer: Any) -> dict[str, Array] | None:
    T, H = walk.T, walk.H
    c = np.zeros((T + 1, H))
    for t in range(T):
        for k, gate in enumerate(("sigmoid", "sigmoid", "tanh", "sigmoid")):
            for j in range(H):
                column = k * H + j
                walk.gate(t, k, j, gate, [*walk.from_x(t, column), *walk.from_h(t, column)], walk.bias(column))
        for j in range(H):
            gi, gf, gg, go = (walk.g(t, k, j) for k in range(4))
            before = Value(float(c[t, j]), ("c", walk.name, t, j) if t else None, bracketed=True)
            c[t + 1, j] = gf.value * c[t, j] + gi.value * gg.value
            key = ("c", walk.name, t + 1, j)
            walk.said("c", t + 1, j, [gf, "·", before, " + ", gi, "·", gg], float(c[t + 1, j]), key)
            walk.h[t + 1, j] = go.value * math.tanh(c[t + 1, j])
            now = Value(float(c[t + 1, j]), key)
            walk.said("h", t + 1, j, [go, "·tanh(", now, ")"], float(walk.h[t + 1, j]), walk.key(t + 1, j))
    if walk.step.upstream is None:
        return None
    deltas, later, dc_later = np.zeros((T, 4 * H)), np.zeros(H), np.zeros(H)
    for t in reversed(range(T)):
        for j in range(H):
            i, f, g, o = (float(walk.gates[t, k, j]) for k in range(4))
            dh, th, cell = walk.arrives(t, j, later[j]), math.tanh(c[t + 1, j]), number(float(c[t + 1, j]))
            begin = f"{signed(float(dc_later[j]))} + " if t < T - 1 else ""
            formula = f"{'dc·f of the step after + ' if begin else ''}dh·o·(1 − tanh² c)"
            told = f"{begin}{signed(dh)}·{signed(o)}·(1 − tanh({cell})²)"
            dc = walk.back("dc", t, j, formula, told, dc_later[j] + dh * o * (1 - th * th))
            p, q, r, s, u = (signed(quantity) for quantity in (dc, i, f, g, o))
            earlier = signed(float(c[t, j]))
            parts: list[tuple[str, str, str, float]] = [
                ("i", "dc·g·i·(1 − i)", f"{p}·{s}·{q}·(1 − {q})", dc * g * i * (1 - i)),
                ("f", "dc·c of the step before·f·(1 − f)", f"{p}·{earlier}·{r}·(1 − {r})", dc * c[t, j] * f * (1 - f)),
                ("g", "dc·i·(1 − g²)", f"{p}·{q}·(1 − {s}²)", dc * i * (1 - g * g)),
                ("o", "dh·tanh c·o·(1 − o)", f"{signed(dh)}·tanh({cell})·{u}·(1 − {u})", dh * th * o * (1 - o)),
            ]
            for k, (letter, formula, told, value) in enumerate(parts):
                deltas[t, k * H + j] = walk.back(f"δ{letter}", t, j, formula, told, float(value))
            dc_later[j] = dc * f
        later = _hand_back(walk, t, deltas[t])
    return walk.kernels(deltas)


def _gru(walk: Walk, layer: Any) -> dict[str, Array] | None:
    T, H, after = walk.T, walk.H, layer.reset_after
    inner = np.zeros((T, H))  # h U_n + bU_n, or r ⊙ h
    for t in range(T):
        for k in (0, 1):
            for j in range(H):
                column = k * H + j
                more = [*walk.bias(column), *(walk.bias(column, "bU") if after else [])]
                walk.gate(t, k, j, "sigmoid", [*walk.from_x(t, column), *walk.from_h(t, column)], more)
        if not after:
            for j in range(H if t else 0):
                r, h = walk.g(t, 1, j), walk.h_of(t, j, bracketed=True)
                inner[t, j] = r.value * h.value
                walk.said("rh", t + 1, j, [r, "·", h], float(inner[t, j]), ("rh", walk.name, t, j))
        for j in range(H):
            column = 2 * H + j
            if after:
                pairs, bias = walk.from_h(t, column), walk.bias(column, "bU")
                inner[t, j] = sum(a.value * b.value for a, b in pairs) + sum(e.value for e in bias if e != " + ")
                shown = [*products(pairs), *(bias if pairs else bias[1:])] or ["0"]
                walk.said("u", t + 1, j, shown, float(inner[t, j]), ("u", walk.name, t, j))
                u = Value(float(inner[t, j]), ("u", walk.name, t, j), bracketed=True)
                r = walk.g(t, 1, j)
                more = [*walk.bias(column), " + ", r, "·", u]
                _candidate(walk, t, j, walk.from_x(t, column), more, r.value * u.value)
            else:
                states = [Value(float(inner[t, k]), ("rh", walk.name, t, k)) for k in range(H)]
                walk.gate(
                    t, 2, j, "tanh", [*walk.from_x(t, column), *walk.from_h(t, column, states)], walk.bias(column)
                )
        for j in range(H):
            z, n, h = walk.g(t, 0, j), walk.g(t, 2, j), walk.h_of(t, j, bracketed=True)
            walk.h[t + 1, j] = z.value * h.value + (1 - z.value) * n.value
            shown = [z, "·", h, " + (1 − ", z, ")·", n]
            walk.said("h", t + 1, j, shown, float(walk.h[t + 1, j]), walk.key(t + 1, j))
    if walk.step.upstream is None:
        return None
    deltas, of_h, later = np.zeros((T, 3 * H)), np.zeros((T, 3 * H)), np.zeros(H)
    for t in reversed(range(T)):
        dh = [walk.arrives(t, j, later[j]) for j in range(H)]
        _gru_deltas(walk, t, dh, inner, deltas, of_h, after)
        later = np.zeros(H)
        for k in range(H if t else 0):
            kept, reset = float(walk.gates[t, 0, k]), float(walk.gates[t, 1, k])
            if after:
                told, value = walk.carried(k, of_h[t])
            else:
                told, value = walk.carried(k, deltas[t, : 2 * H])
                last, of_n = _through_n(walk, deltas[t], k)
                told, value = f"{told} + ({last})·{signed(reset)}", value + of_n * reset
            later[k] = value + dh[k] * kept
            formula = "dh·z + [δz δr δn·r] Uᵀ" if after else "dh·z + [δz δr] Uᵀ + (δn Uᵀ)·r"
            walk.back("back to h", t - 1, k, formula, f"{signed(dh[k])}·{signed(kept)} + {told}", float(later[k]))
    gradients = walk.kernels(deltas, of_h, None if after else inner)
    if layer.bias and after:
        gradients["bU"] = of_h.sum(axis=0)
        for column in range(3 * H):
            walk.backward.append(Line((f"dbU[{column + 1}] = Σ δ, for n times r =",), total(of_h[:, column])))
    return gradients


def _candidate(walk: Walk, t: int, j: int, pairs: list[tuple[Value, Value]], more: list[Any], inside: float) -> None:
    bias = float(walk.layer.b[2 * walk.H + j]) if walk.layer.bias else 0.0
    value = math.tanh(sum(a.value * b.value for a, b in pairs) + bias + inside)
    walk.gates[t, 2, j] = value
    walk.said("n", t + 1, j, ["tanh(", *products(pairs), *more, ")"], value, ("gate", walk.name, t, 2, j))


def _through_n(walk: Walk, deltas: Array, k: int) -> tuple[str, float]:
    H = walk.H
    pairs = [(float(deltas[2 * H + j]), float(walk.layer.U[k, 2 * H + j])) for j in range(H)]
    return " + ".join(f"{signed(a)}·{signed(b)}" for a, b in pairs), sum(a * b for a, b in pairs)


def _gru_deltas(walk: Walk, t: int, dh: list[float], inner: Array, deltas: Array, of_h: Array, after: bool) -> None:
    """δ of z and n, then of r, which needs every δn."""
    H = walk.H
    for j in range(H):
        (z, _, n), h = (float(quantity) for quantity in walk.gates[t, :, j]), float(walk.h[t, j])
        told = f"{signed(dh[j])}·(1 − {signed(z)})·(1 − {signed(n)}²)"
        deltas[t, 2 * H + j] = walk.back("δn", t, j, "dh·(1 − z)·(1 − n²)", told, dh[j] * (1 - z) * (1 - n * n))
        told = f"{signed(dh[j])}·({number(h)} − {signed(n)})·{signed(z)}·(1 − {signed(z)})"
        formula = "dh·(h of the step before − n)·z·(1 − z)"
        deltas[t, j] = walk.back("δz", t, j, formula, told, dh[j] * (h - n) * z * (1 - z))
    for j in range(H):
        r, dn = float(walk.gates[t, 1, j]), float(deltas[t, 2 * H + j])
        slope = f"{signed(r)}·(1 − {signed(r)})"
        if after:
            told, value = f"{signed(dn)}·{signed(float(inner[t, j]))}·{slope}", dn * inner[t, j] * r * (1 - r)
            formula = "δn·u·r·(1 − r)"
        else:
            inside, of_n = _through_n(walk, deltas[t], j)
            told, value = f"({inside})·{signed(float(walk.h[t, j]))}·{slope}", of_n * walk.h[t, j] * r * (1 - r)
            formula = "(δn Uᵀ)·h of the step before·r·(1 − r)"
        deltas[t, H + j] = walk.back("δr", t, j, formula, told, float(value))
    of_h[t] = deltas[t]
    if after:
        of_h[t, 2 * H :] = deltas[t, 2 * H :] * walk.gates[t, 1]


_WAYS: dict[type, Callable[[Walk, Any], dict[str, Array] | None]] = {RNN: _rnn, LSTM: _lstm, GRU: _gru}
