"""What the shell offers after TAB. Fast, because it reads names from directories and source files:
importing the classes would take NumPy with it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.configs import names as shipped_names

PACKAGE = Path(registry.__file__).parent
#: @layer("dense", …), @register("synthetic", "moons", …): the decorator, then every name
_DECORATOR = re.compile(r'^@(\w+)\(\s*((?:"\w+",?\s*)+)\)', re.MULTILINE)
TFDS = ("cifar10", "cifar100", "emnist", "fashion_mnist", "kmnist", "mnist")
YAML = (".yaml", ".yml")


def names(kind: str) -> Iterator[str]:
    """The first name of every class of a kind that comes with bp."""
    place = PACKAGE.parent.joinpath(*registry.PACKAGES[kind].split("."))
    for path in sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
        for decorator, written in _DECORATOR.findall(path.read_text(encoding="utf-8")):
            found = re.findall(r"\w+", written)
            if decorator == kind:
                yield found[0]
            elif decorator == "register" and found[0] == kind:
                yield found[1]


def of_kind(*kinds: str) -> Callable[[str], list[str]]:
    """Completes names of classes; an activation is a layer, too."""

    def complete(incomplete: str) -> list[str]:
        wanted = {*kinds, *(["activation"] if "layer" in kinds else [])}
        return sorted(name for kind in wanted for name in names(kind) if name.startswith(incomplete))

    return complete


def configs(incomplete: str) -> list[str]:
    """YAML files, the folders that may hold some, and the configs that ship."""
    if incomplete.startswith("bp:"):
        return [name for name in map("bp:{}".format, shipped_names()) if name.startswith(incomplete)]
    folder, _, start = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else ".")).expanduser()
    found = []
    for entry in os.scandir(place) if place.is_dir() else ():
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
            name = f"{folder}/{entry.name}" if "/" in incomplete else entry.name
            if entry.is_dir():
                found.append(f"{name}/")
            elif entry.name.endswith(YAML):
                found.append(name)
    return sorted(found)


def shipped(incomplete: str) -> list[str]:
    """The configs that ship, for `bp config copy`."""
    return [name for name in shipped_names() if name.startswith(incomplete)]


def runs(ctx: Any, incomplete: str) -> list[str]:
    """The runs under --runs, newest first, and `latest`."""
    folder = Path(ctx.params.get("runs") or os.environ.get("BP_RUNS") or "runs")
    found = [path.parent for path in folder.glob("[!.]*/run.json")]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [name for name in ("latest", *(path.name for path in found)) if name.startswith(incomplete)]


def configs_or_runs(ctx: Any, incomplete: str) -> list[str]:
    """For commands that take either."""
    return [*configs(incomplete), *runs(ctx, incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Samples, synthetic problems, and the datasets of TFDS that bp prepares itself."""
    samples = [path.stem for path in (PACKAGE / "data" / "sample").iterdir() if path.suffix in (".npz", ".txt")]
    return sorted({name for name in [*samples, *names("synthetic"), *TFDS] if name.startswith(incomplete)})
