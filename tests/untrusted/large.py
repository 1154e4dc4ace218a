"""Options that are whole numbers, with huge ones: a sentence before any memory is taken. Prints what went wrong.

    python -m tests.untrusted.large

Layers are built and given memory for a batch, transforms get a batch, problems are drawn. The address space is limited,
so that what slips through raises a MemoryError.
"""

from __future__ import annotations

import json
import resource
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import registry
from backprop_cli.data.pipeline import Pipeline
from backprop_cli.engine import battery
from backprop_cli.engine.graph import Network
from backprop_cli.errors import BpError

HUGE = (10**9, 10**18)
#: windows, whose places are gone through one by one: that takes time, not memory; and what a config holds below 20
OTHERS = {"pool_size", "kernel_size", "dilation", "bits"}
SPACE = 4 << 30  # bytes of address space
SHAPES = [(6,), (6, 6, 1), ()]  # of a row that a transform is given


def whole(cls: Any) -> Iterator[tuple[str, bool]]:
    """(option, whether it is a list) of those that are whole numbers."""
    for name in registry.options(cls):
        hint = registry.hints(cls)[name]
        if _holds(hint, int) and not _holds(hint, dict) and name not in OTHERS:
            yield name, _holds(hint, list)


def _holds(hint: Any, wanted: type) -> bool:
    return hint is wanted or typing.get_origin(hint) is wanted or any(_holds(h, wanted) for h in typing.get_args(hint))


def values(is_list: bool) -> list[Any]:
    return [value for huge in HUGE for value in ([[huge], [huge, huge], huge] if is_list else [huge])]


def layers() -> Iterator[tuple[str, Any]]:
    """(what is tried, how)."""
    for name, cls in registry.classes("layer").items():
        for example in cls.examples:
            for option, is_list in whole(cls):
                for value in values(is_list):
                    spec = {"type": name, **example.get("options", {}), option: value}
                    shapes = [tuple(shape) for shape in example["inputs"]]
                    yield f"layer {spec} on {shapes}", lambda spec=spec, shapes=shapes: network(spec, shapes)


def network(spec: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    built: list[Network] = []

    class Kept(Network):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            built.append(self)

    battery.Network = Kept  # type: ignore[misc]  # `around` also draws outputs, which nobody needs here
    try:
        battery.around(registry.make("layer", spec), shapes, 3)
    except (ValueError, MemoryError):
        if not built:
            raise
    for each in built:
        each.reserve(3)


def transforms() -> Iterator[tuple[str, Any]]:
    for name, cls in registry.classes("transform").items():
        needed = {option: 2 for option, _ in whole(cls) if registry.required(cls, option)}
        for option, is_list in whole(cls):
            for value in values(is_list):
                for shape in SHAPES:
                    spec = {"type": name, **needed, option: value}
                    yield f"transform {spec} on {shape}", lambda spec=spec, shape=shape: batch(spec, shape)


def batch(spec: dict[str, Any], shape: tuple[int, ...]) -> None:
    chain = [registry.make("transform", spec)]
    float_dtype = np.dtype(np.float32)
    if spec["type"] not in ("one_hot", "mixup"):  # which learn the number of classes
        Pipeline(chain, shape, float_dtype, float_dtype, 32)
    else:
        Pipeline(chain, shape, np.dtype(np.int64), float_dtype, 32)


def problems() -> Iterator[tuple[str, Any]]:
    for name, cls in registry.classes("synthetic").items():
        needed = {option: 2 for option, _ in whole(cls) if registry.required(cls, option)}
        for option, is_list in whole(cls) if name != "points" else ():
            for value in values(is_list):
                spec = {"name": name, **needed, option: value}
                yield f"dataset {spec}", lambda spec=spec: draw(spec)


def draw(spec: dict[str, Any]) -> None:
    registry.make("synthetic", spec, key="name").check_size()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, resource.RLIM_INFINITY))
    wrong, tried, refused = [], 0, 0
    for trials in (layers(), transforms(), problems()):
        for what, attempt in trials:
            tried += 1
            try:
                attempt()
            except BpError:
                refused += 1
            except (
                TypeError,
                AttributeError,
            ):  # of another type than the option's, which a config does not let through
                continue
            except Exception as error:
                if "to unpack" in str(error):  # a list of another length: the same
                    continue
                wrong.append(f"{what}: {type(error).__name__}: {error}")
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the process that started this one
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    json.dump({"tried": tried, "refused": refused, "megabytes": megabytes, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main()
