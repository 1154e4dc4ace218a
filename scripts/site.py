"""Hooks of the documentation site (mkdocs.yml): README.md is its first page, and the notes in the first lines of
fenced blocks, which tests/test_docs.py reads, become titles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(yaml|python|console) +(.+)$", re.MULTILINE)
_IN_REPOSITORY = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:configs|CONTRIBUTING|SECURITY|LICENSE|CHANGELOG)[^)]*\)")


def on_files(files: Any, config: Any) -> Any:
    """README.md as index.md, its links seen from docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fences that Markdown knows; links to files that are no pages as plain words."""
    return _IN_REPOSITORY.sub(r"\1", _FENCE.sub(_titled, markdown))


def _titled(found: re.Match[str]) -> str:
    language, note = found.groups()
    if note == "fragment" or note.startswith("not-run:"):
        return f"```{language}"
    return f'```{language} title="{note}"'
