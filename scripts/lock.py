"""Write constraints.txt: one version of everything that README's commands and .ci/run install, for all platforms.

    pip install uv && python scripts/lock.py

`pip install -c constraints.txt …` reads it. `--upgrade` takes the newest versions; without it what is locked stays
where pyproject.toml still admits it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("test", "docs", "cluster", "mlflow", "mpi", "search", "test-notebook", "trackio", "wandb")
HEAD = "# Made by `python scripts/lock.py`: the versions that CI installs. `pip install -c constraints.txt` reads it.\n"


def main() -> None:
    target = ROOT / "constraints.txt"
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    command = ["uv", "pip", "compile", "pyproject.toml", *extras, "--universal", "--python-version", "3.11"]
    quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    subprocess.run([*command, *quiet, "--output-file", target, *sys.argv[1:]], check=True, cwd=ROOT)
    target.write_text(HEAD + target.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
