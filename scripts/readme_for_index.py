"""README.md as a package index can show it: what leads to other files of the repository becomes words.

An index knows no other file, so a relative picture is a broken one there and a relative link leads nowhere; pictures
inside the text (`data:`) are taken out. When the project has an address, they become addresses here.

    python scripts/readme_for_index.py
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)[^)]*\)")
_ASIDE = re.compile(r"\s*\(\[[^\]]+\]\((?!https?:|#)[^)]*\)\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)[^)]*\)")


def text() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    words = _PICTURE.sub(r"*picture in the source archive and on the documentation site: \1*", readme)
    return _LINK.sub(r"\1", _ASIDE.sub("", words))


if __name__ == "__main__":
    print(text(), end="")
