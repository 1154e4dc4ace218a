"""Makes layers.npz: what PyTorch computes, in float64, for convolutional and normalising layers.

    python tests/reference/make_layers.py          # needs PyTorch; the tests do not

Every array is in the engine's layout (images NHWC, W (kh, kw, in/groups, out)). `cases` is JSON: a
list of {"name", "layer", "options", "training", "parameters"}; each case's arrays are under `<name>/x`, `y`,
`dy`, `dx`, each parameter `W` and its gradient `dW`, and states before and after as `before.…`, `after.…`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CONVOLUTIONS: list[dict[str, Any]] = [
    {"in": 3, "filters": 4, "kernel_size": 3, "size": (7, 6)},
    {"in": 2, "filters": 3, "kernel_size": [3, 2], "strides": 2, "size": (7, 6)},
    {"in": 2, "filters": 3, "kernel_size": [2, 3], "strides": [1, 3], "padding": 1, "size": (5, 7)},
    {"in": 1, "filters": 2, "kernel_size": 3, "dilation": 2, "padding": [2, 1], "size": (6, 7)},
    {"in": 4, "filters": 6, "kernel_size": 3, "groups": 2, "padding": 1, "size": (5, 5)},
    {"in": 3, "filters": 6, "kernel_size": 3, "groups": 3, "size": (5, 4)},
    {"in": 4, "filters": 5, "kernel_size": 1, "size": (3, 4)},
    {"in": 4, "filters": 5, "kernel_size": 1, "strides": 2, "bias": False, "size": (5, 4)},
    {"in": 5, "filters": 4, "kernel_size": [3, 1], "padding": "same", "size": (4, 4)},
    {"in": 2, "filters": 2, "kernel_size": 2, "strides": 4, "size": (9, 10)},
]
SEQUENCES: list[dict[str, Any]] = [
    {"in": 3, "filters": 4, "kernel_size": 3, "size": (7,)},
    {"in": 4, "filters": 4, "kernel_size": 3, "dilation": 2, "padding": 2, "groups": 2, "size": (8,)},
    {"in": 2, "filters": 3, "kernel_size": 2, "strides": 3, "padding": [1], "size": (9,)},
]
TRANSPOSED: list[dict[str, Any]] = [
    {"in": 3, "filters": 2, "kernel_size": 3, "size": (3, 4)},
    {"in": 2, "filters": 3, "kernel_size": 3, "strides": 2, "padding": 1, "output_padding": 1, "size": (3, 4)},
    {"in": 2, "filters": 2, "kernel_size": [2, 3], "strides": [3, 2], "dilation": 2, "size": (2, 3)},
]
POOLS: list[dict[str, Any]] = [
    {"pool_size": 2, "size": (6, 6)},
    {"pool_size": 2, "size": (5, 7)},
    {"pool_size": 3, "strides": 2, "padding": 1, "size": (6, 7)},
    {"pool_size": [3, 2], "strides": 1, "size": (5, 5)},
    {"pool_size": 2, "strides": 3, "size": (7, 8)},
    {"pool_size": [2, 3], "padding": [1, 1], "size": (4, 5)},
]

arrays: dict[str, np.ndarray] = {}
cases: list[dict[str, Any]] = []


def house(t: torch.Tensor) -> np.ndarray:
    """(N, C, …) to (N, …, C)."""
    return np.moveaxis(t.detach().numpy(), 1, -1)


def kernel(t: torch.Tensor) -> np.ndarray:
    """(O, I, kh, kw) to (kh, kw, I, O), for transposed convolutions (I, O, kh, kw) to (kh, kw, O, I)."""
    return np.moveaxis(t.detach().numpy(), (0, 1), (-1, -2))


def record(
    layer: str,
    options: dict[str, Any],
    module: Any,
    x: torch.Tensor,
    parameters: dict[str, tuple[torch.Tensor, Any]],
    *,
    training: bool = True,
    to: Any = house,
) -> None:
    """Run a module forward and backward, and keep everything; `parameters` maps our names to (tensor, converter)."""
    name = f"{len(cases):02d}"
    x.requires_grad_()
    y = module(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    for key, tensor in (("x", x), ("y", y), ("dy", dy), ("dx", x.grad)):
        arrays[f"{name}/{key}"] = to(tensor)
    for key, (tensor, convert) in parameters.items():
        arrays[f"{name}/{key}"] = convert(tensor)
        arrays[f"{name}/d{key}"] = convert(tensor.grad)
    case = {"name": name, "layer": layer, "options": options, "training": training, "parameters": list(parameters)}
    cases.append(case)


def numpy(t: torch.Tensor) -> np.ndarray:
    return t.detach().numpy()


def convolutions() -> None:
    for layer, make, table in (
        ("conv2d", nn.Conv2d, CONVOLUTIONS),
        ("conv1d", nn.Conv1d, SEQUENCES),
        ("conv2d_transpose", nn.ConvTranspose2d, TRANSPOSED),
    ):
        for row in table:
            options = {key: value for key, value in row.items() if key not in ("in", "size")}
            padding = row.get("padding", 0)
            more = {key: row[key] for key in ("groups", "output_padding") if key in row}
            module = make(
                row["in"],
                row["filters"],
                row["kernel_size"],
                row.get("strides", 1),
                padding=tuple(padding) if isinstance(padding, list) else padding,
                dilation=row.get("dilation", 1),
                bias=row.get("bias", True),
                **more,
            )
            parameters = {"W": (module.weight, kernel)}
            if module.bias is not None:
                parameters["b"] = (module.bias, numpy)
            record(layer, options, module, torch.randn(2, row["in"], *row["size"]), parameters)
    module = nn.Conv2d(3, 6, 3, padding=1, groups=3)
    options = {"kernel_size": 3, "padding": 1, "depth_multiplier": 2}
    parameters = {"W": (module.weight, kernel), "b": (module.bias, numpy)}
    record("depthwise_conv2d", options, module, torch.randn(2, 3, 5, 4), parameters)


def pools() -> None:
    for row in POOLS:
        options = {key: value for key, value in row.items() if key != "size"}
        size, strides, padding = row["pool_size"], row.get("strides"), row.get("padding", 0)
        x = torch.randn(2, 2, *row["size"])
        tied = torch.randint(0, 3, x.shape).double()
        for values in (x, tied):
            record("max_pool2d", options, nn.MaxPool2d(size, strides, padding), values.clone(), {})
        record("avg_pool2d", options, nn.AvgPool2d(size, strides, padding), x.clone(), {})
    record("max_pool1d", {"pool_size": 3, "padding": 1}, nn.MaxPool1d(3, padding=1), torch.randn(2, 3, 7), {})
    record("avg_pool1d", {"pool_size": 3, "padding": 1}, nn.AvgPool1d(3, padding=1), torch.randn(2, 3, 7), {})
    record("global_avg_pool", {}, lambda x: x.mean((2, 3)), torch.randn(2, 3, 4, 5), {})
    record("global_max_pool", {}, lambda x: x.amax((2, 3)), torch.randint(0, 4, (2, 3, 4, 5)).double(), {})


def shapes() -> None:
    record("zero_padding", {"padding": [[1, 2], [3, 0]]}, nn.ZeroPad2d((3, 0, 1, 2)), torch.randn(2, 2, 3, 2), {})
    record(
        "crop", {"cropping": [[1, 0], [0, 2]]}, lambda x: functional.pad(x, (0, -2, -1, 0)), torch.randn(2, 2, 3, 4), {}
    )
    for size in (2, 3):
        for mode in ("nearest", "bilinear"):
            module = nn.Upsample(scale_factor=size, mode=mode)
            record("upsampling", {"size": size, "interpolation": mode}, module, torch.randn(2, 2, 3, 4), {})
    linear = nn.Upsample(scale_factor=3, mode="linear")
    record("upsampling", {"size": 3, "interpolation": "linear"}, linear, torch.randn(2, 2, 4), {})


def norms() -> None:
    for size in ((3, 4), ()):
        for training in (True, False):
            module = (nn.BatchNorm2d if size else nn.BatchNorm1d)(3, momentum=0.3)
            disturb(module)
            before = {key: getattr(module, f"running_{key}").numpy().copy() for key in ("mean", "var")}
            module.train(training)
            x = torch.randn(5, 3, *size) * 2 + 1
            parameters = {"gamma": (module.weight, numpy), "beta": (module.bias, numpy)}
            record("batch_norm", {"momentum": 0.7}, module, x, parameters, training=training)
            for ours, theirs in (("running_mean", "mean"), ("running_variance", "var")):
                arrays[f"{cases[-1]['name']}/before.{ours}"] = before[theirs]
                arrays[f"{cases[-1]['name']}/after.{ours}"] = numpy(getattr(module, f"running_{theirs}"))
    for groups in (1, 2, 4):
        module = disturb(nn.GroupNorm(groups, 4))
        parameters = {"gamma": (module.weight, numpy), "beta": (module.bias, numpy)}
        record("group_norm", {"groups": groups}, module, torch.randn(2, 4, 3, 2), parameters)
    module = disturb(nn.LayerNorm(5))
    parameters = {"gamma": (module.weight, numpy), "beta": (module.bias, numpy)}
    record("layer_norm", {}, module, torch.randn(2, 3, 5), parameters, to=numpy)
    module = disturb(nn.RMSNorm(5, eps=1e-6))
    record("rms_norm", {}, module, torch.randn(2, 3, 5), {"gamma": (module.weight, numpy)}, to=numpy)


def disturb(module: Any) -> Any:
    """Random parameters and statistics: ones and zeros hide mistakes."""
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.add_(torch.randn_like(tensor), alpha=0.3)
        for name, tensor in module.named_buffers():
            if "running" in name:
                tensor.add_(torch.rand_like(tensor))
    return module


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    convolutions()
    pools()
    shapes()
    norms()
    path = Path(__file__).with_name("layers.npz")
    np.savez_compressed(path, cases=np.array(json.dumps(cases)), **arrays)
    print(f"{path}: {len(cases)} cases, {path.stat().st_size / 1000:.0f} kB")
