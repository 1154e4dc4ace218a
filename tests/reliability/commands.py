"""What is asked of bp in the trials: lines of every command that the program has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from backprop_cli.cli import main as command_line

#: {run} and {config} stand for a run and a config of somebody else, {cluster} for the scheduler of a Dask cluster; a
#: line that begins with `notebook` calls a function of `backprop_cli.notebook`
LINES = """
train --resume {run} --epochs 3 --quiet
train {config} --run-dir new --quiet
train {config} --dry-run
train extends.yaml --dry-run
train link.yaml --dry-run
train weights.yaml --dry-run
sweep {config} --set seed=1,2 --runs sweeps --quiet
sweep {config} --set seed=1,2 --runs sweeps --quiet --on {cluster}
sweep table.yaml --set seed=1,2 --runs . --name swept --resume --quiet --on {cluster}
sweep table.yaml --set seed=1,2 --runs sweeps --quiet --on slurm --set-cluster jobs.yaml
sweep table.yaml -s optimizer.learning_rate=.1,.2 --search tpe --trials 3 --runs . --name searched --resume -q
eval {run}
eval {run} --checkpoint last
eval tabled --data table.csv
eval swept --data table.csv
predict {run} input.npy
predict tabled table.csv
predict swept table.csv
export {run} --to numpy -o m.npz
export {run} --to safetensors -o m.safetensors
export {run} --to onnx -o m.onnx
check {config}
check table.yaml
check pictures.yaml
check arrays.yaml
check weights.yaml
gradcheck {config}
trace {run}
trace {config}
doctor {run} --steps 5
doctor {config} --steps 5
explain {run}
explain tabled
plot {run} --kind loss -o p.svg
plot {run} --kind boundary -o p.svg
plot {run} --kind network -o p.svg
plot {run} --kind gradients -o p.svg
plot {run} --kind confusion -o p.svg
plot {run} --kind activations -o p.svg
plot {run} --kind weights -o p.svg
plot {run} --kind filters -o p.svg
plot mine {run} --kind compare -o p.svg
plot {config} --kind data -o p.svg
plot {run} --kind saliency -o p.svg
plot swept --kind slice -o p.svg
plot swept --kind parallel -o p.svg
plot searched -o p.svg
report {run} -o r.html
report mine {run} -o r.html
report swept -o r.html
profile {config}
plan {config} --nodes 2
runs ls --runs .
runs ls --runs swept
runs show {run}
runs compare {run} mine
runs compare mine {run} --plot c.svg
runs compare swept
runs summary swept
runs summary {run} mine
runs summary searched
runs pack {run} -o r.zip
runs unpack packed.zip --runs unpacked
runs prune --status failed --runs .
runs rm {run} --runs .
runs rm swept --runs .
board .
play {run}
play {run} tabled
play {config}
notebook watch .
notebook play {run}
notebook play {config}
config schema --plugin mine.py
config show {config}
config show {config} --origin
config init new.yaml
config init new.yaml --data table.csv --target kind
config ls
config copy xor
data ls
data info {config}
data info table.csv
data info pictures.yaml
data get iris
lesson ls
lesson show learning_rates
lesson show mine.lesson.yaml
lesson run mine.lesson.yaml --runs lessons
lesson run no_such_lesson
layers --plugin mine.py
activations
losses
optimizers
schedules
initializers
metrics
transforms
callbacks
loggers
""".strip().splitlines()

NOTEBOOK = "notebook"


@cache
def leaves() -> set[str]:
    """Every command of the program, groups opened: `runs ls`."""

    def inside(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        if not hasattr(command, "commands"):
            yield " ".join(path)
            return
        for name, each in command.commands.items():
            yield from inside(each, (*path, name))

    app = command_line.app
    return set(inside(typer.main.get_command(app), ()))


def leaf(line: str) -> str:
    """The command that a line asks."""
    words = line.split()
    return " ".join(words[:2]) if " ".join(words[:2]) in leaves() else words[0]
