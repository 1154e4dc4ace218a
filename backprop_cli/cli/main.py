"""The command `bp`: finds the verbs, runs one, turns errors into a line and an exit code."""

from __future__ import annotations

import errno
import os
import pkgutil
import re
import sys
import traceback
from importlib import import_module
from typing import Any, cast

import typer

from backprop_cli import cli
from backprop_cli.cli import completion, signals, streams
from backprop_cli.cli.group import Root, dress, only
from backprop_cli.errors import BpError, ConfigError, InterruptedRunError, out_of_range, plugin_failure, suggest
from backprop_cli.runs.versions import __version__
from backprop_cli.training.parallel import launch
from backprop_cli.untrusted import consent

NO_COMMANDS = {"main", "ui"}  # ui imports rich and NumPy
#: wrong usage as typer finds it; the class is click's, which newer versions of typer have inside
WrongUsage = cast(type[Exception], typer.BadParameter.__base__)

app = typer.Typer(
    name="bp",
    cls=Root,
    epilog="""\b
Start:
  bp config init my.yaml                write a config with comments
  bp train my.yaml                      train it; a run appears under ./runs
  bp eval latest                        measure it

\b
`bp COMMAND --help` explains a command, with examples.

\b
Exit codes: 0 done; 1 it ran and failed; 2 wrong usage or config; 130 and 143
stopped by a signal, after a checkpoint was written.

\b
Environment: BP_RUNS, the folder of runs; BP_CACHE, that of prepared datasets;
BP_STATE, where is noted what was trained here; BP_LIMITS, how many times as
large files may be as bp would think a trap; NO_COLOR.
""",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of `bp --help`
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(value: bool) -> None:
    if value:
        from backprop_cli.engine import kernels

        print(f"bp {__version__}\nkernels: {kernels.described()}")
        if kernels.missing():
            print(f"no compiled kernels: {kernels.missing()}; NumPy's are used", file=sys.stderr)
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error. Also BP_DEBUG=1."),
    allow_plugins: bool = typer.Option(
        False, consent.PLUGINS, help="Run the plugins of a run that was not trained here: Python code of anybody."
    ),
    allow_files: bool = typer.Option(
        False, consent.FILES, help="Read the files that the config of a run names that was not trained here."
    ),
) -> None:
    """Train neural networks from YAML files.

    The gradients come from a backpropagation engine in NumPy that one can read to the bottom, check and extend.
    """
    launch.refuse(ctx.invoked_subcommand)


for module in sorted({info.name for info in pkgutil.iter_modules(cli.__path__)} - NO_COMMANDS):
    registered = getattr(import_module(f"{cli.__name__}.{module}"), "register", None)
    if registered is not None:
        registered(app)
dress(app)


def main() -> None:
    """Entry point of `bp`. Exit codes: 0 done, 1 it ran and failed, 2 wrong usage or config, 128 + signal."""
    # these flags may stand anywhere in the line
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--debug", *consent.ALLOWED)]
    debug = "--debug" in sys.argv or bool(os.environ.get("BP_DEBUG"))
    for flag in consent.ALLOWED.keys() & set(sys.argv):
        consent.allow(flag)
    os.environ["MPLBACKEND"] = "agg"  # pictures are files; a notebook's or a broken backend must not stop them
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # looking for some in every installed package takes 0.03 s
    streams.prepare()
    if os.environ.get("_BP_COMPLETE") == "complete_bash":
        completion.for_bash(lambda: app(arguments, prog_name="bp", standalone_mode=False))
        return
    sys.unraisablehook = signals.unraisable
    try:
        try:
            signals.listen()
            code = run(arguments, debug)
        finally:
            signals.stop_listening()
    except KeyboardInterrupt:  # between two lines of `run`
        signals.stop_listening()
        code = 130
    sys.exit(code)


def run(arguments: list[str], debug: bool) -> Any:
    """Run one command; the exit code."""
    try:
        code = only(app, arguments)(arguments, prog_name="bp", standalone_mode=False)  # 130 for Ctrl-C
        sys.stdout.flush()
    except InterruptedRunError as error:
        code = fail(f"bp: {error}", error.exit_code)
        if "multiprocessing" in sys.modules:  # which has files to remove
            return code
        os._exit(code)  # all is written; taking Python down would cost ten times what the checkpoint did
    except BpError as error:
        if signals.received:
            return 128 + signals.received[-1]
        if debug:
            traceback.print_exc()
        return fail(error if isinstance(error, ConfigError) else f"bp: {error}", error.exit_code)
    except WrongUsage as error:
        return fail(usage(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (OSError, MemoryError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            return error.code  # of shell completion
        if streams.reader_left(sys.stdout):  # it has what it wanted
            streams.discard(sys.stdout)
            return 0
        if debug:
            raise
        return fail(f"bp: {plain(error)}", 1)
    except (
        Exception
    ) as error:  # a signal inside of pydantic, a plugin's bug or ours, or no file can be opened to import a module from
        if signals.received:
            return 128 + signals.received[-1]
        theirs = plugin_failure(error)
        if theirs and not debug:
            return fail(f"bp: {theirs}; --debug shows the traceback", 1)
        beyond = out_of_range(error)
        if beyond and not debug:
            return fail(f"bp: {beyond}; --debug shows where", 1)
        if debug or not _out_of_files():
            raise
        return fail("bp: too many open files; raise the limit with `ulimit -n`", 1)
    return code or 0


def _out_of_files() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def fail(message: object, status: int) -> int:
    """Say what went wrong on stderr: once, where several processes that were started together have all failed."""
    if launch.launched()[0]:
        launch.give_way()
        return status
    try:
        sys.stdout.flush()
    except OSError:
        streams.discard(sys.stdout)
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        streams.discard(sys.stderr)
    return status


def usage(error: Any) -> str:
    """One line for a wrong command line: what is wrong, what was meant, where to read more."""
    command = error.ctx.command_path if error.ctx else "bp"
    near, hint = sorted(getattr(error, "possibilities", None) or ()), ""
    text = (error.message if near else error.format_message()).replace("Value error, ", "")
    choice = re.search(r"'([^']*)' is not one of (.*)", text)
    if hasattr(error, "option_name"):
        near = [name for name in near if suggest(error.option_name.lstrip("-"), [name.lstrip("-")])]
        if not near and any("--set" in parameter.opts for parameter in error.ctx.command.params):
            hint = "; a value of the config is changed with --set KEY=VALUE"
        dashed = [argument for argument in sys.argv[1:] if argument.startswith("-") and _is_there(argument)]
        if dashed and not near:
            hint = f"; a name that begins with - comes after --: `{command} -- {dashed[0]}`"
    elif choice:
        near = [name for name in [suggest(choice[1], re.findall(r"'([^']*)'", choice[2]))] if name]
    text = (text[:1].lower() + text[1:].rstrip(".")).replace(". Did", "; did")
    hint = f"; did you mean {' or '.join(near)}?" if near else hint
    return f"{command}: {text}{hint}\nSee `{command} --help`"


def _is_there(name: str) -> bool:
    """Whether a run or a file has this name."""
    return any(os.path.lexists(os.path.join(folder, name)) for folder in ("", "runs", os.environ.get("BP_RUNS", "")))


def plain(error: BaseException) -> str:
    """An operating system's error in words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else f"cannot write: {error.strerror}"
    return f"out of memory: {error}".removesuffix(": ")
