"""`bp data info`, `bp config init --data` and `bp plot --kind data`: what is in a table, before anything is trained."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path

import pytest
import yaml

from backprop_cli.commands.table_config import table_config
from backprop_cli.config import load_config
from backprop_cli.config.spelling import flow
from backprop_cli.data.files import Files
from backprop_cli.data.look import file_source, look_at_file
from backprop_cli.errors import DataError


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """As a German Excel writes them: 200 rows, prices that hang on area and town."""
    rng = random.Random(1)
    lines = ["nr;name;area;town;built;sold;since;city;note;empty;same;price"]
    for i in range(200):
        area, town = rng.uniform(40, 200), rng.choice(["Köln", "Bonn", "Berlin"])
        price = f"{area * 3000 + 50_000 * len(town) + rng.gauss(0, 5000):,.0f}".replace(",", ".")
        built = "" if i % 9 == 0 else str(rng.randint(1950, 2020))
        note = f"ein schönes Haus mit Garten und {i} Bäumen"
        since = f"{1 + i % 28:02}.{1 + i % 12:02}.2021"
        sold = rng.choice(["ja", "nein"])
        cells = [str(i + 1), f"H{i}", f"{area:.1f}".replace(".", ","), town, built, sold, since]
        lines.append(";".join([*cells, f"{town} " if i % 5 else town, note, "", price, price]))
    path = tmp_path / "houses.csv"
    path.write_text("\n".join([*lines, lines[-1]]) + "\n", encoding="cp1252")
    return path


def look(path: Path, **options):
    return look_at_file(file_source(path, **options))


def test_each_column_is_taken_for_what_it_is(houses):
    found = look(houses, target="price")
    kinds = {each.name: (each.type, each.missing, each.distinct, each.width) for each in found.columns}
    built = found.column("built").distinct
    area = found.column("area").distinct
    assert kinds == {
        "nr": ("number", 0, 200, 1),
        "name": ("id", 0, 200, 200),
        "area": ("number", 0, area, 1),
        "town": ("category", 0, 3, 3),
        "built": ("number", 23, built, 1),
        "sold": ("boolean", 0, 2, 2),
        "since": ("date", 0, 84, 1),
        "city": ("category", 0, 6, 6),
        "note": ("text", 0, 200, None),
        "empty": ("constant", 201, 0, 1),
        "same": ("number", 0, 200, 1),
        "price": ("number", 0, 200, 1),
    }
    notes = {each.name: "; ".join(each.notes) for each in found.columns if each.notes}
    assert "equals the target" in notes["same"]
    assert "differ only in case or in spaces" in notes["city"]
    assert "is empty" in notes["empty"]
    assert "in nearly every row" in notes["name"]
    assert "1 rows stand there more than once" in found.notes
    assert "delimiter: ';'" in found.notes[0] and "encoding: 'cp1252'" in found.notes[0]
    assert found.column("since").range[0] == "2021-01-01"


def test_rows_that_are_numbered(tmp_path):
    (tmp_path / "t.csv").write_text("id,a,y\n" + "".join(f"{i},{i * 7 % 10 / 10},{'xy'[i % 2]}\n" for i in range(30)))
    found = look(tmp_path / "t.csv", target="y")
    assert found.column("id").type == "id"
    assert found.column("y").frequent == [["x", 15], ["y", 15]]


def test_numbers_that_are_written_as_text(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i}%,{'xy'[i % 2]}\n" for i in range(9)))
    assert "numbers written as text, such as '0%' in row 1" in look(tmp_path / "t.csv").column("a").notes[-1]


def test_the_value_that_is_no_number_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i}.5,{i}\n" for i in range(40)) + "Summe,780\n")
    assert "'Summe' in row 41" in look(tmp_path / "t.csv").column("a").notes[-1]


def test_a_config_does_not_learn_from_numbers_that_are_read_as_categories(bp, tmp_path):
    (tmp_path / "t.csv").write_text("p,n,q,y\n" + "".join(f"{i}.5%,{i % 7},{i},{i * 10} €\n" for i in range(40)))
    done = bp("config", "init", "t.yaml", "--data", "t.csv", "--target", "q")
    assert done.code == 0 and "left out: p: numbers written as text, such as '0.5%' in row 1: write" in done.err
    assert "exclude: [p, y]" in (tmp_path / "t.yaml").read_text(encoding="utf-8")
    refused = bp("config", "init", "u.yaml", "--data", "t.csv", "--target", "y")
    assert refused.code == 2 and "target 'y': numbers written as text, such as '0 €' in row 1" in refused.err


def test_values_of_several_lines_are_shown_in_one(bp, tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f'"one\ntwo {i % 2}",{i}\n' for i in range(20)))
    shown = bp("data", "info", "t.csv").out
    assert "one two 0 10, one two 1 10" in shown
    assert look(tmp_path / "t.csv").column("a").examples == ["one two 0", "one two 1"]


def test_gaps_of_databases_and_clocks_of_twelve_hours(tmp_path):
    rows = [
        f"{1 + i % 12}/{13 + i}/2024 {1 + i % 12}:05 {'PM' if i % 2 else 'AM'}\t"
        + ("\\N" if i % 4 else f"{i}.5")
        + "\t\\N\n"
        for i in range(12)
    ]
    (tmp_path / "t.tsv").write_text("d\ta\ty\n" + "".join(rows))
    found = look(tmp_path / "t.tsv")
    assert found.layout.na_values == ["\\N"] and found.layout.dates == {"d": "%m/%d/%Y %I:%M %p"}
    assert (found.column("a").missing, found.column("a").range) == (9, [0.5, 4.5, 8.5])
    assert found.column("y").missing == 12
    hours = [value % 1 * 24 for value in found.column("d").values.to_pylist()[:2]]
    assert hours == pytest.approx([1 + 5 / 60, 14 + 5 / 60], abs=1e-6)


def test_a_comment_below_the_table_does_not_hide_its_header(tmp_path):
    (tmp_path / "t.csv").write_text(
        "# logger 2\n# unit: C\nt;v\n" + "".join(f"{i};{i},5\n" for i in range(9)) + "# end\n"
    )
    with pytest.raises(DataError, match=r"t\.csv:13: 1 value in a row, expected 2: '# end'"):
        look(tmp_path / "t.csv", target="v")


@pytest.mark.parametrize("mark", ["\u202f", "\u00a0", " ", "'", "’"])
def test_a_mark_between_thousands_survives_the_config(tmp_path, mark):
    assert yaml.safe_load(f"thousands: {flow(mark)}    # guessed") == {"thousands": mark}
    rows = "".join(f"{i + 1}{mark}000,5;{'ja' if i % 2 else 'nein'}\n" for i in range(20))
    (tmp_path / "t.csv").write_text("a;y\n" + rows, encoding="utf-8")
    text = table_config(look(tmp_path / "t.csv", target="y"), "t.yaml", str(tmp_path / "t.csv"))
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "t.yaml").dataset.thousands == mark


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("word", ["Total", "SUMME:", "Grand total"])
def test_a_total_below_the_table_is_noticed_and_stays(tmp_path, word, form):
    rows = [["id", "city", "y"], *([f"{i}", f"town {i % 3}", i % 7] for i in range(30)), [word, None, 87]]
    path = write_table(tmp_path / f"t.{form}", rows)
    seen = look(path, target="y")
    assert seen.rows == 31
    assert [note for note in seen.notes if note.startswith("row 31, the last")] == [
        f"row 31, the last, is read as any other, and column 'id' calls it {word!r}: delete it from the file if it "
        "sums up the rows above"
    ]
    for others in (rows[:-1], [*rows, [word, None, 3]]):  # none there; or a name that several rows have
        assert not any("the last" in note for note in look(write_table(path, others), target="y").notes)


def write_table(path, rows):
    """A table as CSV or, by its suffix, as a sheet."""
    if path.suffix == ".xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    else:
        path.write_text("".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows))
    return path


def test_what_is_wrong_with_the_file_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,2\n3\n")
    with pytest.raises(DataError, match=r"t\.csv:3: 1 value in a row, expected 2"):
        look(tmp_path / "t.csv")
    with pytest.raises(DataError, match="no column 'z'"):
        look(tmp_path / "t.csv", target="z")


def test_info_of_a_file_a_config_and_a_name(bp, houses):
    about = bp("data", "info", houses, "--json").json
    assert about["rows"] == 201
    assert {"name", "type", "missing", "distinct", "examples", "width", "notes"} <= about["columns"][0].keys()
    shown = bp("data", "info", houses.name, "--target", "sold")
    assert "sold (target)  boolean" in shown.out and "classes: " in shown.out
    written = bp("config", "init", "houses.yaml", "--data", houses.name, "--target", "sold")
    assert written.code == 0, written.err
    text = (houses.parent / "houses.yaml").read_text(encoding="utf-8")
    for option in ("epochs", "batch_size", "metrics", "monitor", "patience", "delimiter", "encoding"):
        assert re.search(rf"^ *{option}: .* # \w.{{15}}", text, re.MULTILINE), option
    of_config = bp("data", "info", "houses.yaml", "--json").json
    assert of_config["balance"].keys() == {"ja", "nein"}
    assert {each["name"] for each in of_config["columns"] if each["role"] == "unused"} == {"name", "note", "empty"}
    assert [each["name"] for each in bp("data", "info", "iris", "--json").json["columns"]][-1] == "y"
    assert bp("data", "info", "mnist5k", "--json").json["columns"] == []
    assert "did you mean 'houses.csv'" in bp("data", "info", "house.csv").err


@pytest.mark.parametrize(("target", "metric", "least"), [("price", "r2", 0.9), ("town", "accuracy", 0.5)])
def test_a_config_for_a_table_trains_at_once(bp, houses, target, metric, least):
    done = bp("config", "init", "mine.yaml", "--data", houses.name, "--target", target)
    assert done.code == 0, done.err
    text = (houses.parent / "mine.yaml").read_text()
    assert "decimal: ','    # guessed from the file" in text
    assert "# note: free text" in text and "# name: has another value in nearly every row" in text
    assert yaml.safe_load(text)["dataset"]["target"] == target
    result = bp("train", "mine.yaml", "--run-dir", "r", "--json", "--quiet")
    assert result.code == 0, result.err
    assert bp("eval", "r", "--json").json["metrics"][metric] > least


def test_a_config_for_a_table_in_another_folder(bp, houses):
    (houses.parent / "configs2").mkdir()
    assert bp("config", "init", "configs2/mine.yaml", "--data", houses.name, "--target", "sold").code == 0
    assert "path: ../houses.csv" in (houses.parent / "configs2" / "mine.yaml").read_text()
    assert bp("check", "configs2/mine.yaml").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "houses.csv"), 2, "--target COL, one of nr, name"),
        (("--data", "houses.csv", "--target", "prize"), 2, "did you mean 'price'"),
        (("--data", "houses.csv", "--target", "empty"), 2, "nothing to predict"),
        (("--data", "house.csv", "--target", "price"), 1, "did you mean 'houses.csv'"),
    ],
)
def test_mistakes_on_the_way_to_a_config(bp, houses, arguments, code, words):
    done = bp("config", "init", "mine.yaml", *arguments)
    assert (done.code, words in done.err) == (code, True), done.err
    assert not (houses.parent / "mine.yaml").exists()


def test_what_is_not_to_be_guessed_is_said_on_the_command_line(bp, houses):
    rows = "".join(f"{i % 9},5|{i * 7 % 11}|{'ja' if i % 2 else 'nein'}\n" for i in range(30))
    (houses.parent / "t.csv").write_text("a note|of two|cells\na|b|y\n" + rows)
    how = ("--set", "dataset.skip_rows=1", "-s", "dataset.delimiter=|", "-s", "dataset.header=true")
    about = bp("data", "info", "t.csv", "--target", "y", *how, "--json").json
    assert (about["rows"], [column["name"] for column in about["columns"]]) == (30, ["a", "b", "y"])
    done = bp("config", "init", "t.yaml", "--data", "t.csv", "--target", "y", *how)
    assert done.code == 0, done.err
    text = (houses.parent / "t.yaml").read_text()
    assert "skip_rows: 1    # lines above the header" in text and "header: true    # whether" in text
    assert "decimal: ','    # guessed from the file" in text
    assert bp("data", "info", "t.yaml", "--json").json["rows"] == 30
    assert bp("data", "info", "t.yaml", "--json", "--set", "dataset.skip_rows=2").code == 2  # no column 'y' is left


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("data", "info", "houses.csv", "--set", "dataset.skip_rows=x"), "dataset.skip_rows: expected a whole number"),
        (("data", "info", "houses.csv", "--set", "dataset.skip_row=2"), "did you mean 'skip_rows'?"),
        (("data", "info", "houses.csv", "--set", "seed=2"), "expected a key of dataset, such as dataset.skip_rows=2"),
        (("data", "info", "iris", "--set", "dataset.skip_rows=2"), "iris is no file; --set says how a file is read"),
        (("config", "init", "--set", "dataset.skip_rows=2"), "name a file with --data"),
        (("config", "init", "--data", ".", "--set", "dataset.header=true"), "--set says the layout of a table"),
        (
            ("config", "init", "--data", "houses.csv", "--target", "sold", "--set", "dataset.missing=mean"),
            "expected how the table is read: dataset.delimiter, dataset.header",
        ),
    ],
)
def test_a_wrong_way_to_read_a_file_is_refused(bp, houses, command, said):
    done = bp(*command)
    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.long
def test_a_picture_of_each_column_against_the_target(bp, houses):
    bp("config", "init", "mine.yaml", "--data", houses.name, "--target", "price")
    for name in (houses.name, "mine.yaml"):
        done = bp("plot", name, "--kind", "data", "-o", f"{name}.svg")
        assert done.code == 0, done.err
        assert b"<svg" in (houses.parent / f"{name}.svg").read_bytes()[:500]
    assert bp("plot", houses.name, "--kind", "data").out == "data-houses.png\n"
    assert bp("plot", "iris", "--kind", "data").code == 2


def test_what_a_config_makes_of_columns_is_what_training_makes_of_them() -> None:
    cfg = load_config(Path(__file__).parents[2] / "configs" / "flats.yaml")
    assert isinstance(cfg.dataset, Files)
    seen = look_at_file(cfg.dataset, cfg.folder)
    assert {each.name: (each.type, each.width) for each in seen.columns if each.role == "feature"} == {
        "area": ("number", 2),
        "built": ("number", 1),
        "quarter": ("category", 1),
        "house": ("category", 3),
        "balcony": ("boolean", 1),
        "let": ("date", 2),
    }
    trained = cfg.dataset.load(0, cfg.folder)
    assert trained.input_shape == (seen.as_dict()["width"],)
    assert "becomes category, one_hot; 3 categories" in seen.column("house").notes[0]


def test_a_database_of_several_tables_is_asked_which_rows(bp, tmp_path):
    with sqlite3.connect(tmp_path / "d.sqlite") as database:
        database.execute("CREATE TABLE houses (area REAL, price REAL)")
        database.execute("CREATE TABLE towns (name TEXT)")
        database.executemany("INSERT INTO houses VALUES (?, ?)", [(i, 3 * i) for i in range(40)])
    assert "dataset.query: SELECT * FROM" in bp("data", "info", "d.sqlite").err
    query = ["--query", "SELECT area, price FROM houses WHERE area > 9", "--target", "price"]
    assert "30 rows; x has 1 column" in bp("data", "info", "d.sqlite", *query).out
    assert bp("config", "init", "d.yaml", "--data", "d.sqlite", *query).code == 0
    assert "query: SELECT area, price FROM houses WHERE area > 9    # which rows" in (tmp_path / "d.yaml").read_text()
    assert bp("data", "info", "d.yaml", "--json").json["rows"] == 30
    assert bp("data", "info", "d.yaml", "--query", "SELECT * FROM houses", "--json").json["rows"] == 40


DATA = [[i, "AB"[i % 2], 3 * i + 0.5] for i in range(12)]
NAMES = ["area", "town", "price"]


def sheet(path, rows):
    book = pytest.importorskip("openpyxl").Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("above", "named", "skipped"),
    [
        ([["Report 2024"], []], NAMES, 2),
        ([["Report 2024"]], NAMES, 1),
        ([[], [], ["Report"], ["from", "x"], []], NAMES, 5),
        ([["Report"]], [None, "town", "price"], 1),
        ([], NAMES, 0),
        ([], [2019, "town", 2021], 0),
        ([], None, 0),
    ],
)
def test_titles_above_the_header_of_a_sheet_are_skipped_and_said(tmp_path, above, named, skipped):
    path = sheet(tmp_path / "t.xlsx", [*above, *([named] if named else []), *DATA])
    seen = look(path)
    names = ["0", "1", "2"] if named is None else [str(name or "Unnamed: 0") for name in named]
    assert (seen.rows, [column.name for column in seen.columns], seen.layout.skip_rows) == (12, names, skipped)
    assert (f"skip_rows: {skipped} (guessed" in "".join(seen.notes)) == bool(skipped)
    assert ("header: false (guessed" in "".join(seen.notes)) == (named is None)


def test_a_model_of_a_sheet_with_a_title_takes_sheets_with_and_without_one(bp, tmp_path):
    sheet(tmp_path / "t.xlsx", [["Report"], [], NAMES, *DATA])
    assert bp("config", "init", "t.yaml", "--data", "t.xlsx", "--target", "price").code == 0
    assert "skip_rows: 2    #" in (tmp_path / "t.yaml").read_text()
    assert bp("train", "t.yaml", "--run-dir", "r", "-s", "trainer.epochs=1").code == 0
    assert "skip_rows: 2" in (tmp_path / "r/config.yaml").read_text()
    sheet(tmp_path / "plain.xlsx", [NAMES, *DATA])
    sheet(tmp_path / "other.xlsx", [["A"], ["B"], [], NAMES, *DATA])
    predicted = {name: bp("predict", "r", name).out for name in ("t.xlsx", "plain.xlsx", "other.xlsx")}
    assert predicted["t.xlsx"].count("\n") >= 12
    assert len(set(predicted.values())) == 1


@pytest.mark.parametrize("form", ["xlsx", "parquet", "feather", "jsonl"])
def test_text_in_typed_files_is_read_as_people_write_numbers_and_dates(tmp_path, form):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "price": [f"{i}.234,5" for i in range(1, 31)],
            "gap": ["?" if i % 7 == 0 else str(i) for i in range(30)],
            "day": [f"{1 + i % 28}.3.2024" for i in range(30)],
            "town": ["Rome", "Oslo"] * 15,
        }
    )
    path = tmp_path / f"t.{form}"
    if form == "xlsx":
        frame.to_excel(path, index=False)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        getattr(frame, f"to_{form}")(path)
    seen = look(path)
    kinds = {column.name: (column.type, column.missing) for column in seen.columns}
    assert kinds == {"price": ("number", 0), "gap": ("number", 5), "day": ("date", 0), "town": ("category", 0)}
    assert seen.column("price").range[2] == 30234.5
    note = "read with decimal: ',', thousands: '.', na_values: ['?'], dates: {'day': '%d.%m.%Y'} (guessed"
    assert note in "".join(seen.notes)


def test_a_config_for_splits_in_files_of_their_own_trains_at_once(bp, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(60), "b": [i % 7 for i in range(60)], "y": ["p", "q"] * 30})
    cases = {
        "two": {"train": (0, 40), "test": (40, 60)},
        "three": {"train": (0, 30), "validation": (30, 40), "test": (40, 60)},
        "one": {"train-00000-of-00002": (0, 40), "train-00001-of-00002": (40, 60)},
    }
    watched = {}
    for name, files in cases.items():
        (tmp_path / name).mkdir()
        for file, (start, stop) in files.items():
            frame[start:stop].to_parquet(tmp_path / name / f"{file}.parquet")
        assert bp("config", "init", f"{name}.yaml", "--data", name, "--target", "y").code == 0
        text = (tmp_path / f"{name}.yaml").read_text()
        assert f"name: {name}\n" in text
        watched[name] = (text.partition("monitor: ")[2].split()[0], "  splits: {train: 70%" in text)
        assert bp("train", f"{name}.yaml", "--run-dir", f"run-{name}", "-s", "trainer.epochs=1").code == 0
    assert watched == {
        "two": ("train/loss", False),
        "three": ("validation/loss", False),
        "one": ("validation/loss", True),
    }


def test_a_folder_of_pictures_of_several_sizes_is_described_without_an_option(bp, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i in range(6):
        (tmp_path / "shop" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        image.new("L" if i < 2 else "RGB", (8 + i // 3, 6)).save(tmp_path / "shop" / "ab"[i % 2] / f"{i}.png")
    (tmp_path / "shop" / "a" / "x.png").write_bytes(b"no picture")
    (tmp_path / "shop" / "a" / ".hidden.png").write_bytes(b"no picture")
    seen = bp("data", "info", "shop", "--json").json
    assert (seen["images"], seen["classes"]) == (7, {"a": 4, "b": 3})
    assert seen["size"] == {"6 × 8": 3, "6 × 9": 3} and seen["mode"] == {"RGB": 4, "L": 2}
    assert seen["damaged"] == ["shop/a/x.png: not an image, or a damaged one"]
    assert "size     6 × 8: 3, 6 × 9: 3\n" in bp("data", "info", "shop").out


def test_a_sheet_whose_first_row_may_be_a_title_is_refused(tmp_path):
    path = sheet(tmp_path / "t.xlsx", [["Report 2024"], *([i] for i in range(50)), NAMES, *DATA])
    with pytest.raises(
        DataError, match="names 1 of 3 columns: 'Report 2024'; if the names are 'area, town, price', set dat"
    ):
        look(path)


def test_rows_above_the_header_of_a_sheet_are_set_by_hand(tmp_path):
    sheet(tmp_path / "t.xlsx", [["Report 2024"], [], NAMES, *DATA[:9]])
    whole = look(tmp_path / "t.xlsx", skip_rows=2, target="price")
    assert (whole.rows, [column.name for column in whole.columns]) == (9, ["area", "town", "price"])
    bare = look(tmp_path / "t.xlsx", skip_rows=3, header=False)
    assert (bare.rows, [column.name for column in bare.columns]) == (9, ["0", "1", "2"])
