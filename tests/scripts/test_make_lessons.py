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


def test_a_source_is_a_link_where_its_name_says_where_it_is() -> None:
    linked = MADE["linked"]
    assert linked("Saxe 2014, arXiv:1312.6120") == "Saxe 2014, [arXiv:1312.6120](https://arxiv.org/abs/1312.6120)"
    doi = "doi:10.1016/0893-6080(89)90014-2"
    assert linked(f"Baldi 1989, {doi}; Thrun 1991") == f"Baldi 1989, [{doi}](https://doi.org/{doi[4:]}); Thrun 1991"
    assert linked("cs231n.github.io/a") == "[cs231n.github.io/a](https://cs231n.github.io/a)"
    assert linked("Minsky & Papert 1969, Perceptrons") == "Minsky & Papert 1969, Perceptrons"
