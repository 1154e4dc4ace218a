"""How the layers and transforms that `--to numpy` knows are written: as calls of the functions in `shown`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_cli.engine.layer import Layer
from backprop_cli.engine.window import Axis

Weight = Callable[[str], str]  # from a parameter's name in its layer to how it is written
Written = str | None  # None where there is no way to write it


def _call(function: str, *arguments: str, **named: Any) -> str:
    written = [*arguments, *(f"{name}={value}" for name, value in named.items())]
    return f"{function}({', '.join(written)})"


def _pair(axes: Sequence[Axis], what: str) -> tuple[int, ...]:
    return tuple(getattr(axis, what) for axis in axes)


def _bias(layer: Any, w: Weight) -> list[str]:
    return [w("b")] if layer.bias else []


def _padded(x: str, axes: Sequence[Axis], value: str = "") -> str:
    sides = [str((axis.before, axis.after)) for axis in axes]
    return _call("pad", x, *sides, *([value] if value else [])) if any(axis.padded for axis in axes) else x


def _conv(layer: Any, x: str, w: Weight) -> str:
    axes = (layer._rows, layer._columns)
    flat = layer.rank == 1  # a sequence is an image of one row
    kernel, x = (f"{w('W')}[None]", f"{x}[:, None]") if flat else (w("W"), x)
    options = {
        "strides": _pair(axes, "stride"),
        "dilation": _pair(axes, "dilation"),
        "groups": layer._groups,
    }
    plain = {"strides": (1, 1), "dilation": (1, 1), "groups": 1}
    given = {name: value for name, value in options.items() if value != plain[name]}
    y = _call("conv2d", _padded(x, axes), kernel, *_bias(layer, w), **given)
    return f"{y}[:, 0]" if flat else y


def _transposed(layer: Any, x: str, w: Weight) -> str:
    axes = (layer._rows, layer._columns)
    options = {"size": _pair(axes, "size"), "strides": _pair(axes, "stride"), "dilation": _pair(axes, "dilation")}
    return _call("conv2d_transpose", x, w("W"), *_bias(layer, w), **options, cut=_pair(axes, "before"))


def _categories(layer: Any, x: str, w: Weight) -> str:
    return _call("categories", x, w("W"), str(layer.kept.tolist()), str(layer.codes))


def _pool(function: str) -> Callable[[Any, str, Weight], str]:
    def write(layer: Any, x: str, w: Weight) -> str:
        axes = (layer._rows, layer._columns)
        window = (str(_pair(axes, "kernel")), str(_pair(axes, "stride")))
        image = f"{x}[:, None]" if layer.rank == 1 else x
        y = _call(function, _padded(image, axes, "-np.inf" if function == "max_pool2d" else ""), *window)
        if function == "avg_pool2d" and layer.padding == "same" and any(axis.padded for axis in axes):
            y += " / " + _call(function, _padded(f"np.ones_like({image})", axes), *window)  # padding does not count
        return f"({y})[:, 0]" if layer.rank == 1 else y

    return write


def _norm(layer: Any, x: str, w: Weight) -> str:
    learnt = {name: w(name) for name, on in (("gamma", layer.scale), ("beta", layer.center)) if on}
    kept = [w("running_mean"), w("running_variance")] if layer.type_name == "batch_norm" else []
    return _call(layer.type_name, x, *kept, **learnt, epsilon=layer.epsilon)


def _upsampling(layer: Any, x: str, w: Weight) -> str:
    flat = layer.mask_rule is not None  # a sequence
    if layer.interpolation != "nearest":
        factors = (str(layer._down), str(layer._across))
        return f"{_call('upsample', f'{x}[:, None]', *factors)}[:, 0]" if flat else _call("upsample", x, *factors)
    return x + "".join(
        f".repeat({factor}, axis={axis})"
        for axis, factor in enumerate([layer._across] if flat else [layer._down, layer._across], 1)
    )


def _crop(layer: Any, x: str, w: Weight) -> str:
    return f"{x}[:, " + ", ".join(f"{cut.start}:{cut.stop}" for cut in layer._inside[1:]) + "]"


def _zero_padding(layer: Any, x: str, w: Weight) -> Written:
    from backprop_cli.engine.window import borders

    rank = len(layer._inside) - 1
    value = f", constant_values={layer.value}" if layer.value else ""
    return f"np.pad({x}, {((0, 0), *borders(layer.padding, rank), (0, 0))}{value})"


def _named(function: str, *options: str) -> Callable[[Any, str, Weight], str]:
    return lambda layer, x, w: _call(function, x, *(repr(float(getattr(layer, option))) for option in options))


LAYERS: dict[str, Callable[[Any, str, Weight], Written]] = {
    "dense": lambda layer, x, w: _call("dense", x, w("W"), *_bias(layer, w)),
    "conv1d": _conv,
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "conv2d_transpose": _transposed,
    "gaussian_sampling": lambda layer, x, w: f"{x}[..., :{layer._half}]",
    "select": lambda layer, x, w: f"{x}[:, {str(layer.at).strip('[]').replace(', ', ':')}]",
    "position_bias": lambda layer, x, w: f"{x} + {w('b')}",
    "max_pool1d": _pool("max_pool2d"),
    "max_pool2d": _pool("max_pool2d"),
    "avg_pool1d": _pool("avg_pool2d"),
    "avg_pool2d": _pool("avg_pool2d"),
    "global_avg_pool": _named("global_avg_pool"),
    "global_max_pool": _named("global_max_pool"),
    "batch_norm": _norm,
    "layer_norm": _norm,
    "group_norm": lambda layer, x, w: _norm(layer, f"{x}, {layer.groups}", w),
    "rms_norm": lambda layer, x, w: _call("rms_norm", x, w("gamma"), epsilon=layer.epsilon),
    "feature_scale": lambda layer, x, w: f"{x} * {w('s')}",
    "number_columns": lambda layer, x, w: f"{x}[:, {layer.kept.tolist()}]",
    "category_embedding": _categories,
    "periodic_embedding": lambda layer, x, w: _call("waves", x, *map(w, "FbVc")),
    "unscale": lambda layer, x, w: f"{x} * {w('std')} + {w('mean')}",
    "flatten": _named("flatten"),
    "reshape": lambda layer, x, w: f"{x}.reshape({', '.join(map(str, (f'len({x})', *layer.shape)))})",
    "permute": lambda layer, x, w: f"{x}.transpose({(0, *layer.dims)})",
    "crop": _crop,
    "zero_padding": _zero_padding,
    "upsampling": _upsampling,
    "embedding": lambda layer, x, w: None if layer.mask_zero else f"{w('W')}[{x}]",
    "positional_embedding": lambda layer, x, w: f"{x} + {w('W')}" if layer.kind == "learned" else None,
    "dropout": lambda layer, x, w: x,
    "spatial_dropout": lambda layer, x, w: x,
    "gaussian_noise": lambda layer, x, w: x,
    "linear": lambda layer, x, w: x,
    "elu": _named("elu", "alpha"),
    "leaky_relu": _named("leaky_relu", "negative_slope"),
    "prelu": lambda layer, x, w: _call("leaky_relu", x, w("alpha")),
    "gelu": lambda layer, x, w: _call("gelu" if layer.approximate == "none" else "gelu_tanh", x),
    **{
        name: _named(name)
        for name in (
            "relu", "selu", "sigmoid", "hard_sigmoid", "hard_swish", "silu", "tanh", "softplus", "softsign", "mish",
            "softmax", "log_softmax",
        )
    },
}  # fmt: skip
MERGES: dict[str, Callable[[Any, Sequence[str]], str]] = {
    "add": lambda layer, x: " + ".join(x),
    "subtract": lambda layer, x: " - ".join(x),
    "multiply": lambda layer, x: " * ".join(x),
    "average": lambda layer, x: f"({' + '.join(x)}) / {len(x)}",
    "maximum": lambda layer, x: f"np.maximum.reduce([{', '.join(x)}])",
    "concat": lambda layer, x: f"np.concatenate([{', '.join(x)}], axis={layer._axis + 1})",
}


def write(layer: Layer, x: Sequence[str], w: Callable[[str], Weight]) -> Written:
    """The layer's call, its activation around it; None if this or that cannot be written. `w(prefix)` gives how the
    parameters of the layer itself, or of its activation, are written."""
    kind = layer.type_name
    call = MERGES[kind](layer, x) if kind in MERGES else LAYERS[kind](layer, x[0], w("")) if kind in LAYERS else None
    inner = layer.parts().get("activation")
    if call is None or inner is None:
        return call
    return LAYERS[inner.type_name](inner, call, w("activation.")) if inner.type_name in LAYERS else None


def _numbers(values: Any) -> str:
    array = np.asarray(values, np.float64)
    return f"np.array({array.tolist()})" if array.ndim else repr(float(array))


def _normalize(step: Any) -> str:
    width = step.largest - step.smallest
    factor = (step.high - step.low) / np.where(width > 0, width, 1.0)
    y = f"(x - {_numbers(step.smallest)}) * {_numbers(factor)}" + (f" + {step.low}" if step.low else "")
    return _kept(step, y)


def _standardize(step: Any) -> str:
    return _kept(step, f"(x - {_numbers(step.learned_mean)}) / {_numbers(step.learned_std)}")


def _kept(step: Any, y: str) -> str:
    value = step.mask_value
    return y if value is None else f"np.where((x == {value!r}).all(-1, keepdims=True) & (x.ndim == 3), {value!r}, {y})"


def _middle(step: Any) -> str:
    h, w = step._window()
    return f"x[:, (x.shape[1] - {h}) // 2 :, (x.shape[2] - {w}) // 2 :][:, :{h}, :{w}]"


TRANSFORMS: dict[str, Callable[[Any], str]] = {
    "scale": lambda step: f"x * {float(step.by)!r}" + (f" + {float(step.offset)!r}" if step.offset else ""),
    "standardize": _standardize,
    "normalize": _normalize,
    "robust_scale": lambda step: f"(x - {_numbers(step.learned_center)}) / {_numbers(step.learned_width)}",
    "smooth_clip": lambda step: f"x / np.sqrt(1 + x * x * {_numbers(step.learned_share)})",
    "clip": lambda step: f"np.clip(x, {step.low}, {step.high})",
    "log1p": lambda step: "np.log1p(x)",
    "cast": lambda step: "x * 1.0" if step.of == "input" else "x",
    "one_hot": lambda step: f"np.eye({step._classes()})[x]" if step.of == "input" else "x",
    "input_as_target": lambda step: "x",
    "reshape": lambda step: f"x.reshape(len(x), {', '.join(map(str, step.shape))})",
    "crop": _middle,
}
