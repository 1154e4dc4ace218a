"""Count what tests/test_architecture.py governs: python scripts/count_rooms.py

Rooms are the folders and files at the top of the package; an arrow is one room importing from another, counted once
however many modules do so, inside functions and for type checkers too; a circle is a group of modules that can be
reached from one another; a long file has more than 250 lines.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.test_architecture import PACKAGE, ROOMS, circles, modules


def room(module: str) -> str:
    return module.split(".")[0] or "__init__"


graph = modules()
pairs = [(room(name), room(other)) for name, others in graph.items() for other in others]
arrows = {(one, other) for one, other in pairs if one != other}
long = [path for path in PACKAGE.rglob("*.py") if path.read_text(encoding="utf-8").count("\n") > 250]
print(f"{len(ROOMS)} rooms, {len(arrows)} arrows, {len(circles(graph))} circles, {len(long)} long files")
for path in sorted(long):
    print(f"  {path.relative_to(PACKAGE)}")
