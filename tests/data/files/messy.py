"""Sixty tables as people, spreadsheets and programs write them, made from a seed.

Each says how pandas has to be told to read it (`pandas`), or what bp has to refuse it with (`refused`).
`python tests/data/files/messy.py FOLDER` writes them.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 40
QUOTES = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC}


@dataclass
class Messy:
    """One table: its bytes, and what is right."""

    name: str
    data: bytes
    pandas: dict[str, Any] = field(default_factory=dict)  # how pandas reads it
    dates: dict[str, str] = field(default_factory=dict)  # columns of dates and their forms, for pandas
    refused: str = ""  # what the error says, where it cannot be read in one way
    options: dict[str, Any] = field(default_factory=dict)  # what bp is told: nothing, but for a few


def number(value: float, decimal: str, thousands: str, places: int = 2) -> str:
    """A number in this writing."""
    text = f"{value:,.{places}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def rows(seed: int, decimal: str = ".", thousands: str = "", gap: str = "", gaps: bool = False, date: str = "") -> list:
    """A header and rows: money, weight, count, town, (when,) kind; numbers and words as they come."""
    rng = np.random.default_rng(seed)
    towns = ["Köln", "Orléans", "Zürich", "Århus", 'the "Hague"', "Rio, RJ; BR"]
    header = ["money", "weight", "count", "town", *(["when"] if date else []), "kind"]
    made = [header]
    for i in range(ROWS):
        cells = [
            number(rng.uniform(-20, 99_999), decimal, thousands),
            number(rng.uniform(0, 9), decimal, "", 1),
            str(int(rng.integers(0, 50))),
            towns[int(rng.integers(len(towns)))],
        ]
        if gaps and i % 7 == 3:
            cells[i % 3] = gap
        if date:
            day = np.datetime64("2023-01-01") + int(rng.integers(0, 700))
            cells.append(day.astype(object).strftime(date))
        made.append([*cells, ["yes", "no"][i % 2]])
    return made


def written(table: list, delimiter: str = ",", quoting: str = "minimal", end: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=QUOTES[quoting], lineterminator=end).writerows(table)
    return out.getvalue()


def corpus() -> list[Messy]:
    """All sixty."""
    made: list[Messy] = []

    def add(name: str, text: str | bytes, encoding: str = "utf-8", **more: Any) -> None:
        data = text if isinstance(text, bytes) else text.encode(encoding)
        pandas = {"encoding": "utf-8-sig" if encoding == "utf-8" else encoding, **more.pop("pandas", {})}
        made.append(Messy(name, data, pandas, **more))

    seed = 0
    # delimiters × decimal and thousands marks: 14
    for delimiter, name in ((",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe")):
        for decimal, thousands in ((".", ""), (",", ""), (",", "."), (".", ",")):
            if delimiter == "," and (decimal, thousands) in ((",", ""), (",", ".")):
                continue
            seed += 1
            add(
                f"{name}-{'point' if decimal == '.' else 'comma'}{'-grouped' if thousands else ''}.csv",
                written(rows(seed, decimal, thousands), delimiter),
                pandas={"sep": delimiter, "decimal": decimal, "thousands": thousands or None},
            )
    # other marks between thousands: 5
    for i, mark in enumerate((" ", "\u00a0", "\u202f", "'", "’")):
        decimal = "." if mark in "'’" else ","
        add(
            f"thousands-{i}.csv",
            written(rows(20 + i, decimal, mark), ";"),
            pandas={"sep": ";", "decimal": decimal, "thousands": mark},
        )
    # encodings: 8
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"):
        add(
            f"{encoding}.csv", written(rows(30, ",", "", gaps=True), ";"), encoding, pandas={"sep": ";", "decimal": ","}
        )
    add("bom-quoted.csv", written(rows(31), quoting="all"), "utf-8-sig")
    add(
        "utf-16-tab.tsv",
        written(rows(32, ",", "."), "\t"),
        "utf-16",
        pandas={"sep": "\t", "decimal": ",", "thousands": "."},
    )
    # gaps: 8
    for i, gap in enumerate(("", "NA", "?", "-", "n.a.", "k.A.", "#DIV/0!", ".")):
        add(f"gap-{i}.csv", written(rows(40 + i, gap=gap, gaps=True)), pandas={"na_values": [gap]})
    # dates: 6
    for i, form in enumerate(("%d.%m.%Y", "%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d.%m.%y", "%d.%m.%Y %H:%M")):
        add(f"dates-{i}.csv", written(rows(50 + i, date=form), ";"), pandas={"sep": ";"}, dates={"when": form})
    # quoting and line ends: 5
    add("quote-all-gaps.csv", written(rows(60, gaps=True), quoting="all"))
    add("quote-words.csv", written(rows(61), quoting="nonnumeric"))
    add("crlf.csv", written(rows(62, ",", "."), ";", end="\r\n"), pandas={"sep": ";", "decimal": ",", "thousands": "."})
    head = rows(63)
    head[0][1] = "weight\n(kg)"
    add("head-in-two-lines.csv", written(head))
    long = rows(64)
    for i, row in enumerate(long[1:]):
        row[3] = f"line {i}\nand, so; on"
    add("values-in-two-lines.csv", written(long))
    # what stands above: 5
    add("blank-first.csv", "\n\n" + written(rows(70)))
    add("title.csv", "Sales 2024\nall shops\n\n" + written(rows(71), ";"), pandas={"sep": ";", "skiprows": 3})
    add("comment.csv", "# made by hand\n# twice\n" + written(rows(72)), pandas={"skiprows": 2})
    add("sep.csv", "sep=;\n" + written(rows(73, ","), ";"), pandas={"sep": ";", "decimal": ",", "skiprows": 1})
    add("no-header.csv", written(rows(74)[1:]), pandas={"header": None}, options={"target": "4"})
    # shapes: 3
    rng = np.random.default_rng(80)
    add(
        "one-column.csv",
        "height\n" + "\n".join(f"{v:.2f}" for v in rng.uniform(0, 9, ROWS)) + "\n",
        options={"target": "height"},
    )
    wide = [[f"c{i}" for i in range(2000)], *([f"{v:.3f}" for v in row] for row in rng.uniform(-5, 5, (5, 2000)))]
    add("wide.csv", written(wide, ";"), pandas={"sep": ";"}, options={"target": "c0"})
    saved = [["", *rows(81)[0]], *([str(i), *row] for i, row in enumerate(rows(81)[1:]))]
    add("saved-index.csv", written(saved), pandas={"index_col": 0})
    # packed: 4
    plain = written(rows(82, ","), ";")
    told = {"sep": ";", "decimal": ","}
    add("packed.csv.gz", gzip.compress(plain.encode(), mtime=0), pandas=told)
    add("packed.csv.bz2", bz2.compress(plain.encode()), pandas=told)
    add("packed.csv.xz", lzma.compress(plain.encode()), pandas=told)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("inside.csv"), plain)
    add("packed.zip", archive.getvalue(), pandas=told)
    # what nobody can read in one way, or at all
    add(
        "ambiguous-thousands.csv",
        "a;y\n1,101;yes\n2,202;no\n3,303;yes\n",
        refused="row 1, column 'a': '1,101'.*dataset.thousands",
    )
    add(
        "ambiguous-dates.csv",
        "when;y\n03/04/2024;yes\n05/06/2024;no\n",
        refused="row 1, column 'when': '03/04/2024' is a date",
    )
    add("percent.csv", "a,y\n1%,yes\n2%,no\n3%,yes\n", refused="row 1, column 'a': '1%'.*without the sign")
    add("money.csv", "a,y\n$9.00,yes\n$8.50,no\n", refused=r"row 1, column 'a': '\$9.00'")
    add("mixed-marks.csv", "a;b;y\n1,5;1.5;yes\n2,5;2.5;no\n", refused="row 1, column 'a': '1,5'.*dataset.decimal")
    add("ragged.csv", "a,b,y\n1,2,yes\n1,2\n", refused=":3: 2 values in a row, expected 3")
    add("stray-quote.csv", "s,y\n" + 'fine,1\n' * 30 + '"good,1\n' + "fine,0\n" * 9 + '"good,1\n' + "fine,1\n" * 30,
        options={"target": "y"}, refused="row 31, column 's': a value of 11 lines")  # fmt: skip
    add("word.csv", "a,y\n" + "1,yes\n2,no\n" * 5 + "oops,yes\n", refused="row 11, column 'a': 'oops' among numbers")
    return made


if __name__ == "__main__":
    for each in corpus():
        (Path(sys.argv[1]) / each.name).write_bytes(each.data)
