"""The configs that come with bp: `bp config ls`, `bp config copy NAME`, `bp train bp:NAME`.

The files lie in the repository's configs/; the build copies them into the package. A checkout installed with
`pip install -e .` reads them where they are.
"""

from __future__ import annotations

import re
from pathlib import Path

from backprop_cli.errors import UsageError, suggest

PREFIX = "bp:"
_PACKAGE = Path(__file__).parents[1]
_COMMAND = re.compile(r"# bp \w+ configs/\S+(.*)\n")
_SCHEMA = re.compile(r"# yaml-language-server: .*\n")
_EXTENDS = re.compile(r"^extends:\s*(\S+)\s*$", re.MULTILINE)


def folder() -> Path:
    """Where the shipped configs lie."""
    copied = _PACKAGE / "configs"
    return copied if (copied / "xor.yaml").is_file() else _PACKAGE.parent / "configs"


def names() -> list[str]:
    """Their names: the path below the folder, without the ending."""
    files = [path for path in folder().rglob("*.yaml") if not path.name.endswith(".lesson.yaml")]
    return sorted(path.relative_to(folder()).with_suffix("").as_posix() for path in files)


def is_shipped(source: str | Path) -> bool:
    """Whether this is `bp:NAME`."""
    return str(source).startswith(PREFIX)


def located(source: str | Path) -> Path:
    """The file behind `bp:NAME`; any other path as it is. Raises UsageError for a name that does not ship."""
    if not is_shipped(source):
        return Path(source)
    name = str(source).removeprefix(PREFIX).removesuffix(".yaml")
    if name not in names():
        near = suggest(name, names()) or suggest(Path(name).name, [Path(name).name for name in names()])
        near_name = next(
            (name for name in names() if near and name in (near, f"lessons/{near}", f"papers/{near}")), None
        )
        hint = f"; did you mean {PREFIX}{near_name}?" if near_name else ";"
        raise UsageError(f"no config called {name!r} ships with bp{hint} `bp config ls` lists them")
    return folder() / f"{name}.yaml"


def offered(path: Path) -> str | None:
    """The `bp:NAME` of a shipped config that is called like a file that does not exist."""
    wanted = path.with_suffix("").as_posix()
    matching = [name for name in names() if wanted == name or wanted.endswith(f"/{name}") or Path(name).name == wanted]
    return f"{PREFIX}{matching[0]}" if matching else None


def summary(name: str) -> str:
    """The first sentence of what a config says about itself."""
    comments = []
    for line in located(PREFIX + name).read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("# ") or line.startswith("# yaml-language-server"):
            break
        comments.append(line[2:])
    return re.split(r"(?<!al)\.(?= [A-Z])", " ".join(comments), maxsplit=1)[0].rstrip(".")


def copies(name: str, where: Path) -> dict[Path, str]:
    """A config, and those it extends, as they are to be written into a folder or to a file: path -> text, itself first.

    Raises UsageError for a name that does not ship.
    """
    source = located(PREFIX + name.removeprefix(PREFIX))
    target = where / source.name if where.is_dir() or not where.suffix else where
    planned = dict([(target, source), *_extended(source, target)])
    return {
        path: _SCHEMA.sub("", _with_command(original.read_text(encoding="utf-8"), path), count=1)
        for path, original in planned.items()
    }


def _with_command(text: str, path: Path) -> str:
    """The text of a config whose first line is the command that trains it at `path`."""
    return _COMMAND.sub(lambda match: f"# bp train {path}{match[1]}\n", text, count=1)


def _extended(source: Path, target: Path) -> list[tuple[Path, Path]]:
    extended = _EXTENDS.search(source.read_text(encoding="utf-8"))
    if extended is None:
        return []
    base, beside = source.parent / extended[1], target.parent / extended[1]
    return [(beside, base), *_extended(base, beside)]
