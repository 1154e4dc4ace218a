"""Text of others on a terminal: its control characters are written out, those of rich still work."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.control import Control
from rich.panel import Panel
from rich.text import Text

from backprop_cli.cli.streams import Visible
from backprop_cli.cli.ui.console import Shown

EVIL = "\x1b]0;PWNED\x07\u202e\x9b2J\r"
SEEN = r"\x1b]0;PWNED\x07\u202e\x9b2J\r"


def test_what_is_printed_passes_the_gate() -> None:
    inner = StringIO()
    outer = Visible(inner)  # type: ignore[arg-type]
    print(f"a\t{EVIL}", file=outer)  # type: ignore[type-var]
    outer.writelines([EVIL, "\n"])
    assert inner.getvalue() == f"a\t{SEEN}\n{SEEN}\n"


def test_rich_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # rich writes no bold where it is `dumb`
    file = StringIO()
    console = Shown(file=file, force_terminal=True, width=100)
    console.print(Panel.fit(Text(EVIL, style="bold"), title=EVIL))
    console.print(EVIL, markup=False, soft_wrap=True)
    console.control(Control.move_to_column(0))
    shown = file.getvalue()
    assert "\x1b]0;" not in shown and "\x07" not in shown and "\u202e" not in shown and "\x9b" not in shown
    assert "\x1b[1m" in shown and shown.endswith("\x1b[1G"), "bold and the cursor are still rich's to use"
    assert shown.count("PWNED") == 3


def test_on_a_terminal(tmp_path: Path) -> None:
    """The warning of an unpacked run's plugins, an error with a path, and a table."""
    (tmp_path / EVIL.strip()).mkdir()
    (tmp_path / EVIL.strip() / "run.json").write_text('{"status": "failed", "reason": "\\u001b]0;PWNED\\u0007"}')
    code = f"from backprop_cli.cli import ui; from backprop_cli.cli.main import main; ui.warn({EVIL!r}); main()"
    for arguments in (["runs", "show", EVIL.strip()], ["runs", "ls", "--runs", "."], ["eval", EVIL.strip()]):
        ours, theirs = pty.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "90"}
        with subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment
        ) as process:
            os.close(theirs)
            shown = b""
            try:
                while piece := os.read(ours, 1 << 16):
                    shown += piece
            except OSError:  # the terminal is closed
                pass
            os.close(ours)
        assert process.returncode in (0, 1, 2)
        assert b"PWNED" in shown
        assert b"\x1b]0;" not in shown and b"\x07" not in shown and "\u202e".encode() not in shown, arguments
