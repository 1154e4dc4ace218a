"""Broken configs, each with the line and words it must be reported with, and its hint carried out."""

import json
import re
from pathlib import Path

import pytest
import yaml

from backprop_cli.config import load_config
from backprop_cli.errors import ConfigError

DATA = yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text())
LINES = DATA["base"].splitlines()
HINT = re.compile(r"did you mean (?:'(?P<word>[^']*)'|(?P<value>\{.*\}|\S+?))(?: \(.*\))?\?")
KINDS = "got|key|layer|loss|source|transform|activation|initializer|schedule|metric|optimizer"
WRONG = re.compile(rf"(?:{KINDS}) '([^']*)'|got (\S+?);|^'(\S+)' is not")


def broken(case):
    return "\n".join([*LINES[: case["at"] - 1], case["put"], *LINES[case["at"] :]]) + "\n"


def test_the_base_is_right(tmp_path):
    path = tmp_path / "base.yaml"
    path.write_text(DATA["base"])
    assert load_config(path).name == "base"


def test_there_are_a_hundred():
    assert len(DATA["cases"]) >= 100


@pytest.mark.parametrize("case", DATA["cases"], ids=[case["put"].strip() for case in DATA["cases"]])
def test_a_broken_config_is_reported_at_its_line(case, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(broken(case))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    wanted = case.get("line", case["at"])
    matching = [each for each in caught.value.problems if case["says"] in each.message]
    assert matching, str(caught.value)
    problem = matching[0]
    assert (problem.file, problem.line) == (str(path), wanted), str(problem)
    if "missing key" not in case["says"] and "no " not in case["says"]:
        lines = path.read_text().splitlines()
        assert problem.column is not None and problem.column <= len(lines[wanted - 1]) + 1


HINTED = [case for case in DATA["cases"] if "did you mean" in case["says"] and not case.get("by_hand")]


@pytest.mark.parametrize("case", HINTED, ids=[case["put"].strip() for case in HINTED])
def test_the_hint_mends_it(case, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(broken(case))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    problem = next(each for each in caught.value.problems if "did you mean" in each.message)
    hint, wrong = HINT.search(problem.message), WRONG.search(problem.message)
    meant = hint["word"] or hint["value"]
    lines = path.read_text().splitlines()
    line = lines[problem.line - 1]
    if meant.startswith("{"):
        fixed = re.sub(r"(- |\[)\{?\w+: \{.*?\}+", rf"\g<1>{meant}", line)
    else:
        found = next(text for text in wrong.groups() if text)
        fixed = re.sub(rf"'{re.escape(found)}'|(?<!\w){re.escape(found)}(?!\w)", lambda _: meant, line, count=1)
    assert fixed != line
    lines[problem.line - 1] = fixed
    path.write_text("\n".join(lines))
    try:
        load_config(path)
    except ConfigError as error:
        pytest.fail(f"{fixed!r} from {json.dumps(problem.message)}: {error}")
