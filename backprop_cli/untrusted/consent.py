"""Whose runs are opened, which plugin files may run, and whether files may be read that a run's config names.

A plugin is Python code, and so whoever runs it lets its author do anything. A file that somebody names on the command
line, or in a config of their own, runs. One that comes with a run runs only where this user has trained with the very
same bytes before, or says --allow-plugins. Data and weights that the config of a run names are read only where this
user has written that config, by training, or says --allow-files: the config could name any file of theirs. What was
trained here is remembered by SHA-256 in a file outside of all runs: `trained` under $BP_STATE, or in the user's state
folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from backprop_cli.errors import ConsentError, to_stderr
from backprop_cli.untrusted.regular import open_regular, read_regular

PLUGINS, FILES = "--allow-plugins", "--allow-files"
#: flag -> variable of the environment, which the processes of a sweep inherit. Code may read any file, too
ALLOWED = {PLUGINS: ("BP_ALLOW_PLUGINS", "BP_ALLOW_FILES"), FILES: ("BP_ALLOW_FILES",)}
REMEMBERED = "trained"
MAX_REMEMBERED = 16 << 20  # bytes of that file: some 150,000 runs
RUN_FILES = ("config.yaml", "checkpoints")  # beside run.json, what makes a folder a run

_silent = False


def allow(flag: str) -> None:
    """Let plugins of runs run, or files that their configs name be read, from now on, whoever wrote them."""
    os.environ |= dict.fromkeys(ALLOWED[flag], "1")


def _allowed(flag: str) -> bool:
    return bool(os.environ.get(ALLOWED[flag][0]))


def keep_quiet() -> None:
    """Do not say which plugins run: another process has."""
    global _silent
    _silent = True


def digest(data: bytes) -> str:
    """The SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def trained_here(data: bytes) -> bool:
    """Whether this user has trained with a plugin, or written a run's config, of these very bytes."""
    return digest(data) in _remembered()


def foreign(folder: Path) -> bool:
    """Whether a folder is that of a run which this user did not train: its config may name files to have them seen."""
    run = run_of(folder / RUN_FILES[0])
    if run is None:
        return False
    try:
        return not trained_here(read_regular(run / RUN_FILES[0], MAX_REMEMBERED, links=False))
    except OSError:
        return True


def require(path: Path, data: bytes) -> None:
    """Raise ConsentError unless a plugin that came with a run may run."""
    if not _allowed(PLUGINS) and not trained_here(data):
        raise ConsentError(
            f"{path} is Python code that came with a run and was not trained with here, so it was not run; "
            f"read it, then repeat the command with {PLUGINS}"
        )


def require_for(folder: Path, files: Iterable[Path]) -> None:
    """Raise ConsentError where files are named by a config in this folder, the folder is that of a run which this user
    did not train, and nobody has agreed to reading them."""
    named = next(iter(files), None)
    if named is not None and not _allowed(FILES) and foreign(folder):
        raise ConsentError(
            f"{folder}: was not trained here, and its config names {named}, which could be any file of yours; it was "
            f"left alone. If that is what you want, repeat the command with {FILES}"
        )


def announce(path: Path) -> None:
    """Say that a plugin is about to run."""
    if not _silent:
        to_stderr(f"running the plugin {path}, which is Python code")


def remember(files: Iterable[Path]) -> None:
    """Note that this user trained with these files; of no use to anybody who cannot write to the state folder.

    Raises OSError.
    """
    known = _remembered()
    lines = {f"{sha256}\n" for path in files if (sha256 := digest(path.read_bytes())) not in known}
    if lines:
        record = _place()
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = open_regular(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, "".join(sorted(lines)).encode())
        finally:
            os.close(handle)


def _remembered() -> frozenset[str]:
    try:
        return frozenset(read_regular(_place(), MAX_REMEMBERED).decode("ascii", "replace").split())
    except OSError:
        return frozenset()


def _place() -> Path:
    given = os.environ.get("BP_STATE")
    if given:
        return Path(given).expanduser().absolute() / REMEMBERED
    import platformdirs  # not needed where BP_STATE is set

    return Path(platformdirs.user_state_dir("bp")) / REMEMBERED


def run_of(path: Path) -> Path | None:
    """The run directory that a file lies in, as it is named or where its links lead; None where in none."""
    return named_in(path) or named_in(Path(os.path.realpath(path)))


def named_in(path: Path) -> Path | None:
    """The run directory that a path names a file of, links not followed."""
    for folder in Path(os.path.abspath(path)).parents:
        if os.path.lexists(folder / "run.json") and any(os.path.lexists(folder / name) for name in RUN_FILES):
            return folder
    return None
