"""The matrix products of an MLP's training step and nothing else: the limit for everybody."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backprop_cli.training.threads import SMALL
from benchmarks.task import Data, Task
from benchmarks.workloads import Workload


class Gemms(Task):
    """y = x W forward, dW = xᵀ dy and dx = dy Wᵀ backward; no dx for the first layer."""

    def __init__(self, workload: Workload) -> None:
        rng = np.random.default_rng(0)
        n = workload.batch
        self.steps = workload.steps
        self.x = [rng.random((n, units), np.float32) for units in workload.sizes]
        self.dx = [np.zeros_like(x) for x in self.x]
        self.W = [rng.random(shape, np.float32) for shape in pairwise(workload.sizes)]
        self.dW = [np.zeros_like(W) for W in self.W]
        flops = 2 * n * sum(W.size for W in self.W)
        self.threads = 1 if flops < SMALL else None  # as bp has it

    def _step(self) -> None:
        x, dx, W, dW = self.x, self.dx, self.W, self.dW
        for i in range(len(W)):
            np.dot(x[i], W[i], out=dx[i + 1])
        for i in reversed(range(len(W))):
            np.dot(x[i].T, dx[i + 1], out=dW[i])
            if i:
                np.dot(dx[i + 1], W[i].T, out=dx[i])

    def round(self) -> None:
        with threadpool_limits(self.threads):
            for _ in range(self.steps):
                self._step()

    def accuracy(self) -> Any:
        return None

    @property
    def about(self) -> str:
        return f"NumPy {np.__version__}, {self.threads or 'all'} thread(s)"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return Gemms(workload)
