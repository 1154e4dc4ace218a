"""Write docs/papers.md and docs/pictures/papers/: every lesson trained over seeds, measured and drawn.

    python scripts/make_lessons.py [--seeds 5] [--data-dir FOLDER] [--jobs 2] [NAME …]

With names, only these lessons are trained again; the page keeps what it says of the others, as it does of those that
need data that are not given. `--page` writes the page alone, from what was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from backprop_cli.commands.lessons.lesson import Lesson, load, names
from backprop_cli.commands.lessons.measure import function
from backprop_cli.commands.lessons.run import quoted, run_lesson
from backprop_cli.insight.lessons import picture

ROOT = Path(__file__).parents[1]
PAGE, PICTURES = ROOT / "docs" / "papers.md", ROOT / "docs" / "pictures" / "papers"
MEASURED = PICTURES / "measured.json"
COLORS = 128  # of a picture: small files, and still all its curves
TOP = """\
# What books and papers print

Claims and figures of textbooks and papers, each trained from configs that ship. `bp lesson ls` lists them, `bp lesson
run NAME` repeats one. `python scripts/make_lessons.py` makes this page: every figure is the mean over {seeds} seeds ±
their standard deviation. It is as expected if that mean lies in an interval that the lesson's file states; the interval
holds the printed figure.

{sources} sources, {printed} printed figures, of which {right} come out as expected ({share:.0%}); of all figures, also
those that no source prints, {all_right} of {all}. All seeds of all lessons take {minutes:.0f} minutes of one core.

## What does not come out

{failed}
## All of them

| lesson | source | printed figures | as expected |
|---|---|---|---|
"""


def measured(name: str, seeds: int, data_dir: Path | None) -> dict[str, Any]:
    """Train one lesson and write its picture."""
    lesson = load(name)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_lesson(lesson, Path(folder), seeds, data_dir=data_dir, warn=lambda text: None)
        seconds = (time.process_time() - began) / seeds
        wanted = dict(lesson.picture)
        own = function(lesson, wanted.pop("function")) if "function" in wanted else None
        path = picture(outcome.runs[0], PICTURES / f"{name}.png", draw=own, results=outcome.results, **wanted)
    with Image.open(path) as image:
        image.thumbnail((800, 800))
        small = image.convert("RGB").quantize(COLORS)
    small.save(path, optimize=True)
    figures = [result.as_json() for result in outcome.results]
    return {"date": str(date.today()), "seconds": round(seconds, 1), "seeds": seeds, "figures": figures}


def failures(lesson: Lesson, taken: dict[str, Any]) -> Iterator[str]:
    """A line for every figure that does not come out, with what is known of why."""
    for figure, result in zip(lesson.figures, taken["figures"], strict=True):
        if not result["as_expected"]:
            printed = "" if figure.printed is None else f"printed {figure.printed:g}, "
            bounds = f"expected {figure.expect[0]:g} … {figure.expect[1]:g}"
            why = f" {figure.why}" if figure.why else " Why is not known."
            link = f"[{lesson.title}](#{anchor(lesson.title)})"
            yield f"- {link}, {figure.say}: {printed}{here(result)}, {bounds}.{why}\n"


def unmeasured(known: dict[str, dict[str, Any]]) -> str:
    """Which lessons ship, and are not on the page."""
    missing = ", ".join(f"`{name}`" for name in names() if name not in known)
    return f"- Not measured yet: {missing}.\n" if missing else ""


def here(result: dict[str, Any]) -> str:
    """The mean and standard deviation; where seeds have no value, those of the others, and how many there are."""
    known = [value for value in result["values"] if math.isfinite(value)]
    if len(known) == len(result["values"]):
        return f"{result['mean']:.4g} ± {result['std']:.2g}"
    share = f"{len(known)} of {len(result['values'])} seeds"
    return f"{fmean(known):.4g} in {share}" if known else f"a value in {share}"


#: how a source is named -> where it is
ADDRESSES = {
    r"arXiv:(\d{4}\.\d{5}|\d{4}\.\d{4})": r"https://arxiv.org/abs/\1",
    r"doi:([^\s;,]+)": r"https://doi.org/\1",
    r"((?:[\w-]+\.)+(?:com|io|org|press)(?:/[^\s;,]*)?)": r"https://\1",
}


def linked(source: str) -> str:
    """A source with links: an arXiv number, a DOI, or a page."""
    for name, address in ADDRESSES.items():
        source = re.sub(rf"(?<![\w/.]){name}", lambda found, a=address: f"[{found[0]}]({found.expand(a)})", source)
    return source


def section(lesson: Lesson, taken: dict[str, Any]) -> str:
    """The card of one lesson."""
    rows = []
    for figure, result in zip(lesson.figures, taken["figures"], strict=True):
        printed = "" if figure.printed is None else f"{figure.printed:g}"
        where = quoted(figure.where, figure.quoted)
        low, high = figure.expect
        verdict = "as expected" if result["as_expected"] else "**not as expected**"
        rows.append(f"| {figure.say} | {printed} | {where} | {here(result)} | {low:g} … {high:g} | {verdict} |")
    shows = f" Shows {lesson.shows}." if lesson.shows else ""
    note = f"\n{lesson.note}\n" if lesson.note else ""
    option = " --data-dir FOLDER" if lesson.needs else ""
    files = ", ".join(dict.fromkeys(f"`{lesson.config(run).relative_to(ROOT)}`" for run in lesson.configs))
    return (
        f"\n## {lesson.title}\n\n{lesson.claim}\n{note}\nSource: {linked(lesson.source)}.{shows} From {files}: "
        f"`bp lesson run {lesson.name}{option}`, {taken['seconds']:g} s a seed, {taken['seeds']} seeds, "
        f"measured {taken['date']}.\n\n"
        "| figure | printed | where | here | expected | verdict |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        f"![{lesson.title}](pictures/papers/{lesson.name}.png)\n"
    )


def page(known: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    lessons = [load(name) for name in names() if name in known]
    results = [(lesson, result) for lesson in lessons for result in known[lesson.name]["figures"]]
    printed = [result for _, result in results if result["printed"] is not None]
    failed = "".join(line for lesson in lessons for line in failures(lesson, known[lesson.name]))
    rows = []
    for lesson in lessons:
        own = known[lesson.name]["figures"]
        number = sum(result["printed"] is not None for result in own)
        link = f"[{lesson.title}](#{anchor(lesson.title)})"
        rows.append(f"| {link} | {lesson.source} | {number} | {sum(r['as_expected'] for r in own)} of {len(own)} |\n")
    right = sum(result["as_expected"] for result in printed)
    seeds = sorted({taken["seeds"] for taken in known.values()}, reverse=True)
    top = TOP.format(
        seeds=" or ".join(map(str, seeds)),
        sources=len({source for lesson in lessons for source in lesson.source.split("; ")}),
        printed=len(printed), right=right, share=right / max(1, len(printed)),
        all=len(results), all_right=sum(result["as_expected"] for _, result in results),
        minutes=sum(taken["seconds"] * taken["seeds"] for taken in known.values()) / 60,
        failed=(failed or "Nothing: all figures are as expected.\n") + unmeasured(known),
    )  # fmt: skip
    return top + "".join(rows) + "".join(section(lesson, known[lesson.name]) for lesson in lessons)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    known = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    known = {name: taken for name, taken in known.items() if name in names()}
    wanted = [] if given.page else given.names or names()
    wanted = [name for name in wanted if load(name).needs is None or given.data_dir is not None]
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {pool.submit(measured, name, given.seeds, given.data_dir): name for name in wanted}
        for done in as_completed(running):
            known[running[done]] = done.result()
            print(running[done], [result["as_expected"] for result in done.result()["figures"]], flush=True)
            MEASURED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(known), encoding="utf-8")


def anchor(title: str) -> str:
    """The fragment that Markdown makes of a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


if __name__ == "__main__":
    main()
