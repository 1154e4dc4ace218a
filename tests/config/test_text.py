"""Reading YAML: scalars as people expect them, marks, and hostile input."""

import contextlib
import gc
import json
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.config.marked import MAX_DEPTH, marks, plain
from backprop_cli.config.opened import read
from backprop_cli.config.text import MAX_ALIASED, parse
from backprop_cli.errors import ConfigError


def data(text):
    problems = []
    node = parse(text, "f.yaml", problems)
    assert not problems, problems
    return plain(node)


def refused(text):
    problems = []
    try:
        parse(text, "f.yaml", problems)
    except ConfigError as error:
        problems = error.problems
    return problems[-1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("-0.25", -0.25), ("1.5e+3", 1500.0),
        ("12", 12), ("-3", -3), ("+4", 4), ("010", 10), ("0x1F", 31), ("0o17", 15),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), (".inf", float("inf")),
        ("on", "on"), ("no", "no"), ("yes", "yes"), ("off", "off"), ("Y", "Y"), ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"), ("1_000", "1_000"), ("'1'", "1"), ('"true"', "true"), ("1e", "1e"),
        ("train[:80%]", "train[:80%]"), ("-", [None]), ("=", "="), ("1.2.3", "1.2.3"), ("--set", "--set"),
    ],
)  # fmt: skip
def test_scalars(text, value):
    assert data(f"a: {text}" if text != "-" else "a:\n  -")["a"] == value
    assert type(data(f"a: {text}" if text != "-" else "a:\n  -")["a"]) is type(value)


def test_every_key_and_item_has_its_place():
    node = parse("a: 1\nb:\n  - x\n  - {c: 2,  d: [3]}\n", "f.yaml", [])
    places = {path: mark[1:] for path, mark in marks(node).items()}
    assert places[("a",)] == (1, 1)
    assert places[("b", 0)] == (3, 5)
    assert places[("b", 1, "d")] == (4, 13)
    assert places[("b", 1, "d", 0)] == (4, 17)
    assert node.value["a"].mark[1:] == (1, 4)


def test_aliases_and_merge_keys_are_written_out():
    text = "a: &x {k: 1, l: [2]}\nb: *x\nc: {<<: *x, k: 3}\nd: {<<: [*x, {m: 4}]}"
    assert data(text) == {
        "a": {"k": 1, "l": [2]},
        "b": {"k": 1, "l": [2]},
        "c": {"k": 3, "l": [2]},
        "d": {"k": 1, "l": [2], "m": 4},
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "duplicate key 'a'; it is first given in line 1"),
        ("a: {b: {c: 1, c: 2}}", 1, 15, "duplicate key 'c'"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, 4, "tag"),
        ("a: !!str 5", 1, 4, "tag '!!str' is not allowed"),
        ("a: *b", 1, 4, "not defined"),
        ("a: &base 1\nb: *bas", 2, 4, "did you mean '*base'?"),
        ("a: &x [*x]", 1, 8, "not defined"),
        ("a: " + "7" * 5000, 1, 4, "5000 digits"),
        ("a: 0x" + "f" * 5000, 1, 4, "digits"),
        ("a: 1." + "7" * 5000, 1, 4, "digits"),
        ("a: 1\nb: x\0y", 2, 5, "control character"),
        ('a: "x\\0y"', 1, 4, "NUL"),
        ("a: 1\n---\nb: 2", 2, 1, "second YAML document"),
        ("? [a, b]\n: 1", 1, 3, "as a key"),
        ("a:\n\tb: 1", 2, 1, "indent with spaces"),
        ("a: [1, 2\nb: 3", 2, 2, "expected ',' or ']'"),
        ("a:\n  b: 1\n c: 2", 3, 2, "expected `key: value`"),
        ("a: 1\nb c\nd: 1", 2, 1, "without ':'"),
        ("a: b: c", 1, 5, "does not belong"),
        ("a: 'open", 1, 9, "never closed"),
        ("a: @b", 1, 4, "quote text"),
        ("<<: 3", 1, 5, "alias of a mapping"),
    ],
)
def test_mistakes_are_placed_and_named(text, line, column, words):
    problem = refused(text)
    assert words in problem.message
    assert (problem.file, problem.line, problem.column) == ("f.yaml", line, column)


def test_all_duplicates_and_tags_come_at_once():
    problems = []
    parse("a: 1\na: 2\nb: !x 3\nc: 1\nc: 2", "f.yaml", problems)
    assert [problem.line for problem in problems] == [2, 3, 5]


HOSTILE = {
    "deep lists": "a: " + "[" * 10_000 + "]" * 10_000,
    "deep mappings": "a: " + "{a: " * 10_000 + "1" + "}" * 10_000,
    "deep block": "\n".join(" " * i + "a:" for i in range(3000)),
    "unclosed": "[" * 10_000,
    "bomb": "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
    "merge bomb": "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}}}\n" for i in range(1, 40)),
}


@pytest.mark.large
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_structure_is_refused_at_once(text):
    """In less than it takes to read 100,000 plain keys now, about a second: a busy machine is slow for both."""
    gc.collect()  # what tests before this one have left
    start = time.process_time()
    problem = refused(text)
    read_it = time.process_time()
    data("".join(f"key_{i}: {i}\n" for i in range(20_000)))
    assert read_it - start < 5 * (time.process_time() - read_it)
    assert "deep" in problem.message or f"{MAX_ALIASED:,}" in problem.message


def test_nesting_up_to_the_limit_is_read():
    assert data("[" * MAX_DEPTH + "]" * MAX_DEPTH)


@pytest.mark.long
@pytest.mark.process
def test_a_file_of_200_000_keys_stays_within_time_and_memory(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("parameters:\n" + "".join(f"  key_{i}: {i}\n" for i in range(200_000)))
    code = (
        "import sys; from pathlib import Path; from backprop_cli.config.opened import read; "
        "from backprop_cli.config.text import parse; "
        "node = parse(read(Path(sys.argv[1])), 'f', []); status = open('/proc/self/status').read(); import time; "
        "print(len(node.value['parameters'].value), time.process_time(), status.partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    keys, seconds, kibibytes = map(float, done.stdout.split())
    assert keys == 200_000
    assert seconds < 10
    assert kibibytes < 512 * 1024


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "is empty"),
        (b" \n\n", 1, "is empty"),
        ("a: 1\nb: é".encode("latin-1"), 2, "not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", 1, "binary data"),
        ("a: 1".encode("utf-16"), 1, "binary data"),
    ],
)
def test_files_that_are_no_text(tmp_path, content, line, words):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read(path)
    assert caught.value.problems[0].line == line


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "mnist.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*mnist\.yaml"):
        read(tmp_path / "mnits.yaml")
    with pytest.raises(ConfigError, match=r"is a directory; expected a YAML file$"):
        read(tmp_path)
    (tmp_path / "config.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"is a directory; .* did you mean .*config\.yaml"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / ("x" * 300))


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert data(read(path)) == {"a": 1, "b": 2}


@pytest.mark.large
@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ConfigError):
        parse(text, "f.yaml", [])


@pytest.mark.large
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc:-#'\"[]{}é\n \t01eE."),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc01", min_size=1), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_the_json_subset_writes_is_read_back(value):
    text = json.dumps({"a": value}).replace("Infinity", ".inf")
    assert data(text) == {"a": value}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 999, 1001, 5000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_too_deep_is_said_in_our_words_whichever_limit_comes_first(depth, opening):
    assert (
        "nested more than 64 levels deep"
        in refused("a: " + opening * depth if opening != "- " else "- " * depth).message
    )


def test_what_the_library_says_comes_after_what_we_say():
    """Its words change from one release to the next."""
    for text in ('a: "\\q"', "a: &", "a: !<", "%YAML 3.0\n---\na: 1", "a: |9x\n b"):
        message = refused(text).message
        assert message.startswith("not YAML: ") and message != "not YAML: "
        assert any(word in message for word in ("check quotes, brackets and indentation", "expected", "quote"))
