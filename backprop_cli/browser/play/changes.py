"""Changes made by hand on the page, as overrides of the config."""

from __future__ import annotations

import copy
import difflib
import json
from typing import Any

from backprop_cli.config import Config
from backprop_cli.config.catalogue import listing
from backprop_cli.config.dump import dump, resolved
from backprop_cli.errors import UsageError, expected

WIDEST, DEEPEST = 512, 32  # units of a layer, layers
SIMPLE = {
    "learning_rate": "optimizer.learning_rate",
    "batch_size": "trainer.batch_size",
    "noise": "dataset.noise",
    "epochs": "trainer.epochs",
}
LAYERS = ("activation", "width", "depth", "dropout")


def override(cfg: Config, what: str, value: Any) -> str:
    """The `--set` override for one change; loading the config checks the value. Raises UsageError."""
    if what in SIMPLE:
        return f"{SIMPLE[what]}={json.dumps(value)}"
    if what == "optimizer":
        rate = resolved(cfg)["optimizer"]["learning_rate"]
        return f"optimizer={json.dumps({'type': value, 'learning_rate': rate})}"
    if what not in LAYERS:
        raise UsageError(f"{what!r:.40} cannot be changed here; {expected(what, [*SIMPLE, 'optimizer', *LAYERS])}")
    layers = copy.deepcopy(resolved(cfg)["architecture"])
    hidden = _hidden(layers)
    if what == "dropout":
        layers = _dropped(layers, value)
    elif not hidden:
        raise UsageError("this network has no dense layer before its last one, so there is nothing to change")
    elif what == "activation":
        for layer in hidden:
            layer["activation"] = value
    elif what == "width":
        _bounded(value, WIDEST, "units")
        for layer in hidden:
            layer["units"] = value
    else:
        layers = _deepened(layers, value)
    return f"architecture={json.dumps(layers)}"


def settings(cfg: Config) -> dict[str, Any]:
    """What can be changed, as it is now; None where there is no such thing."""
    plain = resolved(cfg)
    hidden = _hidden(plain["architecture"])
    rates = [layer["rate"] for layer in _walk(plain["architecture"]) if layer.get("type") == "dropout"]
    return {
        "learning_rate": plain["optimizer"]["learning_rate"],
        "optimizer": plain["optimizer"]["type"],
        "batch_size": plain["trainer"]["batch_size"],
        "noise": plain["dataset"].get("noise"),
        "epochs": plain["trainer"]["epochs"],
        "activation": _named(hidden[0].get("activation")) if hidden else None,
        "width": hidden[0]["units"] if hidden else None,
        "depth": len(_plain_hidden(plain["architecture"])) or None,
        "dropout": rates[0] if rates else 0,
        "optimizers": sorted(entry["name"] for entry in listing("optimizer")),
        "activations": sorted(entry["name"] for entry in listing("activation")),
    }


def difference(before: Config, after: Config) -> str:
    """What has changed, as lines of YAML with − and +; nothing where nothing has."""
    lines = difflib.unified_diff(dump(before).splitlines(), dump(after).splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _named(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else value


def _walk(layers: Any) -> Any:
    """Every layer as written, those inside repeat, residual and parallel too."""
    for layer in layers:
        if not isinstance(layer, dict):
            continue
        yield layer
        for inner in layer.values():
            if isinstance(inner, list):
                yield from _walk(inner)
            elif isinstance(inner, dict):
                yield from _walk([inner])


def _hidden(layers: Any) -> list[dict[str, Any]]:
    return [layer for layer in _walk(layers[:-1]) if layer.get("type") == "dense"]


def _plain_hidden(layers: Any) -> list[int]:
    """Places of dense layers in the list itself, before its last."""
    return [i for i, layer in enumerate(layers[:-1]) if isinstance(layer, dict) and layer.get("type") == "dense"]


def _deepened(layers: list[Any], value: Any) -> list[Any]:
    """So many hidden dense layers: the last one again and again, or the last ones left out."""
    indices = _plain_hidden(layers)
    _bounded(value, DEEPEST, "hidden layers")
    if not indices:
        raise UsageError("its hidden layers are inside repeat, residual or parallel; change them in the YAML file")
    while len(indices) > value:
        del layers[indices.pop()]
    last = {key: option for key, option in layers[indices[-1]].items() if key not in ("name", "inputs")}
    for _ in range(value - len(indices)):
        layers.insert(indices[-1] + 1, copy.deepcopy(last))
    rates = [layer["rate"] for layer in layers if isinstance(layer, dict) and layer.get("type") == "dropout"]
    return _dropped(layers, rates[0]) if rates else layers


def _dropped(layers: list[Any], rate: Any) -> list[Any]:
    """Dropout of that rate after every hidden dense layer; of rate 0, none."""
    kept = [layer for layer in layers if not (isinstance(layer, dict) and layer.get("type") == "dropout")]
    if rate == 0:
        return kept
    for index in reversed(_plain_hidden(kept)):
        kept.insert(index + 1, {"type": "dropout", "rate": rate})
    return kept


def _bounded(value: Any, most: int, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise UsageError(f"expected 1 to {most} {what}, got {value!r:.40}")
