"""docs/papers.md says what was measured, and nothing else."""

from __future__ import annotations

import json
import runpy

from tests.conftest import ROOT

MADE = runpy.run_path(str(ROOT / "scripts" / "make_lessons.py"), run_name="made")
MEASURED = json.loads(MADE["MEASURED"].read_text(encoding="utf-8"))


def test_the_page_is_made_from_what_was_measured() -> None:
    assert MADE["PAGE"].read_text(encoding="utf-8") == MADE["page"](MEASURED), "run scripts/make_lessons.py --page"


def test_every_lesson_on_the_page_has_its_picture_and_the_figures_of_its_file() -> None:
    for name, taken in MEASURED.items():
        figures = MADE["load"](name).figures
        assert [(each["say"], each["printed"]) for each in taken["figures"]] == [(f.say, f.printed) for f in figures]
        assert (MADE["PICTURES"] / f"{name}.png").stat().st_size < 100_000, name
