"""Count what tests/test_architecture.py governs: python scripts/count_rooms.py

Rooms are the folders and files at the top of the package; an arrow is one room importing from another, counted once
however many modules do so, inside functions and for type checkers too; a circle is a group of modules that can be
reached from one another; a long file has more than 250 lines.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.test_architecture import PACKAGE, ROOMS, circles, modules, room_arrows

long = [path for path in PACKAGE.rglob("*.py") if path.read_text(encoding="utf-8").count("\n") > 250]
arrows = room_arrows()
print(f"{len(ROOMS)} rooms, {len(arrows)} arrows, {len(circles(modules()))} circles, {len(long)} long files")
for room in ROOMS:
    print(f"  {room} -> {', '.join(sorted(other for one, other in arrows if one == room))}")
for path in sorted(long):
    print(f"  {path.relative_to(PACKAGE)}")
