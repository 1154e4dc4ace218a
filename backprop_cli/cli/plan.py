"""`bp plan`"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from backprop_cli.cli.options import ConfigFile, Json, Set, Unset, changes, print_json

#: bytes a second, and seconds, of one unit
BANDWIDTHS = {"kbit": 125.0, "mbit": 125e3, "gbit": 125e6, "kb": 1e3, "mb": 1e6, "gb": 1e9}
LATENCIES = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def plan(
    config: ConfigFile,
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=2, help="The most ranks, one a machine.")] = 8,
    bandwidth: Annotated[
        str, typer.Option(metavar="RATE", help="Of a link: 10Gbit, 800Mbit, or 1.2GB a second.")
    ] = "10Gbit",
    latency: Annotated[str, typer.Option(metavar="TIME", help="Of a message: 20us, 0.1ms.")] = "20us",
    set_: Set = None,
    unset: Unset = None,
    json: Json = False,
) -> None:
    """Say what a step would take on several machines.

    And say where more of them stop paying. Steps are measured here, on as many rows as each of 1, 2, 4, … ranks would
    have; what summing the gradients takes is computed from their bytes and from the links. Nothing is trained.

    \b
    Examples:
      bp plan configs/mnist.yaml --nodes 8 --bandwidth 10Gbit --latency 20us
      bp plan configs/mnist.yaml --set trainer.batch_size=512 --json
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.plan import WORTH, plan_config

    rate, delay = _quantity(bandwidth, "--bandwidth", BANDWIDTHS), _quantity(latency, "--latency", LATENCIES)
    warn = None if json else ui.warn
    plan = plan_config(config, changes(set_, unset), nodes=nodes, bandwidth=rate, latency=delay, warn=warn)
    if json:
        print_json(plan)
        return
    rows = [
        [
            ranks["ranks"],
            ranks["rows"],
            f"{ranks['compute_us']:,.0f}",
            f"{ranks['communication_us']:,.0f}",
            f"{ranks['step_us']:,.0f}",
            f"{ranks['speedup']:.2f}",
            f"{100 * ranks['efficiency']:.0f} %",
        ]
        for ranks in plan["ranks"]
    ]
    columns = ["ranks", "rows each", "computing µs", "communication µs", "step µs", "speed-up", "efficiency"]
    ui.table(columns, rows, right=columns)
    print(
        f"{ui.size(plan['bytes'])} of gradients a step, batches of {plan['batch_size']}, {plan['kernels']} kernels; "
        "computing was measured here"
    )
    most, last = plan["worth"], plan["ranks"][-1]["ranks"]
    if last < nodes:
        print(f"a batch of {last} rows has work for {last} ranks at most; raise trainer.batch_size for more")
    if most == last:
        print(f"up to {most} ranks each line saves {WORTH:.0%} of a step or more")
    elif most == 1:
        print(f"a second rank saves less than {WORTH:.0%} of a step: train in one process, or raise trainer.batch_size")
    else:
        print(f"more than {most} ranks stop paying: the next ones save less than {WORTH:.0%} of a step")


def _quantity(text: str, option: str, units: dict[str, float]) -> float:
    from backprop_cli.errors import UsageError

    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zµ]+?)(?:/s|ps)?\s*", text, re.IGNORECASE)
    unit = units.get(match[2].lower()) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise UsageError(f"{option}: expected a number above 0 and one of {', '.join(units)}, got {text!r}")
    return float(match[1]) * unit


def register(app: typer.Typer) -> None:
    app.command()(plan)
