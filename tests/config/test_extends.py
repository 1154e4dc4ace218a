"""`extends` and `${…}`: what a value becomes, and where it is said to come from."""

import pytest

from backprop_cli.config.extends import read_extended
from backprop_cli.config.interpolate import interpolate
from backprop_cli.config.marked import MAX_DEPTH, marks, plain
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError

BASE = "optimizer: {type: sgd, momentum: 0.9, learning_rate: 0.1}\nloss: mse\narchitecture: [flatten, relu]\n"


def extended(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    problems = []
    root = read_extended(tmp_path / "top.yaml", problems)
    return root, problems


@pytest.mark.parametrize(
    ("top", "key", "value"),
    [
        ("seed: 1", "loss", "mse"),
        ("loss: mae", "loss", "mae"),
        ("architecture: [tanh]", "architecture", ["tanh"]),
        ("optimizer: {momentum: 0.5}", "optimizer", {"type": "sgd", "momentum": 0.5, "learning_rate": 0.1}),
        ("optimizer: {type: adam, beta_1: 0.5}", "optimizer", {"type": "adam", "beta_1": 0.5}),
        ("optimizer: {type: sgd, momentum: 0}", "optimizer", {"type": "sgd", "momentum": 0, "learning_rate": 0.1}),
        ("optimizer: adam", "optimizer", "adam"),
        ("loss: {label_smoothing: 0.1}", "loss", {"type": "mse", "label_smoothing": 0.1}),
    ],
)
def test_a_file_says_only_what_differs(tmp_path, top, key, value):
    root, problems = extended(tmp_path, top=f"extends: base.yaml\n{top}", base=BASE)
    assert not problems
    assert plain(root)[key] == value
    assert "extends" not in root.value


def test_merged_values_keep_the_file_they_are_from(tmp_path):
    root, _ = extended(tmp_path, top="extends: base.yaml\noptimizer: {momentum: 0.5}", base=BASE)
    places = marks(root)
    assert places[("optimizer", "momentum")] == (str(tmp_path / "top.yaml"), 2, 13)
    assert places[("optimizer", "learning_rate")] == (str(tmp_path / "base.yaml"), 1, 39)


def test_a_chain_of_files_in_other_folders(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "far.yaml").write_text("seed: 1\nloss: mae")
    (tmp_path / "more" / "near.yaml").write_text("extends: far.yaml\nseed: 2")
    root, problems = extended(tmp_path, top="extends: more/near.yaml\nname: x")
    assert (plain(root), problems) == ({"seed": 2, "loss": "mae", "name": "x"}, [])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"top": "extends: top.yaml"}, "in turn"),
        ({"top": "extends: a.yaml", "a": "extends: b.yaml", "b": "extends: a.yaml"}, "in turn"),
        ({"top": "extends: 3"}, "expected the path"),
        ({"top": "extends: bas.yaml", "base": BASE}, "no such file; did you mean"),
        ({"top": "extends: ."}, "is a directory"),
        ({"top": "extends: base.yaml", "base": "- 1"}, "not a config"),
        ({"top": "extends: base.yaml", "base": "a: [1"}, "not YAML"),
        ({"top": "a0: 1\nextends: base.yaml", "base": "a: 1\na: 2"}, "duplicate"),
    ],
)
def test_what_cannot_be_extended(tmp_path, files, words):
    try:
        _, problems = extended(tmp_path, **files)
    except ConfigError as error:
        problems = error.problems
    (problem,) = problems
    assert words in problem.message
    assert problem.line in (1, 2)


def test_twenty_files_in_a_chain_are_refused(tmp_path):
    files = {f"f{i}": f"extends: f{i + 1}.yaml" for i in range(20)}
    _, problems = extended(tmp_path, top="extends: f0.yaml", **files)
    assert "more than 16" in problems[0].message


def interpolated(text):
    problems = []
    root = parse(text, "f.yaml", problems)
    interpolate(root, {"seed": 0, "name": "stem"}, problems)
    return plain(root), problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: '${b}', b: 3}", 3),
        ("{a: '${b}', b: 1e-3}", 0.001),
        ("{a: '${b}', b: [1, {c: 2}]}", [1, {"c": 2}]),
        ("{a: '${b.c}', b: {c: true}}", True),
        ("{a: '${b.1}', b: [x, y]}", "y"),
        ("{a: '${b.hidden.units}', b: [{type: dense, name: hidden, units: 7}]}", 7),
        ("{a: '${b.dense_1.units}', b: [flatten, {type: dense, units: 7}]}", 7),
        ("{a: '${b}-${c}.${d}${e}', b: 1, c: x, d: true, e: null}", "1-x.true"),
        ("{a: 'run-${seed}'}", "run-0"),
        ("{a: '${name}'}", "stem"),
        ("{a: '${b}', b: '${c}', c: '${d}', d: 5}", 5),
        ("{a: '$${b}'}", "${b}"),
        ("{a: '$$${b}', b: 1}", "$${b}"),
        ("{a: '${env:BP_TEST}'}", 0.25),
        ("{a: '${env:BP_TEST}x'}", "0.25x"),
        ("{a: '${env:BP_NONE,7}'}", 7),
        ("{a: '${env:BP_NONE,a,b}'}", "a,b"),
        ("{a: '${env:BP_NONE,}'}", None),
        ("{a: '$b $ {c} $'}", "$b $ {c} $"),
        ("{a: '${unclosed'}", "${unclosed"),
    ],
)
def test_references(text, value, monkeypatch):
    monkeypatch.setenv("BP_TEST", "0.25")
    data, problems = interpolated(text)
    assert not problems
    assert data["a"] == value and type(data["a"]) is type(value)


DOUBLING = "a0: [1, 1]\n" + "".join(f"a{i}: ['${{a{i - 1}}}', '${{a{i - 1}}}']\n" for i in range(1, 40))
TEXT_DOUBLING = "a0: xx\n" + "".join(f"a{i}: '${{a{i - 1}}}${{a{i - 1}}}'\n" for i in range(1, 40))
CHAIN = "".join(f"a{i}: '${{a{i + 1}}}'\n" for i in range(5000)) + "a5000: 1"
DEEPENING = "a0: " + "[" * 40 + "1" + "]" * 40 + "\n" + f"b: {'[' * 30}'${{a0}}'{']' * 30}"


@pytest.mark.large
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: ${a}", "leads back to itself"),
        ("{a: '${b}', b: '${a}'}", "leads back to itself"),
        ("{a: {b: '${a}'}}", "leads back to itself"),
        ("{a: 'x${b}', b: 'y${a}'}", "leads back to itself"),
        ("{a: '${learning_rat}', learning_rate: 1}", "did you mean 'learning_rate'?"),
        ("{a: '${b.c}', b: 1}", "names no key"),
        ("{a: '${b.7}', b: [1]}", "names no key"),
        ("{a: '${}'}", "names no key"),
        ("{a: '${env:BP_NONE}'}", "${env:BP_NONE,default}"),
        ("{a: 'x${b}', b: [1]}", "only a single value fits inside text"),
        (DOUBLING, "too many values"),
        (TEXT_DOUBLING, "text of"),
        (CHAIN, "follow one another"),
        (DEEPENING, f"more than {MAX_DEPTH} levels"),
    ],
)
def test_references_that_cannot_be_resolved(text, words):
    _, problems = interpolated(text)
    assert any(words in problem.message for problem in problems)
    assert problems[0].file == "f.yaml"
