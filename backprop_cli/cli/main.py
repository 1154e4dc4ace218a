"""The command `bp`: finds the verbs, runs one, turns errors into a line and an exit code."""

from __future__ import annotations

import errno
import os
import pkgutil
import signal
import sys
from importlib import import_module

import typer

from backprop_cli import __version__, cli
from backprop_cli.errors import BpError

app = typer.Typer(
    name="bp",
    help="Train neural networks from YAML files, with a NumPy backpropagation engine you can read to the bottom.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of `bp --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"bp {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error. Also BP_DEBUG=1."),
) -> None:
    """Options of every command."""


for module in sorted({info.name for info in pkgutil.iter_modules(cli.__path__)} - {"ui"}):  # ui imports NumPy
    registered = getattr(import_module(f"{cli.__name__}.{module}"), "register", None)
    if registered is not None:
        registered(app)


def main() -> None:
    """Entry point of `bp`. Exit codes: 0 done, 1 it ran and failed, 2 wrong usage or config, 128 + signal."""
    _exit_on(signal.SIGTERM)
    _exit_on(signal.SIGHUP)
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1 or bool(os.environ.get("BP_DEBUG"))
    try:
        app(arguments, prog_name="bp")  # exits by itself, with 2 for wrong usage and 130 for Ctrl-C
    except BpError as error:
        if debug:
            raise
        fail(str(error), error.exit_code)
    except (OSError, MemoryError) as error:
        if debug:
            raise
        fail(str(error) or "out of memory", 1)
    except Exception:  # a bug, unless a module could not be imported because no file can be opened
        if debug or not _out_of_files():
            raise
        fail("too many open files; raise the limit with `ulimit -n`", 1)


def _exit_on(number: int) -> None:
    """Leave with 128 + the signal, through every `finally`; but a signal that is ignored stays ignored."""
    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, lambda *_: sys.exit(128 + number))


def _out_of_files() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def fail(message: str, status: int) -> None:
    """Say what went wrong on stderr and leave."""
    print(message if "\n" in message else f"bp: {message}", file=sys.stderr)
    sys.exit(status)
