"""What rnn, lstm and gru have in common: projections, the walk through time, masks.

Inside, time comes first, (T, N, …), so that every step works on contiguous memory. The inputs of all
steps are projected by one matrix product before the walk, and the kernels' gradients are one product
over all steps after it. A column of ones beside x lets that product add the bias and sum its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape, matrix
from backprop_cli.engine.layer import Initializer, Layer, PositiveInt
from backprop_cli.engine.recurrence import operator, walk
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class Recurrent(Layer):
    """A state carried from step to step.

    Where `initial_state` is learned, the same h_0 (H,) begins every sequence, and dh_0 = Σ_n dL/dh_0 of each.
    A subclass writes `step(t)`, from h[t] and z[t] = x̃_t W̃ to h[t + 1], and `step_back(t)`, from the
    gradient of the state after step t (`carry`) to z[t] = dL/dz and the gradient of the state before;
    or `go` and `go_back`, which make several steps. Where the mask leaves a step out, the state and the
    output stay as they were.
    `go_backwards` reads from the last step to the first; y[:, t] is the state after step t was read.
    """

    listed_under = "Sequences"

    units: Annotated[PositiveInt, Doc("numbers in the state h")]
    return_sequences: Annotated[bool, Doc("give the state after every step, not only the last")] = False
    go_backwards: Annotated[bool, Doc("read the sequence from its end")] = False
    bias: Annotated[bool, Doc("add a trained offset b")] = True
    kernel_initializer: Annotated[Initializer, Doc("first values of W, which reads the input")] = "glorot_uniform"
    recurrent_initializer: Annotated[
        Initializer, Doc("first values of U, which reads the state; orthogonal keeps its norm")
    ] = "orthogonal"
    bias_initializer: Annotated[Initializer, Doc("first values of b")] = "zeros"
    initial_state: Annotated[
        Literal["zeros", "learned"],
        Doc("the state before the first step: zeros, or parameters (h0, and c0 of an lstm) that begin as zeros"),
    ] = "zeros"

    walks = True
    heeds_mask = True

    gates: ClassVar[int] = 1  # blocks of H columns in W, U and b
    gates_in_z: ClassVar[bool] = False  # whether the walk leaves its gates in z until it comes back
    states: ClassVar[tuple[str, ...]] = ("h",)  # each (T + 1, N, H)

    W: Array = slot()
    U: Array = slot()
    b: Array = slot()
    dW: Array = slot()
    dU: Array = slot()
    db: Array = slot()
    h0: Array = slot()  # with a learned initial state only, as c0
    c0: Array = slot()
    dh0: Array = slot()
    dc0: Array = slot()
    rows: Array = slot()  # x̃ = [x, 1], time first
    kernel: Array = slot()  # W̃ = [W; b]
    dkernel: Array = slot()
    Ut: Array = slot()  # Uᵀ, contiguous: NumPy's products with it are a quarter faster
    z: Array = slot()  # forward: x̃ W̃, perhaps the gates made of it; backward: dL/dz
    zh: Array = slot()
    h: Array = slot()
    carry: Array = slot()  # dL/dstate, one for each of `states`
    kept: Array = slot()
    held: Array = slot()  # (T, N): steps that the mask leaves out, in the order they are read
    dxs: Array = slot()

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != 2:
            raise BuildError(
                f"{self.type_name} takes sequences of shape (T, F), got {shape}; "
                "for token ids put an embedding layer first, for other shapes a reshape layer"
            )
        steps, features = shape
        width, augmented = self.gates * self.units, features + self.bias
        self.parameter("W", (features, width), self.kernel_initializer)
        self.parameter("U", (self.units, width), self.recurrent_initializer)
        if self.bias:
            self.parameter("b", (width,), self.first_bias(), decay=False)
        for state in self.states if self.learns_start else ():
            self.parameter(f"{state}0", (self.units,), "zeros", decay=False)
        self.workspace("rows", (steps, augmented), axis=1, temporary=True)
        self.workspace("kernel", (augmented, width), per_sample=False, temporary=True)
        self.workspace("dkernel", (augmented, width), per_sample=False, temporary=True)
        self.workspace("Ut", (width, self.units), per_sample=False, temporary=True)
        self.workspace("z", (steps, width), axis=1, temporary=not self.gates_in_z)
        self.workspace("zh", (width,), temporary=True)
        for state in self.states:
            self.workspace(state, (steps + 1, self.units), axis=1)
        self.workspace("carry", (len(self.states), self.units), axis=1, temporary=True)
        self.workspace("kept", (len(self.states), self.units), axis=1, temporary=True)
        self.workspace("held", (steps,), np.bool_, axis=1)
        self.workspace("dxs", (steps, features), axis=1, temporary=True)
        return (steps, self.units) if self.return_sequences else (self.units,)

    def first_bias(self) -> Any:
        """The initializer of b."""
        return self.bias_initializer

    @property
    def learns_start(self) -> bool:
        """Whether the state before the first step is trained."""
        return self.initial_state == "learned"

    @property
    def needs_output(self) -> bool:
        return False

    def step(self, t: int) -> None:
        """Write h[t + 1] (and the other states) from h[t] and z[t]."""
        raise NotImplementedError  # only for layers that do not write `go` and `go_back` themselves

    def step_back(self, t: int) -> None:
        """Write z[t] = dL/dz, and turn `carry` from the gradient after step t into that before it."""
        raise NotImplementedError  # only for layers that do not write `go` and `go_back` themselves

    def go(self, steps: slice) -> None:
        """Make some steps, one after the other."""
        for t in range(steps.start, steps.stop):
            self.step(t)

    def go_back(self, steps: slice, dys: Array | None) -> None:
        """Go back through some steps; dys (T, N, H) are the gradients of their outputs, where all are outputs."""
        for t in reversed(range(steps.start, steps.stop)):
            if dys is not None:
                np.add(self.carry[0], dys[t - steps.start], out=self.carry[0])
            self.step_back(t)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        states = [getattr(self, name) for name in self.states]
        for name, state in zip(self.states, states, strict=True):
            if self.learns_start:
                np.copyto(state[0], getattr(self, f"{name}0"))
            else:
                state[0] = 0
        self._project(x)
        if self.mask is None:
            self.go(slice(0, x.shape[1]))
        else:
            np.logical_not(self._in_order(self.mask), out=self.held)
            for t in range(x.shape[1]):
                self.go(slice(t, t + 1))
                for state in states:
                    np.copyto(state[t + 1], state[t], where=self.held[t, :, None])
        if self.return_sequences:
            np.copyto(self._in_order(y), self.h[1:])
        else:
            np.copyto(y, self.h[-1])

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        steps, mask = graph.add("Transpose", x, perm=[1, 0, 2]), graph.masks[0]
        y, last = operator(self, graph, steps) if mask is None else walk(self, graph, steps, mask)
        return graph.add("Transpose", y, perm=[1, 0, 2]) if self.return_sequences else last

    def onnx_form(self) -> tuple[str, list[int], dict[str, Any]]:
        """ONNX's operator, its order of the gates, and its attributes."""
        raise NotImplementedError  # every recurrent layer has its own

    def onnx_biases(self) -> tuple[Array, Array]:
        """The biases of x W and of h U."""
        return self.b, np.zeros_like(self.b)

    def onnx_step(self, graph: OnnxGraph, z: str, *states: str) -> list[str]:
        """Add one step from its projection z (N, gates H) and the states before; the states after."""
        raise NotImplementedError  # every recurrent layer has its own

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if self.kernels.which == "numpy":
            np.copyto(self.Ut, self.U.T)
        self.carry[...] = 0
        dys = self._in_order(dy) if self.return_sequences else None
        if dys is None:
            np.copyto(self.carry[0], dy)
        if self.mask is None:
            self.go_back(slice(0, x.shape[1]), dys)
        else:
            self._go_back_masked(x.shape[1], dys)
        if self.learns_start:
            for number, name in enumerate(self.states):
                np.sum(self.carry[number], axis=0, out=getattr(self, f"d{name}0"))
        self._kernel_gradients(x)
        self._recurrent_gradients()
        if dx is not None:
            self.kernels.matmul(matrix(self.z), self.W.T, matrix(self.dxs))
            np.copyto(self._in_order(dx), self.dxs)

    @property
    def turned(self) -> Array:
        """Uᵀ, for the walk back."""
        return self.Ut if self.kernels.which == "numpy" else self.U.T

    def _go_back_masked(self, steps: int, dys: Array | None) -> None:
        """What was left out passes the gradient on to the step before."""
        for t in reversed(range(steps)):
            if dys is not None:
                np.add(self.carry[0], dys[t], out=self.carry[0])
            np.multiply(self.carry, self.held[t, :, None], out=self.kept)
            np.subtract(self.carry, self.kept, out=self.carry)
            self.go_back(slice(t, t + 1), None)
            np.add(self.carry, self.kept, out=self.carry)

    def _in_order(self, a: Array) -> Array:
        """(N, T, …) as (T, N, …), the steps in the order they are read."""
        return a.swapaxes(0, 1)[:: -1 if self.go_backwards else 1]

    def _augment(self, x: Array) -> None:
        np.copyto(self.rows[..., : x.shape[-1]], self._in_order(x))
        if self.bias:
            self.rows[..., -1] = 1

    def _project(self, x: Array) -> None:
        """z = x̃ W̃ for all steps."""
        self._augment(x)
        np.copyto(self.kernel[: len(self.W)], self.W)
        if self.bias:
            self.bias_row(self.kernel[-1])
        self.kernels.matmul(matrix(self.rows), self.kernel, matrix(self.z))

    def bias_row(self, out: Array) -> None:
        np.copyto(out, self.b)

    def _kernel_gradients(self, x: Array) -> None:
        """dW = Σ_t x_tᵀ dz_t,  db = Σ dz."""
        self._augment(x)
        self.kernels.matmul(matrix(self.rows).T, matrix(self.z), self.dkernel)
        np.copyto(self.dW, self.dkernel[: len(self.W)])
        if self.bias:
            np.copyto(self.db, self.dkernel[-1])

    def _recurrent_gradients(self) -> None:
        """dU = Σ_t h_{t−1}ᵀ dz_t, the first of which is 0 where h_0 is."""
        first = 0 if self.learns_start else 1
        self.kernels.matmul(matrix(self.h[first:-1]).T, matrix(self.z[first:]), self.dU)

    def flops(self, *shapes: Shape) -> int:
        (steps, features), width = shapes[0], self.gates * self.units
        return steps * (2 * (features + self.units) * width + 4 * width)
