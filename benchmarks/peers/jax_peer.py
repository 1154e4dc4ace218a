"""Pure JAX: a whole epoch in one compiled scan; of XOR, as many epochs as a round has. MLPs only."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.task import Data, Task
from benchmarks.workloads import XOR_EPOCHS, Workload


def scores(parameters: Any, x: Any) -> Any:
    for W, b in parameters[:-1]:
        x = jax.nn.relu(x @ W + b)
    W, b = parameters[-1]
    return x @ W + b


def loss(parameters: Any, x: Any, y: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores(parameters, x)), y[:, None], 1))


def step(state: Any, batch: Any) -> Any:
    parameters, m, v, t = state
    value, gradient = jax.value_and_grad(loss)(parameters, *batch)
    t = t + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
    rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    root = jnp.sqrt(1 - 0.999**t)
    parameters = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8 * root), parameters, m, v)
    return (parameters, m, v, t), value


class JaxTask(Task):
    """`lax.scan` over the batches of an epoch; the permutation and the gather are inside."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.steps, self.batch = len(data.x) // workload.batch, workload.batch
        self.x, self.y = jnp.asarray(data.floats(data.x)), jnp.asarray(data.y)
        self.x_test, self.y_test = jnp.asarray(data.floats(data.x_test)), jnp.asarray(data.y_test)
        rng = np.random.default_rng(0)
        parameters = [
            (jnp.asarray(rng.uniform(-1, 1, (a, b)) * (6 / (a + b)) ** 0.5, jnp.float32), jnp.zeros(b, jnp.float32))
            for a, b in pairwise(workload.sizes)
        ]
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        self.state: Any = (parameters, zeros, zeros, jnp.float32(0))
        self.key = jax.random.key(0)

        @jax.jit
        def epoch(state: Any, order: Any, x: Any, y: Any) -> Any:
            def one(state: Any, rows: Any) -> Any:
                return step(state, (x[rows], y[rows]))

            return jax.lax.scan(one, state, order)

        self.epoch = epoch

    def round(self) -> None:
        self.key, key = jax.random.split(self.key)
        order = jax.random.permutation(key, len(self.x))[: self.steps * self.batch].reshape(self.steps, self.batch)
        self.state, losses = self.epoch(self.state, order, self.x, self.y)
        losses.block_until_ready()

    def accuracy(self) -> float:
        return float((scores(self.state[0], self.x_test).argmax(1) == self.y_test).mean())

    @property
    def about(self) -> str:
        return f"JAX {jax.__version__}"


def xor_scores(parameters: Any, x: Any) -> Any:
    (W1, b1), (W2, b2) = parameters
    return jax.nn.sigmoid(x @ W1 + b1) @ W2 + b2


def xor_loss(parameters: Any, x: Any, y: Any) -> Any:
    z = xor_scores(parameters, x)
    return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))


class XorTask(Task):
    """All epochs of a round in one `lax.scan`."""

    def __init__(self, data: Data) -> None:
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y, jnp.float32)
        rng = np.random.default_rng(0)
        self.parameters: Any = [
            (jnp.asarray(rng.uniform(-1, 1, (a, b)) * (6 / (a + b)) ** 0.5, jnp.float32), jnp.zeros(b, jnp.float32))
            for a, b in ((2, 4), (4, 1))
        ]

        @jax.jit
        def epochs(parameters: Any, x: Any, y: Any) -> Any:
            def one(parameters: Any, _: Any) -> Any:
                value, gradient = jax.value_and_grad(xor_loss)(parameters, x, y)
                return jax.tree.map(lambda w, g: w - 0.5 * g, parameters, gradient), value

            return jax.lax.scan(one, parameters, None, XOR_EPOCHS)

        self.epochs = epochs

    def round(self) -> None:
        self.parameters, losses = self.epochs(self.parameters, self.x, self.y)
        losses.block_until_ready()

    def accuracy(self) -> float:
        return float(((xor_scores(self.parameters, self.x) > 0) == (self.y > 0.5)).mean())

    @property
    def about(self) -> str:
        return f"JAX {jax.__version__}"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return XorTask(data) if workload.family == "xor" else JaxTask(workload, data)
