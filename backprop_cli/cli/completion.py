"""What the shell offers after TAB. Fast, because it reads names from directories and source files:
importing the classes would take NumPy with it."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.untrusted.regular import read_regular

PACKAGE = Path(registry.__file__).parent
#: @layer("dense", …), @register("synthetic", "moons", …): the decorator, then every name
_DECORATOR = re.compile(r'^@(\w+)\(\s*((?:"\w+",?\s*)+)\)', re.MULTILINE)
TFDS = ("cifar10", "cifar100", "emnist", "fashion_mnist", "kmnist", "mnist")
YAML = (".yaml", ".yml")
LONGEST = 1 << 20  # bytes of a file that is read while a shell waits
#: a name that has one of these is not offered: the shell would do what it says, or lose the line
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff$`;|&<>(){}\[\]\"'\\*?!#~]")
BREAKS = ("=", ":")  # where bash breaks words


def names(kind: str) -> Iterator[str]:
    """The first name of every class of a kind that comes with bp."""
    package = PACKAGE.parent.joinpath(*registry.PACKAGES[kind].split("."))
    return written_in(kind, sorted(package.glob("*.py")) if package.is_dir() else [package.with_suffix(".py")])


def written_in(kind: str, files: Iterable[Path]) -> Iterator[str]:
    """The first name of every class of a kind in some files, which are read and not run."""
    for path in files:
        for decorator, written in _DECORATOR.findall(text_of(path)):
            words = re.findall(r"\w+", written)
            if decorator == kind:
                yield words[0]
            elif decorator == "register" and words[0] == kind:
                yield words[1]


def text_of(path: Path) -> str:
    """The text of a file that a shell waits for: nothing where it is too long or cannot be read at once."""
    try:
        return read_regular(path, LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def of_kind(*kinds: str) -> Callable[[str], list[str]]:
    """Completes names of classes; an activation is a layer, too."""

    def complete(incomplete: str, ctx: Any = None) -> list[str]:
        wanted = {*kinds, *(["activation"] if "layer" in kinds else [])}
        given = (ctx.params.get("plugin") if ctx is not None else None) or ()
        plugins = [path for path in ([given] if isinstance(given, Path) else map(Path, given)) if path.is_file()]
        known = {name for kind in wanted for name in [*names(kind), *written_in(kind, plugins)]}
        known.update(name for kind in wanted for name in registry.of_packages(kind))
        return sorted(name for name in known if name.startswith(incomplete))

    return complete


def of(*words: str) -> Callable[[str], list[str]]:
    """Completes one of these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def configs(incomplete: str) -> list[str]:
    """YAML files, the folders that may hold some, and the configs that ship."""
    if incomplete.startswith("bp:"):
        from backprop_cli.config import shipped  # takes pydantic along, for which `bp --help` need not wait

        return [name for name in map("bp:{}".format, shipped.names()) if name.startswith(incomplete)]
    offered = [f"{name}/" if entry.is_dir() else name for name, entry in _entries(incomplete)
             if entry.is_dir() or entry.name.endswith(YAML)]  # fmt: skip
    return sorted([*offered, *(["bp:"] if incomplete and "bp:".startswith(incomplete) else [])])


def _entries(incomplete: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What there is where a path of which this is the beginning leads, under its full name."""
    folder, _, start = incomplete.rpartition("/")
    directory = Path(folder or ("/" if incomplete.startswith("/") else ".")).expanduser()
    for entry in os.scandir(directory) if directory.is_dir() else ():
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")) and not UNSAFE.search(entry.name):
            yield (f"{folder}/{entry.name}" if "/" in incomplete else entry.name), entry


def shipped_configs(incomplete: str) -> list[str]:
    """The configs that ship, for `bp config copy`."""
    from backprop_cli.config import shipped

    return [name for name in shipped.names() if name.startswith(incomplete)]


def runs(ctx: Any, incomplete: str) -> list[str]:
    """The runs under --runs, newest first, and `latest`; after a `/`, the paths of runs."""
    if "/" in incomplete:
        folders = [(name, entry) for name, entry in _entries(incomplete) if entry.is_dir()]
        return sorted(name if Path(entry.path, "run.json").is_file() else f"{name}/" for name, entry in folders)
    folder = Path(ctx.params.get("runs") or os.environ.get("BP_RUNS") or "runs")
    run_folders = [path.parent for path in folder.glob("[!.]*/run.json")]
    run_folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [name for name in ("latest", *_safe(run_folders)) if name.startswith(incomplete)]


def _safe(folders: Iterable[Path]) -> list[str]:
    """The names of folders that a shell may be given."""
    return [path.name for path in folders if not UNSAFE.search(path.name)]


def sweeps(ctx: Any, incomplete: str) -> list[str]:
    """The sweeps under --runs; after a `/`, the paths of folders."""
    if "/" in incomplete:
        return sorted(f"{name}/" for name, entry in _entries(incomplete) if entry.is_dir())
    folder = Path(ctx.params.get("runs") or os.environ.get("BP_RUNS") or "runs")
    sweep_folders = [path.parent for path in folder.glob("[!.]*/sweep.json")]
    return sorted(name for name in _safe(sweep_folders) if name.startswith(incomplete))


def configs_or_runs(ctx: Any, incomplete: str) -> list[str]:
    """For commands that take either."""
    return list(dict.fromkeys([*configs(incomplete), *runs(ctx, incomplete)]))


def datasets(incomplete: str) -> list[str]:
    """Samples, synthetic problems, the datasets of TFDS that bp prepares itself, and those of installed packages."""
    samples = [path.stem for path in (PACKAGE / "data" / "sample").iterdir() if path.suffix in (".npz", ".txt")]
    others = [name for cls in registry.of_packages("source").values() for name in cls.datasets()]
    known = {*samples, *names("synthetic"), *TFDS, *registry.of_packages("synthetic"), *others}
    return sorted(name for name in known if name.startswith(incomplete))


def for_bash(complete: Callable[[], Any]) -> None:
    """Complete for bash, which takes `=` and `:` for words of their own: `bp:mo` comes as `bp`, `:`, `mo`.

    They are put together again; of what is offered bash wants the part after the last of them.
    """
    words = re.split("[ \n]", os.environ.get("COMP_WORDS", ""))
    at = int(os.environ.get("COMP_CWORD", "0"))
    joined: list[str] = []
    for i, word in enumerate(words):
        after = i > 0 and (words[i - 1] in BREAKS or word in BREAKS)
        joined[-1:] = [joined[-1] + word] if after else [*joined[-1:], word]
        at -= after and i <= int(os.environ["COMP_CWORD"])
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(joined), str(at)
    typed = joined[at] if at < len(joined) else ""
    begin = max(typed.rfind(sign) for sign in BREAKS) + 1
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            complete()
    finally:
        print("\n".join(line[begin:] for line in text.getvalue().splitlines()))
