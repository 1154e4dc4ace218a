"""Follow every link of the built site that leads to a page, a heading or a file of it, and list the dead ones.

    mkdocs build --strict && python scripts/check_links.py build/site

`mkdocs --strict` checks the links in Markdown; this also checks those of HTML, pictures, and what the theme adds.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The targets of a page's links, and the names in it that links may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value and key in ("href", "src"):
                self.targets.append(value)
            elif value and key in ("id", "name"):
                self.names.add(value)


def dead(site: Path) -> list[str]:
    """`page: target` for each link within the folder `site` whose file or heading does not exist."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    lines = []
    for path, page in pages.items():
        for target in page.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue  # another site
            base = site if url.path.startswith("/") else path.parent
            file = (base / unquote(url.path).lstrip("/")).resolve() if url.path else path
            file = file / "index.html" if file.is_dir() else file
            name = unquote(url.fragment)
            if not file.exists() or (name and file in pages and name not in pages[file].names):
                lines.append(f"{path.relative_to(site.resolve())}: {target}")
    return lines


def main() -> None:
    lines = dead(Path(sys.argv[1]))
    print("\n".join([*lines, f"{len(lines)} dead links"]))
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
