"""`extends: base.yaml`: a file that says only what differs from another.

Mappings are merged key by key, everything else is replaced whole. A mapping that names another
`type` (or `source`) than the base replaces it whole too: the options of the old one would not fit.
"""

from __future__ import annotations

from pathlib import Path

from backprop_cli.config.marked import MAX_DEPTH, Marked, in_run, problem
from backprop_cli.config.opened import read
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError, Problem
from backprop_cli.untrusted.regular import real

MAX_CHAIN = 16
IDENTITY = ("type", "source")


def read_extended(path: Path, problems: list[Problem], seen: tuple[Path, ...] = ()) -> Marked:
    """The nodes of a file merged over those of the files it extends. Raises ConfigError."""
    root = parse(read(path), str(path), problems)
    if not isinstance(root.value, dict):
        expected = "expected a mapping with dataset, architecture and loss"
        raise ConfigError([*problems, problem(root.mark, (), f"not a config; {expected}")])
    if "extends" not in root.value:
        return root
    given = root.value.pop("extends")
    if in_run(given.mark):
        problems.append(problem(given.mark, ("extends",), "refused in a run's config, which is resolved already"))
        return root
    if not isinstance(given.value, str):
        problems.append(problem(given.mark, ("extends",), "expected the path of a config file"))
        return root
    base = path.parent / Path(given.value).expanduser()
    chain = (*seen, real(path))
    if real(base) in chain:
        problems.append(problem(given.mark, ("extends",), f"{base} extends this file in turn; break the circle"))
        return root
    if len(chain) > MAX_CHAIN:
        problems.append(problem(given.mark, ("extends",), f"more than {MAX_CHAIN} files extend one another"))
        return root
    try:
        return merge(read_extended(base, problems, chain), root)
    except ConfigError as error:
        if error.problems[-1].file == str(base) and error.problems[-1].line is None:  # it cannot be read
            raise ConfigError(
                [*error.problems[:-1], problem(given.mark, ("extends",), f"{base} {error.problems[-1].message}")]
            ) from None
        raise


def merge(base: Marked, top: Marked, depth: int = 0) -> Marked:
    """`top` over `base`, each value with the mark of where it comes from."""
    if isinstance(base.value, str) and isinstance(top.value, dict) and depth:
        base = Marked({"type": Marked(base.value, base.mark, base.mark)}, base.mark, base.key)
    if not isinstance(base.value, dict) or not isinstance(top.value, dict) or depth > MAX_DEPTH:
        return top
    for key in IDENTITY:
        ours, theirs = top.value.get(key), base.value.get(key)
        if ours and theirs and ours.value != theirs.value:
            return top
    merged = dict(base.value)
    for key, child in top.value.items():
        merged[key] = merge(base.value[key], child, depth + 1) if key in base.value else child
    return Marked(merged, top.mark, top.key)
