"""Every config that ships: says how to run it, fits the schema beside it, builds, and takes steps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from backprop_cli import load_config
from backprop_cli.commands.check import check_config, config_gradients
from backprop_cli.config.dump import resolved
from backprop_cli.config.marked import plain
from backprop_cli.config.spelling import flow
from backprop_cli.config.text import parse

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if not path.name.endswith(".lesson.yaml"))
DOWNLOADS = {"mnist"}  # steps in test_end_to_end.py, cut off from the network
#: step on their fallback
OFFLINE = {"lecun1989", "nielsen_small", "nielsen_mnist", "nielsen_first_weights", "nielsen_more_data",
           "nielsen_convolution", "nielsen_dense"}  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((ROOT / "configs" / "bp.schema.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_opens_with_its_command_and_names_its_schema(path: Path, schema: jsonschema.Draft7Validator) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# bp train {path.relative_to(ROOT)}"
    named = re.search(r"^# yaml-language-server: \$schema=(\S+)$", "\n".join(lines), re.MULTILINE)
    assert named and (path.parent / named[1]).is_file()
    assert all(lines[0] == line or line.strip() for line in lines[: lines.index(named[0])])
    schema.validate(plain(parse(path.read_text(encoding="utf-8"), str(path), [])))


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem not in DOWNLOADS], ids=lambda path: path.stem)
def test_a_config_builds_and_steps(path: Path) -> None:
    found, error = check_config(path, offline(path))
    assert error is None, error
    assert found["valid"] and found["layers"] and found["parameters"]
    assert found["seconds_per_epoch"] > 0


def offline(path: Path) -> list[str]:
    """The override that takes a config's fallback for its dataset."""
    if path.stem not in OFFLINE:
        return []
    dataset = resolved(load_config(path))["dataset"]
    return [f"dataset={flow(dataset['fallback'] | {'transforms': dataset['transforms']})}"]


@pytest.mark.long
def test_a_config_that_downloads_builds_without_a_network(bp) -> None:
    for name in DOWNLOADS:
        done = bp("check", f"configs/{name}.yaml", "--json", unshared=True)
        assert done.code == 0, done.err
        assert done.json["valid"]


def test_no_other_yaml_lies_about() -> None:
    assert {path.suffix for path in (ROOT / "configs").rglob("*") if path.is_file()} == {".yaml", ".json", ".py"}
    assert all(isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict) for path in CONFIGS)


@pytest.mark.parametrize("name", ["cnn", "deep_sigmoid_batch_norm", "clip_rnn"])
def test_the_gradients_of_a_config_are_right_on_its_own_data(name: str) -> None:
    """Blank patches of an image put ReLUs behind biases of 0 on their kink."""
    found = config_gradients(ROOT / "configs" / f"{name}.yaml", [])
    assert found["passed"], found["checks"]
