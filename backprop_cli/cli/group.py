"""The help of `bp` and its groups of commands: under headings, without cut-off lines."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

#: the commands of `bp` as its help lists them; what is not named here comes last
SECTIONS = {
    "Train": ["train", "sweep", "eval", "predict", "export"],
    "Understand": ["check", "gradcheck", "trace", "doctor", "explain", "plot", "report", "profile", "plan"],
    "Keep": ["runs", "board", "config", "data"],
    "Learn": ["lesson", "play"],
    "What a config can name": [
        "layers",
        "activations",
        "losses",
        "optimizers",
        "schedules",
        "initializers",
        "metrics",
        "transforms",
        "callbacks",
        "loggers",
    ],
}
REST = "Other"


class Verb(TyperCommand):
    """One command. In its usage an argument that must be given stands without braces, as in a man page."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """A group of commands. Without a command it prints its help and exits with 0."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help())
            raise typer.Exit
        return super().parse_args(ctx, args)


class Root(Group):
    """`bp` itself, its commands under headings."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in self.sections().values() for name in names]

    def sections(self) -> dict[str, list[str]]:
        """The registered commands by heading."""
        known = {name for names in SECTIONS.values() for name in names}
        of_section = {title: [name for name in names if name in self.commands] for title, names in SECTIONS.items()}
        rest = sorted(self.commands.keys() - known)
        return of_section | ({REST: rest} if rest else {})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title, names in self.sections().items():
            rows = [(name.ljust(width), self.commands[name].get_short_help_str(formatter.width)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)


def dress(app: typer.Typer) -> None:
    """Make every command of `bp` and of its groups a Verb."""
    for typer_app in (app, *(info.typer_instance for info in app.registered_groups)):
        for info in typer_app.registered_commands if typer_app else ():
            info.cls = Verb


def group(help: str) -> typer.Typer:
    """A group of commands under one name, such as `bp runs`."""
    return typer.Typer(cls=Group, help=help)


def only(app: typer.Typer, arguments: Sequence[str]) -> typer.Typer:
    """The same with nothing but the command that the arguments name first, as typer reads the options of all there are,
    which takes ten times as long; with all of them where that is none, which is what help and suggestions need."""
    name = arguments[0] if arguments else ""
    commands = [info for info in app.registered_commands if _name(info) == name]
    groups = [copy(info) for info in app.registered_groups if info.name == name]
    if not commands and not groups:
        return app
    for info in groups:
        info.typer_instance = only(info.typer_instance, arguments[1:]) if info.typer_instance else None
    small = copy(app)
    small.registered_commands, small.registered_groups = commands, groups
    return small


def _name(info: Any) -> str:
    """What a command is called: as it says, else as its function (`get_command_from_info` of typer)."""
    return str(info.name or info.callback.__name__.lower().replace("_", "-"))
