"""What a package index shows of README.md."""

from __future__ import annotations

import re
import runpy

from tests.conftest import ROOT


def test_nothing_in_it_leads_to_a_file_that_an_index_has_not() -> None:
    text = runpy.run_path(str(ROOT / "scripts" / "readme_for_index.py"))["text"]()
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []
    assert "XOR network with weights, activations and deltas" in text
    assert text.splitlines()[0] == "# bp"
