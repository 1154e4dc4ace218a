"""Every command, config and program in README.md and docs/ is run, in the order in which a reader meets them.

What a fenced block is for is in its first line:

```console              lines with `$ ` are typed into bash; exit code 0, or that of a `# exit N` at their end. The
                        lines below must appear in what they print, in order and whatever the numbers; `...`
                        stands for any lines, … at the end of a line for its rest
```yaml NAME            a whole config, written to NAME and built; without NAME only built
```yaml fragment        a part of a config, held against the schema
```python NAME          a module, written to NAME; without NAME it is a program, and run
```sh, ```toml, ```text  not run: installation, files that are not bp's, and pictures made of letters
```console not-run: WHY  the exceptions, few and with a reason
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from backprop_cli.config.marked import plain
from backprop_cli.config.text import parse
from tests.conftest import NO_NETWORK, ROOT
from tests.forked import READ_LATE, Server

MADE = ("config.md", "papers.md")  # by scripts, from what was run
DOCUMENTS = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.name not in MADE]
NOT = "not-run:"
NOT_RUN = {"sh", "toml", "text"}
EXCEPTIONS = 3  # blocks in all documents that may be marked not-run
NUMBER = re.compile(r"\b[0-9a-f]{8}\b|-?\d[\d,.]*(?:e[-+]?\d+)?")
RUN_ID = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{4}")
JQ = {  # the filters that the documents use, for machines without jq
    "-r .run_dir": lambda documents: [each["run_dir"] for each in documents],
    "-r .best.varied": lambda documents: [json.dumps(each["best"]["varied"], indent=2) for each in documents],
}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory, cut_off: Server | None) -> Path:
    """A folder for PATH with `bp`, and `jq` where the machine has none."""
    folder = tmp_path_factory.mktemp("bin")
    bp = "-m backprop_cli" if cut_off is None else f'-I -S "{ROOT}/tests/bp_forked.py" {cut_off.address}'
    scripts = {"bp": f'exec "{sys.executable}" {bp} "$@"'}
    if shutil.which("jq") is None:
        scripts["jq"] = f'exec "{sys.executable}" -m tests.test_docs "$@"'
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_does_what_it_says(document: Path, tools: Path, tmp_path: Path, cache: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    env = os.environ | {"BP_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    env.pop("COLUMNS", None)
    env["PATH"] = f"{tools}{os.pathsep}{env['PATH']}"
    for line, language, rest, body in blocks(document):
        where = f"{document.name}:{line}"
        if rest.startswith(NOT):
            continue
        if language == "console":
            for command, expected in commands(body):
                run_command(command, expected, tmp_path, env, where)
        elif language == "yaml":
            yaml_block(body, rest, tmp_path, env, where)
        elif language == "python" and rest:
            (tmp_path / rest).write_text(body, encoding="utf-8")
        elif language == "python":
            done = subprocess.run([sys.executable, "-c", body], cwd=tmp_path, env=env, capture_output=True, text=True)
            assert done.returncode == 0, f"{where}: {done.stderr}"
        else:
            assert language in NOT_RUN, f"{where}: is {language} to be run?"


def blocks(document: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, language, the rest of the first line, and text of every fenced block."""
    began, opening, inside = 0, "", list[str]()
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.startswith("```"):
            inside.append(line)
        elif began:
            language, _, rest = opening.partition(" ")
            yield began, language, rest.strip(), "\n".join([*inside, ""])
            began = 0
        else:
            began, opening, inside = number, line.removeprefix("```"), []
    assert not began, f"{document.name}:{began}: a block without an end"


def test_few_blocks_are_excepted_and_say_why() -> None:
    marked = [rest for path in DOCUMENTS for _, _, rest, _ in blocks(path) if rest.startswith(NOT)]
    assert len(marked) <= EXCEPTIONS
    assert all(rest.removeprefix(NOT).strip() for rest in marked)


def commands(body: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a block, each with the output shown below it. A line that ends in \\ goes on."""
    command, expected, going = "", list[str](), False
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected, going = line[2:], [], line.endswith("\\")
        elif going or (line.startswith("> ") and not expected):
            command, going = f"{command}\n{line.removeprefix('> ')}", line.endswith("\\")
        else:
            expected.append(line)
    yield command, expected


def run_command(command: str, expected: list[str], folder: Path, env: dict[str, str], where: str) -> None:
    code = re.search(r"# exit (\d+)$", command)
    assert set(re.findall(r"\b([A-Z_]+)=\S* +bp ", command)) <= READ_LATE, f"{where}: not seen by a fork"
    done = subprocess.run(
        [*NO_NETWORK, "bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    shown = f"{where}: $ {command}\n{done.stdout}"
    assert done.returncode == (int(code[1]) if code else 0), shown
    lines = iter([shape(line) for line in done.stdout.splitlines()])
    for line in expected:
        start, wanted = line.endswith("…"), shape(line.removesuffix("…"))
        found = line == "..." or any(each == wanted or (start and each.startswith(wanted)) for each in lines)
        assert found, f"{shown}\nhas no line like: {line}"


def shape(line: str) -> str:
    """A line without its numbers, its columns' widths and the time."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", RUN_ID.sub("-ID", line))).strip()


def yaml_block(body: str, rest: str, folder: Path, env: dict[str, str], where: str) -> None:
    if rest == "fragment":
        schema = json.loads((ROOT / "configs" / "bp.schema.json").read_text(encoding="utf-8"))
        schema.pop("then")
        jsonschema.Draft7Validator(schema).validate(plain(parse(body, where, [])))
        return
    path = folder / (rest or "block.yaml")
    path.write_text(body, encoding="utf-8")
    run_command(f"bp check {path.name}", [], folder, env, where)


def jq(arguments: list[str]) -> int:
    """Do what jq does with one of the filters of the documents."""
    decoder, text, documents = json.JSONDecoder(), sys.stdin.read().strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        documents.append(value)
        text = text[end:].strip()
    print(*JQ[" ".join(arguments)](documents), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(jq(sys.argv[1:]))
