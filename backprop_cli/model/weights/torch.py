"""PyTorch's layouts: from the arrays of a module to those of bp's layer.

Linear (out, in); convolutions (out, in/groups, *kernel), transposed ones (in, out, *kernel); recurrent weights
(gates H, in), LSTM gates in the order i, f, g, o as here, GRU's r, z, n, and two biases. A function raises KeyError
where the module is another one. https://docs.pytorch.org/docs/stable/nn.html
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import Layer

Arrays = dict[str, Array]


def _with_bias(W: str, weight: Array, given: Arrays, bias: str = "b") -> Arrays:
    """The kernel, and the bias if there is one."""
    return {W: weight} | ({bias: given["bias"]} if "bias" in given else {})


def _ranked(given: Arrays, rank: int) -> Array:
    """The weight, if it has so many axes."""
    if given["weight"].ndim != rank:
        raise KeyError("weight")
    return given["weight"]


def _dense(layer: Layer, given: Arrays) -> Arrays:
    return _with_bias("W", _ranked(given, 2).T, given)


def _conv(layer: Layer, given: Arrays) -> Arrays:
    rank: int = layer.rank  # type: ignore[attr-defined]  # a convolution's
    return _with_bias("W", _ranked(given, rank + 2).transpose(*range(2, rank + 2), 1, 0), given)


def _conv_transpose(layer: Layer, given: Arrays) -> Arrays:
    return _with_bias("W", _ranked(given, 4).transpose(2, 3, 1, 0), given)


def _norm(layer: Layer, given: Arrays) -> Arrays:
    return _with_bias("gamma", _ranked(given, 1), given, "beta") if given else {}


def _batch_norm(layer: Layer, given: Arrays) -> Arrays:
    learnt = _norm(layer, given) if "weight" in given else {}
    return {**learnt, "running_mean": given["running_mean"], "running_variance": given["running_var"]}


def _table(layer: Layer, given: Arrays) -> Arrays:
    """An embedding, or positions kept as a bare parameter (1, T, F)."""
    (weight,) = given.values()
    return {"W": weight[0] if weight.ndim == 3 and len(weight) == 1 else weight}


def _prelu(layer: Layer, given: Arrays) -> Arrays:
    alpha: Array = layer.alpha  # type: ignore[attr-defined]  # a PReLU's
    slope = _ranked(given, 1)
    return {"alpha": np.broadcast_to(slope, alpha.shape) if slope.size == 1 else slope}


def _walk(layer: Layer, given: Arrays) -> Arrays:
    """A recurrent layer of one direction."""
    order = [1, 0, 2] if layer.type_name == "gru" else list(range(layer.gates))  # type: ignore[attr-defined]  # recurrent, so it has gates

    def blocks(a: Array) -> Array:
        return np.concatenate([np.split(a, len(order))[i] for i in order])

    arrays = {"W": blocks(given["weight_ih"]).T, "U": blocks(given["weight_hh"]).T}
    if "bias_ih" in given:
        of_x, of_h = blocks(given["bias_ih"]), blocks(given["bias_hh"])
        arrays |= {"b": of_x, "bU": of_h} if layer.type_name == "gru" else {"b": of_x + of_h}
    return arrays


def _bidirectional(layer: Layer, given: Arrays) -> Arrays:
    arrays: Arrays = {}
    for name, part in layer.parts().items():
        ending = "_reverse" if name == "backward" else ""
        own = {
            key.removesuffix("_reverse"): array
            for key, array in given.items()
            if key.endswith("_reverse") == bool(ending)
        }
        arrays |= {f"{name}.{key}": array for key, array in _walk(part, own).items()}
    return arrays


def _attention(layer: Layer, given: Arrays) -> Arrays:
    if "in_proj_weight" in given:
        weights = dict(zip("qkv", np.split(given["in_proj_weight"], 3), strict=True))
    else:
        weights = {name: given[f"{name}_proj_weight"] for name in "qkv"}
    arrays = {f"W{name}": array.T for name, array in {**weights, "o": given["out_proj.weight"]}.items()}
    if "in_proj_bias" in given:
        arrays |= {f"b{name}": array for name, array in zip("qkv", np.split(given["in_proj_bias"], 3), strict=True)}
        arrays["bo"] = given["out_proj.bias"]
    return arrays


CONVERT: dict[str, Callable[[Layer, Arrays], Arrays]] = {
    "dense": _dense,
    "conv1d": _conv,
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "conv2d_transpose": _conv_transpose,
    "batch_norm": _batch_norm,
    "layer_norm": _norm,
    "group_norm": _norm,
    "rms_norm": _norm,
    "embedding": _table,
    "positional_embedding": _table,
    "prelu": _prelu,
    "rnn": _walk,
    "lstm": _walk,
    "gru": _walk,
    "bidirectional": _bidirectional,
    "multi_head_attention": _attention,
}
