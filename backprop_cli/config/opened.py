"""The text of a config file, or what is wrong with the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from backprop_cli.config.shipped import offered
from backprop_cli.errors import ConfigError, Problem, did_you_mean, suggest
from backprop_cli.untrusted.consent import named_in
from backprop_cli.untrusted.regular import open_regular

MAX_BYTES = 64 * 2**20


def read(path: Path) -> str:
    """The text of a config file; that of a run is not read through a symbolic link. Raises ConfigError for anything
    that is not UTF-8 text."""

    def refuse(message: str, line: int | None = None, column: int | None = None) -> ConfigError:
        return ConfigError([Problem(str(path), line, column, "", message)])

    try:
        with os.fdopen(open_regular(path, links=named_in(path) is None), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        inside = path / "config.yaml"
        hint = did_you_mean(str(inside) if inside.is_file() else None)
        raise refuse(f"is a directory; expected a YAML file{hint}") from None
    except FileNotFoundError:
        here = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        near = suggest(path.name, here)
        ships = None if near and Path(near).stem == path.stem else offered(path)  # a slip in the ending alone
        hint = did_you_mean(str(path.with_name(near)) if near else None)
        hint = f"; {ships} ships with bp: `bp train {ships}`, or `bp config copy {ships[3:]}`" if ships else hint
        raise refuse(f"no such file{hint}") from None
    except (OSError, ValueError) as error:
        linked = getattr(error, "errno", 0) == errno.ELOOP and path.is_symlink()
        why = "a symbolic link, and a run's config is not read through one" if linked else None
        refused = refuse(f"cannot be read: {why or getattr(error, 'strerror', None) or error}")
        refused.exit_code = 1 if isinstance(error, OSError) else 2  # the fault of the disk, or of the name
        raise refused from None
    if len(data) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES >> 20} MiB; expected a config file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        kind = "binary data" if b"\0" in data[:4096] else "not UTF-8 text"
        raise refuse(
            f"{kind} (byte 0x{data[error.start]:02x}); expected a YAML file saved as UTF-8",
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
        ) from None
    if not text.strip():
        raise refuse("is empty; expected at least dataset, architecture and loss", 1, 1)
    return text
