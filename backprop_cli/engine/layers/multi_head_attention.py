from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape, matrix
from backprop_cli.engine.layer import Initializer, Layer, PositiveInt, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot

NEVER = -1e30  # added to a score that must get no weight: its exponential is exactly 0
HEADS = [0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]  # from (N, T, heads, d) to (N, heads, T, d) for Q and V, Kᵀ for K


@layer("multi_head_attention", "multihead_attention", "attention")
class MultiHeadAttention(Layer):
    """Scaled dot-product attention, in several heads side by side.

    One input x (N, T, F): every step looks at every step. Two inputs [x, m]: the steps of x look at those
    of m (N, S, M), which stands for x below in K and V.
    Q = x Wq + bq   K = x Wk + bk   V = x Wv + bv          Wq (F, F)   Wk, Wv (F or M, F)   Wo (F, F)
    per head of width d = F / heads:  P = softmax(Q Kᵀ / √d),  O = P V          P (N, heads, T, S)
    y = [O of all heads] Wo + bo          y (N, T, F)
    dV = Pᵀ dO   dS = P ⊙ (dO Vᵀ − Σ_d dO ⊙ O)   dQ = dS K / √d   dK = dSᵀ Q / √d,  then as in dense
    `causal`: step t looks at steps up to t only. Steps that the mask of the keys leaves out get no weight.
    `dropout` zeroes entries of P while training. Vaswani et al. 2017, arXiv:1706.03762
    """

    listed_under = "Sequences"

    heads: Annotated[PositiveInt, Doc("attention patterns side by side; must divide the features")]
    causal: Annotated[bool, Doc("a step looks at itself and earlier steps only")] = False
    dropout: Annotated[float, Interval(ge=0, lt=1), Doc("share of the attention weights set to 0 while training")] = 0.0
    bias: Annotated[bool, Doc("add trained offsets to queries, keys, values and output")] = True
    kernel_initializer: Annotated[Initializer, Doc("first values of the four kernels")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Doc("first values of the four offsets")] = "zeros"

    merges = True
    stochastic = True
    acts_as = "linear"
    heeds_mask = True

    Wq: Array = slot()
    Wk: Array = slot()
    Wv: Array = slot()
    Wo: Array = slot()
    bq: Array = slot()
    bk: Array = slot()
    bv: Array = slot()
    bo: Array = slot()
    dWq: Array = slot()
    dWk: Array = slot()
    dWv: Array = slot()
    dWo: Array = slot()
    dbq: Array = slot()
    dbk: Array = slot()
    dbv: Array = slot()
    dbo: Array = slot()
    q: Array = slot()  # already divided by √d
    k: Array = slot()
    v: Array = slot()
    o: Array = slot()
    p: Array = slot()
    noise: Array = slot()
    row: Array = slot()
    penalty: Array = slot()
    dq: Array = slot()
    dk: Array = slot()
    dv: Array = slot()
    do: Array = slot()
    dp: Array = slot()
    beside: Array = slot()

    examples = [
        {"options": {"heads": 2}, "inputs": [(3, 4)]},
        {"options": {"heads": 1, "causal": True, "bias": False}, "inputs": [(3, 2)]},
        {"options": {"heads": 1, "causal": True}, "inputs": [(1, 1)]},
        {"options": {"heads": 2, "dropout": 0.4}, "inputs": [(3, 2)]},
        {"options": {"heads": 2}, "inputs": [(3, 2), (2, 3)]},
        {"options": {"heads": 2, "causal": True}, "inputs": [(3, 2)], "padded": True},
        {"options": {"heads": 1}, "inputs": [(2, 2), (3, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        if len(shapes) > 2 or any(len(shape) != 2 for shape in shapes):
            raise BuildError(
                "multi_head_attention takes one sequence (T, F), or two of which the first looks at the second, "
                f"got {', '.join(map(str, shapes))}"
            )
        (steps, width), (seen, memory) = shapes[0], shapes[-1]
        if width % self.heads:
            raise BuildError(f"{self.heads} heads do not divide the width {width} of inputs of shape {shapes[0]}")
        if self.causal and len(shapes) == 2:
            raise BuildError("causal is for a sequence that looks at itself, got two inputs; set causal: false")
        for name, rows in (("q", width), ("k", memory), ("v", memory), ("o", width)):
            self.parameter(f"W{name}", (rows, width), self.kernel_initializer)
            if self.bias:
                self.parameter(f"b{name}", (width,), self.bias_initializer, decay=False)
        for name, length in (("q", steps), ("k", seen), ("v", seen), ("o", steps)):
            self.workspace(name, (length, width))
            self.workspace(f"d{name}", (length, width), temporary=True)
        self.workspace("p", (self.heads, steps, seen))
        self.workspace("dp", (self.heads, steps, seen), temporary=True)
        self.workspace("row", (self.heads, steps, 1), temporary=True)
        self.workspace("penalty", (seen,), temporary=True)
        self.workspace("beside", (max(steps, seen) * max(width, memory),), temporary=True)
        if self.dropout:
            self.workspace("noise", (self.heads, steps, seen))
        self._future = np.triu(np.full((steps, seen), NEVER, np.float32), k=1) if self.causal else None
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        for name, source in (("q", x[0]), ("k", x[-1]), ("v", x[-1])):
            self._affine(source, name, getattr(self, name))
        np.multiply(self.q, (self.q.shape[-1] // self.heads) ** -0.5, out=self.q)
        mask = self.masks[-1] if self.masks is not None else None
        if mask is not None:
            np.multiply(np.logical_not(mask), NEVER, out=self.penalty)
        self._active = training and self.dropout > 0
        if self._active:
            self._draw()
        q, k, v, o = (self._split(array) for array in (self.q, self.k, self.v, self.o))
        if self._future is not None and self._future.dtype != self.p.dtype:
            self._future = self._future.astype(self.p.dtype)
        penalty = None if mask is None else self.penalty
        self.kernels.attention(q, k, v, self.p, o, self._future, penalty, self._noise, self.dp, self.row)
        self._affine(self.o, "o", y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        width = self.Wq.shape[1]
        q, k, v = (
            self._onnx_heads(graph, source, name, perm)
            for source, name, perm in zip((x[0], x[-1], x[-1]), "qkv", HEADS, strict=True)
        )
        scores = graph.add("MatMul", graph.add("Mul", q, (width // self.heads) ** -0.5), k)
        if self.causal:
            square = graph.add("Slice", graph.add("Shape", scores), np.array([2]), np.array([4]))
            never = graph.add("ConstantOfShape", square, value=np.array([NEVER], np.float32))
            scores = graph.add("Add", scores, graph.add("Trilu", never, 1, upper=1))
        if graph.masks[-1] is not None:
            penalty = graph.add("Where", graph.masks[-1], 0.0, NEVER)
            scores = graph.add("Add", scores, graph.add("Unsqueeze", penalty, np.array([1, 2])))
        o = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v)
        o = graph.add("Reshape", graph.add("Transpose", o, perm=[0, 2, 1, 3]), np.array([0, 0, width]))
        return self._onnx_affine(graph, o, "o")

    def _onnx_affine(self, graph: OnnxGraph, source: str, name: str) -> str:
        product = graph.add("MatMul", source, getattr(self, f"W{name}"))
        return graph.add("Add", product, getattr(self, f"b{name}")) if self.bias else product

    def _onnx_heads(self, graph: OnnxGraph, source: str, name: str, perm: list[int]) -> str:
        """A projection as (N, T, heads, d), the axes in another order."""
        split = graph.add("Reshape", self._onnx_affine(graph, source, name), np.array([0, 0, self.heads, -1]))
        return graph.add("Transpose", split, perm=perm)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        self._affine_gradients(self.o, "o", dy)
        self.kernels.matmul(matrix(dy), self.Wo.T, matrix(self.do))
        q, k, v, do = (self._split(array) for array in (self.q, self.k, self.v, self.do))
        dq, dk, dv = (self._split(array) for array in (self.dq, self.dk, self.dv))
        scale = q.shape[-1] ** -0.5
        self.kernels.attention_gradient(q, k, v, self.p, do, dq, dk, dv, self._noise, self.dp, self.row, scale)
        for name, source in (("q", x[0]), ("k", x[-1]), ("v", x[-1])):
            self._affine_gradients(source, name, getattr(self, f"d{name}"))
        if dx[0] is not None:
            self.kernels.matmul(matrix(self.dq), self.Wq.T, matrix(dx[0]))
        if dx[-1] is not None:
            if len(dx) == 1:
                self._add(self.dk, self.Wk, dx[-1])
            else:
                self.kernels.matmul(matrix(self.dk), self.Wk.T, matrix(dx[-1]))
            self._add(self.dv, self.Wv, dx[-1])

    def _split(self, a: Array) -> Array:
        """(N, T, F) seen as (N, heads, T, d)."""
        return a.reshape(*a.shape[:2], self.heads, -1).swapaxes(1, 2)

    def _affine(self, source: Array, name: str, out: Array) -> None:
        self.kernels.matmul(matrix(source), getattr(self, f"W{name}"), matrix(out))
        if self.bias:
            self.kernels.add_bias(matrix(out), getattr(self, f"b{name}"))

    def _affine_gradients(self, source: Array, name: str, delta: Array) -> None:
        self.kernels.matmul(matrix(source).T, matrix(delta), getattr(self, f"dW{name}"))
        if self.bias:
            self.kernels.bias_gradient(matrix(delta), getattr(self, f"db{name}"))

    def _add(self, delta: Array, W: Array, dx: Array) -> None:
        """dx += δ Wᵀ"""
        product = self.beside.reshape(-1)[: dx.size].reshape(dx.shape)
        self.kernels.add_matmul(matrix(delta), W.T, matrix(dx), matrix(product))

    @property
    def _noise(self) -> Array | None:
        return self.noise if self._active else None

    def _draw(self) -> None:
        """What the weights are multiplied by: 0, or as much more as keeps their mean."""
        keep = 1 - self.dropout
        self.rng.random(out=self.noise, dtype=self.noise.dtype)
        np.less(self.noise, keep, out=self.noise)
        np.multiply(self.noise, 1 / keep, out=self.noise)

    def flops(self, *shapes: Shape) -> int:
        (steps, width), (seen, memory) = shapes[0], shapes[-1]
        return 4 * steps * width * width + 4 * seen * memory * width + 4 * steps * seen * width
