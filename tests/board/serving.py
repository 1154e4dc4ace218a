"""A board as a real process on a free port of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.conftest import ROOT


class Served:
    """Where it listens, and what it answers."""

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.pid = address, pid

    def get(self, path: str, *query: tuple[str, str], **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text."""
        url = f"{self.address.split('?')[0]}{path}"
        request = urllib.request.Request(f"{url}?{urlencode(query)}" if query else url)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, dict(response.headers), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    def json(self, path: str, *query: tuple[str, str]) -> Any:
        status, _, text = self.get(path, *query)
        assert status == 200, text
        return json.loads(text)


@contextmanager
def serving(*arguments: str | Path, cwd: Path) -> Iterator[Served]:
    """A `bp` command that serves, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "backprop_cli", *map(str, arguments), "--port", "0"],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "BP_CACHE": str(cwd / "cache")},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), address + process.stdout.read()
        yield Served(address, process.pid)
    finally:
        process.terminate()
        said = process.communicate(timeout=20)[0]
        assert "Traceback" not in said, said
