"""Every command, given a run whose author planted code in it: none of that code is run.

    python -m tests.reliability.consent [--trials 4]

TRIALS ways to plant it are tried, each with every command; with 1, all of them at once.
"""

from __future__ import annotations

import os
import py_compile
import shutil
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path

from backprop_cli.untrusted import consent
from tests.reliability.asking import PLUGIN, ask, prepare
from tests.reliability.commands import LINES
from tests.reliability.harness import folder, trials

EVIL = "from pathlib import Path\nPath({!r}).write_text('run')\n"
VERBOSE = bool(os.environ.get("V"))


def in_the_config(run: Path, evil: str) -> None:
    (run / "evil.py").write_text(evil)
    text = (run / "config.yaml").read_text()
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith("plugins:")]
    (run / "config.yaml").write_text("".join(kept) + "plugins: [evil.py]\n")


def among_its_plugins(run: Path, evil: str) -> None:
    (run / "plugins/evil.py").write_text(evil)


def by_a_link(run: Path, evil: str) -> None:
    (run.parent / "outside.py").write_text(evil)
    (run / "plugins/linked.py").symlink_to(run.parent / "outside.py")


def as_bytecode(run: Path, evil: str) -> None:
    """Python would run it in place of the plugin, whose text the user knows, if only time and size agree."""
    mine = run / "plugins/mine.py"
    cached = Path(cache_from_source(str(mine)))
    cached.parent.mkdir(exist_ok=True)
    (run / "evil.txt").write_text(evil)
    py_compile.compile(
        str(run / "evil.txt"), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


PLANTS: list[Callable[[Path, str], None]] = [in_the_config, among_its_plugins, by_a_link, as_bytecode]


def planted(
    base: Path, plants: list[Callable[[Path, str], None]], commands: list[str]
) -> Iterator[tuple[str, int, str, bool]]:
    """(command, exit code, stderr, whether the planted code was run) for every command."""
    proof = base / "PWNED"
    evil = EVIL.format(str(proof))
    for command in commands:
        path = base / "trial"
        shutil.copytree(base / "made", path, symlinks=True)
        for plant in plants:
            plant(path / "stranger", evil)
        code, said = ask(path, command)
        yield command, code, said, proof.exists()
        proof.unlink(missing_ok=True)
        shutil.rmtree(path)


def main() -> None:
    each = trials(len(PLANTS))
    groups = [PLANTS] if each == 1 else [[plant] for plant in PLANTS]
    count = executed = tracebacks = 0
    with folder() as base:
        made = base / "made"
        made.mkdir()
        os.environ["BP_CACHE"] = str(base / "cache")
        prepare(made)
        assert consent.trained_here(PLUGIN.encode())
        assert not consent.trained_here(EVIL.format(str(base / "PWNED")).encode())
        for plants in groups:
            for command, code, said, run in planted(base, plants, LINES):
                count += 1
                executed += run
                tracebacks += "Traceback" in said
                if VERBOSE or run or "Traceback" in said or code not in (0, 1, 2):
                    print(f"{[plant.__name__ for plant in plants]}: bp {command}: {code}: {said}", flush=True)
        allowed = [f"{command} {consent.PLUGINS}" for command in ("eval {run}", "check {config}")]
        for plant, command in zip((among_its_plugins, in_the_config), allowed, strict=True):
            (found,) = planted(base, [plant], [command])
            assert found[3], f"with consent the code runs, or this trial shows nothing: {found}"
    print(f"{count} commands on runs with planted code: {executed} executed, {tracebacks} tracebacks")
    assert executed == tracebacks == 0


if __name__ == "__main__":
    main()
