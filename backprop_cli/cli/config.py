"""`bp config`"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.completion import shipped_configs
from backprop_cli.cli.group import group
from backprop_cli.cli.options import ConfigFile, Json, Plugins, Query, Reading, Set, Unset, changes, print_json


def print_schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of configs, for editors.

    Draft 7, made from the classes themselves. An editor with a YAML language server completes and
    checks a config whose first lines hold `# yaml-language-server: $schema=bp.schema.json`.

    \b
    Examples:
      bp config schema > bp.schema.json
      bp config schema --plugin my_layers.py > bp.schema.json
    """
    from backprop_cli.config.jsonschema import schema
    from backprop_cli.config.plugin_files import load_plugin

    for path in plugin or []:
        load_plugin(path, given=True)
    print_json(schema())


def show(
    config: ConfigFile,
    set_: Set = None,
    unset: Unset = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    json: Json = False,
) -> None:
    """Print a config with every default written out.

    `extends`, --set and ${…} are resolved. With --origin each value says where it comes from:
    a line of a file, --set, or the default.

    \b
    Examples:
      bp config show configs/mnist.yaml
      bp config show configs/mnist.yaml --set optimizer.learning_rate=0.01 --origin
      bp config show configs/mnist.yaml --json
    """
    from backprop_cli.config import dump, load_config, origins, resolved
    from backprop_cli.config.spelling import flow

    cfg = load_config(config, changes(set_, unset))
    if origin:
        rows = origins(cfg)
        if json:
            print_json([{"path": path, "value": value, "origin": where} for path, value, where in rows])
            return
        width = min(max(len(path) for path, _, _ in rows), 40)
        for path, value, where in rows:
            print(f"{path:<{width}}  {flow(value):<24}  # {where}")
    elif json:
        print_json(resolved(cfg))
    else:
        print(dump(cfg), end="")


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write; - for stdout.")] = Path("config.yaml"),
    task: Annotated[
        str,
        typer.Option(
            metavar="TASK",
            help="classification, regression, sequence or images.",
            autocompletion=completion.of("classification", "regression", "sequence", "images"),
        ),
    ] = ("classification"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Your table, or folder of pictures or sounds.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="COL", help="Its column to predict.")] = None,
    query: Query = None,
    set_: Reading = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a config with comments that trains at once.

    With --data it is for that table, or those pictures or sounds, and says which guesses it makes.

    \b
    Examples:
      bp config init my.yaml
      bp config init my.yaml --data my.csv --target price
      bp config init my.yaml --data my.csv --target price --set dataset.skip_rows=2
      bp config init shapes.yaml --data shapes/
      bp config init digits.yaml --task images
      bp config init - --task sequence
    """
    from backprop_cli.config.starter import starter
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.files import write_output

    if data is None and set_:
        raise UsageError("--set says how --data is read; name a file with --data, or edit the config that is written")
    text = starter(task, str(file)) if data is None else _for_data(data, target, query, str(file), set_ or ())
    if str(file) == "-":
        print(text, end="")
        return
    try:
        write_output(file, [text.encode()], replace=force)
    except FileExistsError:
        raise UsageError(f"{file} exists; choose another name, or --force to overwrite it") from None
    print(file)
    print(f"Now: bp train {file}", file=sys.stderr)


def _for_data(data: Path, target: str | None, query: str | None, file: str, overrides: Sequence[str]) -> str:
    """The text of a config for a table, or for pictures or sounds. Raises UsageError, DataError."""
    from backprop_cli.commands.media_config import folder_config, listed_config
    from backprop_cli.commands.reading import check_layout, file_to_read
    from backprop_cli.commands.table_config import relative, table_config
    from backprop_cli.data.look import look_at_file
    from backprop_cli.data.look_column import AS_TEXT
    from backprop_cli.errors import UsageError

    if data.is_dir() and not any(data.rglob("*.parquet")):
        option = "--target is a column" if target is not None else "--set says the layout" if overrides else None
        if option is not None:
            raise UsageError(f"{option} of a table, and {data} is a folder; leave it out")
        return folder_config(data, str(file), relative(data, file))
    check_layout(overrides)
    source = file_to_read(data, overrides, target=target, query=query)
    look = look_at_file(source)
    if target is None:
        names = ", ".join(column.name for column in look.columns[:30])
        raise UsageError(f"--data {data}: say which column to predict: --target COL, one of {names}")
    files = [column for column in look.columns if column.type in ("picture", "sound") and column.role == "feature"]
    if len(files) > 1:
        raise UsageError(f"--data {data}: {files[0].name} and {files[1].name} are columns of files; keep one")
    if files:
        return listed_config(look, files[0], file, relative(data, file))
    text = table_config(look, file, relative(data, file), source)
    for column in look.columns:
        for note in column.notes:
            if column.role == "feature" and note.startswith(AS_TEXT):
                print(f"left out: {column.name}: {note}", file=sys.stderr)
    return text


def listing(json: Json = False) -> None:
    """List the configs that ship with bp.

    \b
    Examples:
      bp config ls
      bp train bp:lessons/vanishing
    """
    from backprop_cli.cli import ui
    from backprop_cli.config import shipped

    rows = [{"name": name, "about": shipped.summary(name)} for name in shipped.names()]
    if json:
        print_json(rows)
    else:
        ui.table(["name", "about"], [[row["name"], row["about"]] for row in rows])


def copy(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As `bp config ls` lists it.", autocompletion=shipped_configs)
    ],
    to: Annotated[Path, typer.Argument(metavar="TO", help="A folder, or a file ending in .yaml.")] = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Copy a config that ships, with those it extends.

    \b
    Examples:
      bp config copy xor
      bp config copy lessons/vanishing_relu experiments
    """
    from backprop_cli.config import shipped
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.files import write_output

    copies = shipped.copies(name, to)
    taken = [path for path in copies if path.exists()]
    if taken and not force:
        raise UsageError(f"{taken[0]} exists; copy to another place, or --force to overwrite it")
    for path, text in copies.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {path.parent}: {error.strerror}") from None
        write_output(path, [text.encode()])
        print(path)
    print(f"Now: bp train {next(iter(copies))}", file=sys.stderr)


def register(app: typer.Typer) -> None:
    config = group("Write, show and describe configs.")
    config.command("schema")(print_schema)
    config.command()(show)
    config.command()(init)
    config.command("ls")(listing)
    config.command()(copy)
    app.add_typer(config, name="config")
