"""What is made from the classes is what is in the repository."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "scripts" / "make_reference.py"), run_name="made")["FILES"]


@pytest.mark.parametrize("path", MADE)
def test_it_is_current(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == MADE[path](), "run python scripts/make_reference.py"


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads((ROOT / "configs" / "bp.schema.json").read_text()))
