"""The command line: global options, the verbs, and what each kind of error ends with."""

import io
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pairsmith import __version__
from pairsmith.cli import configuration, fitting, people, plain, projects, stages
from pairsmith.cli.context import Settings, printable
from pairsmith.cli.edits import edits
from pairsmith.errors import INTERRUPTED_EXIT_CODE, PairsmithError

__all__ = ["app", "run"]

TERMINATED_EXIT_CODE = 143


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn prompts into a preference dataset that a DPO trainer can use and a reviewer can trust.",
    epilog="Example: pairsmith init my-dataset && pairsmith -C my-dataset run",
)
projects.register(app)
stages.register(app)
people.register(app)
app.command(epilog="Example: pairsmith edits --limit 50")(edits)
plain.register(app)
fitting.register(app)
app.add_typer(configuration.app, name="config")


@app.callback()
def main(
    context: typer.Context,
    directory: Annotated[Path, typer.Option("-C", "--directory", metavar="DIR", help="The project folder.")] = Path(),
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a configuration key, e.g. gate.min_pairs=100."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more, and show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that every verb takes, before or after its name."""
    del version  # answered by its callback, which needs no verb
    verbosity = int(verbose) - int(quiet)
    context.obj = Settings(directory.absolute(), tuple(overrides or ()), json, verbosity)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code its outcome has."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show is no reason to stop
    verbose = "-v" in given or "--verbose" in given
    try:
        _run(_options_first(given))
    except PairsmithError as error:
        _fail(str(error), error.exit_code, error if verbose else None)
    except _Terminated:
        _fail("stopped; everything done so far is stored, run the same command to carry on", TERMINATED_EXIT_CODE)
    except SystemExit as ended:
        if ended.code == INTERRUPTED_EXIT_CODE:  # Typer's own handling of Ctrl-C, which says nothing
            _fail(
                "interrupted; run the same command again to carry on: what was stored is kept, half-written output is "
                "gone",
                ended.code,
            )
        raise
    except OSError as error:  # of the machine, not of Pairsmith: a full disk, a folder that may not be written
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error}; check free space and permissions, then run again"
        _fail(message, 1, error if verbose else None)
    except Exception as error:
        todo = "report what stands above" if verbose else "run again with -v and report what it prints"
        _fail(f"unexpected {type(error).__name__}: {error}; {todo}", 1, error if verbose else None)
    raise SystemExit(0)


def _run(arguments: Sequence[str]) -> None:
    try:
        app(arguments, prog_name="pairsmith")
    finally:
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            sys.stdout = None  # or Python would try again at its end, and complain in its own words
            if not isinstance(error, BrokenPipeError):  # a reader who has seen enough is no trouble
                raise


class _Terminated(BaseException):
    """SIGTERM: unwinds like Ctrl-C, so that work in flight is stored, and ends with its own exit code."""


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _fail(message: str, code: int, error: BaseException | None = None) -> NoReturn:
    if error is not None:
        sys.stderr.write(printable("".join(traceback.format_exception(error))))
    sys.stderr.write("".join(f"error: {printable(line)}\n" for line in message.split("\n")))
    raise SystemExit(code)


_WITH_VALUE = ("-C", "--directory", "--set")
_FLAGS = ("--json", "-q", "--quiet", "-v", "--verbose", "--version")


def _options_first(arguments: Sequence[str]) -> list[str]:
    """Global options may stand after the verb; Typer wants them before it.

    >>> _options_first(["run", "-C", "here", "--json"])
    ['-C', 'here', '--json', 'run']
    """
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _WITH_VALUE:
            first += [argument, *(value for value in [next(waiting, None)] if value is not None)]
        elif argument in _FLAGS or argument.startswith(("-C", "--set=", "--directory=")):
            first.append(argument)
        else:
            rest.append(argument)
    return first + rest


if __name__ == "__main__":
    run()
