"""A signal that ends a command ends it with 128 + its number and without a traceback, wherever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: what a handler raises while Python makes a class becomes a RuntimeError in Python 3.11
PLUGIN = """
import os

class Interrupting:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), int(os.environ["SENT"]))

class Owner:
    attribute = Interrupting()
"""


def heeding() -> None:
    """Whoever runs this may ignore signals, as nohup does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.process
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_python_turns_into_another_exception(sent: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "xor.yaml").write_text((ROOT / "configs/xor.yaml").read_text() + "plugins: [plugin.py]\n")
    done = subprocess.run(
        [sys.executable, "-m", "backprop_cli", "check", "xor.yaml"],
        cwd=tmp_path,
        env=os.environ | {"SENT": str(sent.value)},
        capture_output=True,
        text=True,
        preexec_fn=heeding,
    )
    assert done.returncode == 128 + sent
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "RuntimeError" in line] == []
