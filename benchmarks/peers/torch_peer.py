"""PyTorch: as people write it, at its best, and compiled.

As people write it: data as float tensors, Adam's defaults, `loss.item()` every step, PyTorch's own choice of
threads. At its best: fused Adam, denormals flushed, no wait for the loss, the fastest of one and two threads and
of both memory layouts for images. Compiled: the same with `torch.compile` of the model and the loss.
"""

from __future__ import annotations

import copy
import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.task import Data, Task
from benchmarks.workloads import XOR_EPOCHS, Workload


class LastStep(nn.Module):
    """The output of a recurrent layer at the last step."""

    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = cell(28, 128, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.cell(x)[0][:, -1]


class Block(nn.Module):
    """Two convolutions and a shortcut; one of another shape goes through a 1×1 convolution."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        first, second = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.body = nn.Sequential(first, nn.BatchNorm2d(b), nn.ReLU(), second, nn.BatchNorm2d(b))
        self.shortcut = nn.Conv2d(a, b, 1, stride, bias=False) if a != b else nn.Identity()

    def forward(self, x: Any) -> Any:
        return torch.relu(self.body(x) + self.shortcut(x))


class Transformer(nn.Module):
    """Two pre-norm blocks; scores (N, K, T) as CrossEntropyLoss wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(80, 64), nn.Parameter(torch.randn(64, 64) * 0.02)
        block = nn.TransformerEncoderLayer(64, 4, 256, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, nn.LayerNorm(64), enable_nested_tensor=False)
        self.output = nn.Linear(64, 80)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(64))

    def forward(self, x: Any) -> Any:
        h = self.blocks(self.embedding(x) + self.position, mask=self.mask, is_causal=True)
        return self.output(h).transpose(1, 2)


def model_of(workload: Workload) -> nn.Module:
    if workload.family == "mlp":
        layers: list[nn.Module] = []
        for a, b in pairwise(workload.sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    if workload.family == "cnn":
        first = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*first, nn.Flatten(), nn.Linear(800, 128), nn.ReLU(), nn.Linear(128, 10))
    if workload.family == "vgg":
        layers = []
        for a, b in [(3, 32), (32, 64), (64, 128)]:
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10))
    if workload.family == "resnet":
        widths = [16, *[16] * 3, *[32] * 3, *[64] * 3]
        blocks = [Block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
        start = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        return nn.Sequential(*start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    if workload.family in ("lstm", "gru"):
        return nn.Sequential(LastStep(nn.LSTM if workload.family == "lstm" else nn.GRU), nn.Linear(128, 10))
    if workload.family == "transformer":
        return Transformer()
    return nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1))


def initialize(model: nn.Module) -> None:
    """As bp and Keras do: Glorot, zero biases; in an LSTM orthogonal from step to step, the forget gate's bias one."""
    for name, parameter in model.named_parameters():
        if "weight_hh" in name:
            nn.init.orthogonal_(parameter)
        elif parameter.ndim > 1 and "embedding" not in name and "position" not in name:
            nn.init.xavier_uniform_(parameter)
        elif "bias" in name:
            nn.init.zeros_(parameter)
        if "bias_ih" in name and len(parameter) == 4 * 128:
            with torch.no_grad():
                parameter[len(parameter) // 4 : len(parameter) // 2] = 1  # i, f, g, o


class TorchTask(Task):
    """An epoch of zero_grad, forward, loss, backward, step."""

    def __init__(self, workload: Workload, data: Data, variant: str) -> None:
        torch.manual_seed(0)
        best = variant != ""
        self.workload, self.best = workload, best
        self.x, self.y = self._tensor(data.floats(data.x)), torch.from_numpy(data.y)
        self.x_test, self.y_test = self._tensor(data.floats(data.x_test)), torch.from_numpy(data.y_test)
        self.model = model_of(workload)
        initialize(self.model)
        self.loss: Any = nn.BCEWithLogitsLoss() if workload.family == "xor" else nn.CrossEntropyLoss()
        self.layout = torch.contiguous_format
        if best:
            torch.set_flush_denormal(True)
            self._tune()
        self._start()
        self.score: Any = lambda x, y: self.loss(self.model(x), y)
        if variant == "compile":
            self.score = torch.compile(self.score)

    def _tensor(self, x: Any) -> Any:
        tensor = torch.from_numpy(np.ascontiguousarray(x))
        return tensor.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else tensor

    def _start(self) -> None:
        self.model = self.model.to(memory_format=self.layout)
        if self.x.ndim == 4:
            self.x = self.x.contiguous(memory_format=self.layout)
        parameters = self.model.parameters()
        if self.workload.family == "xor":
            self.optimizer: Any = torch.optim.SGD(parameters, lr=0.5, fused=self.best)
        else:
            self.optimizer = torch.optim.Adam(parameters, lr=1e-3, **({"fused": True} if self.best else {}))

    def _tune(self) -> None:
        """The fastest settings, found on a copy of the model."""
        fresh, found = self.model, []
        layouts = [torch.contiguous_format, *([torch.channels_last] if self.x.ndim == 4 else [])]
        for layout in layouts:
            for threads in (1, 2):
                torch.set_num_threads(threads)
                self.model, self.layout = copy.deepcopy(fresh), layout
                self._start()
                steps = max(3, min(self.workload.steps, 100) // 4)
                self._steps(2)
                times = []
                for _ in range(3):
                    began = time.perf_counter()
                    self._steps(steps)
                    times.append(time.perf_counter() - began)
                found.append((min(times), threads, layout))
        _, threads, self.layout = min(found, key=lambda each: each[0])
        torch.set_num_threads(threads)
        self.model = fresh

    def _steps(self, count: int) -> None:
        for start in range(count):
            self._step(torch.arange(start * self.workload.batch, (start + 1) * self.workload.batch) % len(self.x))

    def _step(self, rows: Any) -> Any:
        return self._learn(self.x[rows], self.y[rows])

    def _learn(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.score(x, y) if hasattr(self, "score") else self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach() if self.best else loss.item()

    def round(self) -> None:
        total = 0.0
        if self.workload.family == "xor":
            for _ in range(XOR_EPOCHS):
                total += self._learn(self.x, self.y)
            return
        order = torch.randperm(len(self.x))
        for start in range(0, len(order), self.workload.batch):
            total += self._step(order[start : start + self.workload.batch])

    def accuracy(self) -> float:
        self.model.eval()
        with torch.no_grad():
            scores = torch.cat([self.model(x) for x in self.x_test.split(500)])
        self.model.train()
        if self.workload.family == "xor":
            return float(((scores > 0).float() == self.y_test).float().mean())
        return float((scores.argmax(1) == self.y_test).float().mean())

    @property
    def about(self) -> str:
        layout = "" if self.layout == torch.contiguous_format else ", channels last"
        return f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s){layout}"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return TorchTask(workload, data, variant)
