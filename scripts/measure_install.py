"""Install bp into a fresh environment and write into docs/install.md what each dependency weighs.

    python scripts/measure_install.py

The versions are those of constraints.txt. What a dependency weighs are the bytes of its files, compiled modules
included; what it brings along are the packages that would not be there without it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "install.md"
BEGIN, END = "<!-- made by scripts/measure_install.py -->", "<!-- end -->"
#: run in the environment: name -> its bytes and the names that it requires there
LOOK = """
import json, platform
from importlib.metadata import distributions
from packaging.requirements import Requirement
found = {}
for each in distributions():
    size = sum(path.stat().st_size for path in map(each.locate_file, each.files or []) if path.is_file())
    asked = [Requirement(line) for line in each.requires or []]
    found[each.name.lower().replace("_", "-")] = [size, [
        r.name.lower().replace("_", "-") for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})]]
print(json.dumps([platform.python_version(), platform.system(), platform.machine(), found]))
"""


def installed() -> tuple[str, dict[str, tuple[int, list[str]]]]:
    """Where it was installed, and every package that came: its bytes and what it requires."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-c", ROOT / "constraints.txt", ROOT], check=True)
        subprocess.run([*pip, "packaging"], check=True)
        told = subprocess.run([python, "-c", LOOK], check=True, capture_output=True, text=True).stdout
    version, *where, found = json.loads(told)
    return f"Python {version}, {' '.join(where)}", {name: (size, asked) for name, (size, asked) in found.items()}


def reached(found: dict[str, tuple[int, list[str]]], roots: list[str]) -> set[str]:
    """The packages that these need, themselves included."""
    seen, left = set[str](), list(roots)
    while left:
        name = left.pop()
        if name in found and name not in seen:
            seen.add(name)
            left += found[name][1]
    return seen


def purposes() -> dict[str, str]:
    """What pyproject.toml says each dependency is for; a comment before several lines is for all of them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block, said, found = (
        text[text.index("\ndependencies = [") : text.index("\n]\n", text.index("\ndependencies"))],
        "",
        {},
    )
    for line in block.splitlines():
        before, _, comment = line.partition("#")
        name = re.match(r'\s*"([A-Za-z0-9-]+)', before)
        if name:
            found[name[1]] = comment.strip() or said
        elif comment:
            said = comment.strip()
    return found


def table() -> str:
    where, found = installed()
    roots = list(purposes())
    whole = reached(found, roots)
    rows = []
    for name, purpose in purposes().items():
        if name not in found:
            continue
        own = reached(found, [name]) - reached(found, [each for each in roots if each != name])
        alone, along = found[name][0], sum(found[each][0] for each in own - {name})
        rows.append((alone + along, f"| {name} | {alone / 1e6:.1f} | {along / 1e6:.1f} | {purpose} |"))
    rows.sort(reverse=True)
    total = sum(found[each][0] for each in whole)
    ours = found["backprop-cli"][0]
    head = (
        f"{where}: {len(whole)} packages, {total / 1e6:.0f} MB, and bp itself, {ours / 1e6:.1f} MB.\n\n"
        "| dependency | MB | brings along, MB | for what |\n|---|---|---|---|\n"
    )
    return head + "\n".join(row for _, row in rows)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
