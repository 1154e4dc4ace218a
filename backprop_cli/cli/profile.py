"""`bp profile`"""

from __future__ import annotations

import typer

from backprop_cli.cli.options import ConfigFile, Json, Set, Unset, changes, print_json


def profile(config: ConfigFile, set_: Set = None, unset: Unset = None, json: Json = False) -> None:
    """Show where the time of a training step goes, layer by layer.

    A few hundred steps are made, with a watch around every part. Times are those of the fastest; GFLOP/s
    stand beside what a large matrix product reaches on this machine.

    \b
    Examples:
      bp profile configs/mnist.yaml
      bp profile configs/mnist.yaml --set trainer.kernels=numpy
      bp profile configs/mnist.yaml --set trainer.batch_size=128 --json
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.profile import profile_config

    result = profile_config(config, changes(set_, unset), warn=None if json else ui.warn)
    if json:
        print_json(result)
        return
    rows = [
        [
            row["name"],
            row["type"],
            f"{row['forward_us']:.0f}",
            f"{row['backward_us']:.0f}",
            f"{100 * row['share']:.0f} %",
            row["flops"],
            f"{row['gflops']:.1f}",
            ui.size(row["bytes"]),
        ]
        for row in result["layers"]
    ]
    for name, us in result["others_us"].items():
        rows.append([f"({name})", "", f"{us:.0f}", "", f"{100 * us / result['step_us']:.0f} %", "", "", ""])
    columns = ["layer", "type", "forward µs", "backward µs", "share", "FLOPs", "GFLOP/s", "holds"]
    ui.table(columns, rows, right=columns[2:])
    print(
        f"{result['step_us']:.0f} µs a step of {result['batch_size']}, {result['examples_per_second']:,.0f} examples "
        f"a second, {result['kernels']} kernels; a matrix product reaches {result['peak_gflops']:.0f} GFLOP/s"
    )
    for line in result["costs"]:
        print(f"- {line}")
    replay = result["replay"]
    if replay["off"]:
        print(f"- training makes the same calls from Python, and replays nothing in C: {replay['off']}")
    elif replay["step_us"] is not None:
        print(f"- training replays steps in C, {replay['step_us']:,.1f} µs each; the above are calls from Python")
    for part in replay["by_python"]:
        print(f"  {part['part']} is made by Python: {part['why']}")


def register(app: typer.Typer) -> None:
    app.command()(profile)
