"""Write docs/lessons.md and docs/pictures/lessons/: every lesson trained over seeds, measured and drawn.

    python scripts/make_lessons.py [--seeds 5] [NAME …]

With names, only these lessons are trained again; the page keeps what it says of the others.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from backprop_cli.commands.lessons.lesson import Lesson, load, names
from backprop_cli.commands.lessons.measure import function
from backprop_cli.commands.lessons.run import run_lesson
from backprop_cli.insight.lessons import picture

ROOT = Path(__file__).parents[1]
PAGE, PICTURES = ROOT / "docs" / "lessons.md", ROOT / "docs" / "pictures" / "lessons"
MEASURED = PICTURES / "measured.json"
TOP = """\
# Lessons

Claims of textbooks and papers, each trained from configs that ship. `bp lesson run NAME` repeats one. Made by
`python scripts/make_lessons.py --seeds {seeds}`: every figure is the mean over {seeds} seeds ± their
standard deviation. {verdict}

| lesson | source | figures as expected |
|---|---|---|
"""


def measured(name: str, seeds: int) -> dict[str, Any]:
    """Train one lesson and write its picture."""
    lesson = load(name)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_lesson(lesson, Path(folder), seeds)
        wanted = dict(lesson.picture)
        own = function(lesson, wanted.pop("function")) if "function" in wanted else None
        path = picture(outcome.runs[0], PICTURES / f"{name}.png", draw=own, **wanted)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(128)
    small.save(path, optimize=True)
    figures = [each.as_json() for each in outcome.results]
    return {"date": str(date.today()), "seconds": round(outcome.seconds / seeds, 1), "seeds": seeds, "figures": figures}


def section(lesson: Lesson, found: dict[str, Any]) -> str:
    """The card of one lesson."""
    rows = []
    for each in found["figures"]:
        printed = "" if each["printed"] is None else f"{each['printed']:g}"
        here = f"{each['mean']:.4g} ± {each['std']:.2g}"
        low, high = each["expect"]
        verdict = "as expected" if each["as_expected"] else "**not as expected**"
        rows.append(f"| {each['say']} | {printed} | {here} | {low:g} … {high:g} | {verdict} |")
    shows = f" Shows {lesson.shows}." if lesson.shows else ""
    note = f"\n{lesson.note}\n" if lesson.note else ""
    return (
        f"\n## {lesson.title}\n\n{lesson.claim}\n{note}\nSource: {lesson.source}.{shows} "
        f"`bp lesson run {lesson.name}`, {found['seconds']:g} s a seed, measured {found['date']}.\n\n"
        "| figure | printed | here | expected | verdict |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"![{lesson.title}](pictures/lessons/{lesson.name}.png)\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    known = json.loads(MEASURED.read_text(encoding="utf-8")) if given.names and MEASURED.exists() else {}
    for name in given.names or names():
        known[name] = measured(name, given.seeds)
        print(name, [each["as_expected"] for each in known[name]["figures"]])
        MEASURED.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    lessons = [load(name) for name in names() if name in known]
    counts = {each.name: [figure["as_expected"] for figure in known[each.name]["figures"]] for each in lessons}
    total, right = sum(map(len, counts.values())), sum(map(sum, counts.values()))
    verdict = f"{right} of {total} figures lie where they are expected."
    rows = []
    for each in lessons:
        link = f"[{each.title}](#{anchor(each.title)})"
        rows.append(f"| {link} | {each.source} | {sum(counts[each.name])} of {len(counts[each.name])} |\n")
    table = "".join(rows)
    cards = "".join(section(each, known[each.name]) for each in lessons)
    PAGE.write_text(TOP.format(seeds=given.seeds, verdict=verdict) + table + cards, encoding="utf-8")


def anchor(title: str) -> str:
    """The fragment that Markdown makes of a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


if __name__ == "__main__":
    main()
