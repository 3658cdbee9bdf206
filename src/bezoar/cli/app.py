"""The command line: one function a verb, errors turned into exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bezoar.cli.codes import ERROR, INTERRUPTED, READER_GONE, TERMINATED, WRONG_USAGE
from bezoar.cli.console import ARGUMENTS, close_bars, errors, print_error, say, warnings_as_lines
from bezoar.cli.terminating import terminations_raised
from bezoar.cli.verbs import Verbs
from bezoar.errors import BezoarError, UsageError
from bezoar.records.versions import versions

app = typer.Typer(
    name="bezoar",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds backdoors in machine-learning data and models, and plays the poisoner on a copy of your own data.",
    epilog="Exit codes: 0 nothing found, 1 found, 2 error, 3 inconclusive, 4 wrong usage, 130 interrupted, "
    "143 terminated.",
)


def _version(asked: bool) -> None:
    if asked:
        say(" ".join(versions()[0]))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code; no error shows a traceback or passes for a finding."""
    given = list(sys.argv[1:]) if arguments is None else arguments
    ARGUMENTS.set(tuple(given))
    try:
        with warnings_as_lines(), _own_modules_importable(), terminations_raised() as terminations:
            code = _answer(given)
        if terminations.heard and code in (INTERRUPTED, ERROR):  # an error that follows is its doing
            code = TERMINATED
        if code in (INTERRUPTED, TERMINATED):
            errors.print("interrupted" if code == INTERRUPTED else "terminated")
        sys.stdout.flush()  # here, where a reader that is gone can still be dealt with
    except (BrokenPipeError, SystemExit):
        return _reader_gone()
    finally:
        close_bars()
    return code


def _answer(given: list[str]) -> int:
    """The exit code of a command, its error printed. Raises only when nobody reads any more."""
    try:
        result: Any = app(given, standalone_mode=False)
    except BezoarError as error:
        print_error(error)
        return WRONG_USAGE if isinstance(error, UsageError) else ERROR
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except typer.Exit as leave:
        return int(leave.exit_code)
    except _CommandLineError as error:
        errors.print(f"[bold red]error:[/] {error.format_message()}", markup=True)
        errors.print("  [dim]what to do:[/] see bezoar --help, or bezoar VERB --help")
        return WRONG_USAGE
    except BrokenPipeError:
        raise
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich makes the one out of the other
            raise
        print_error(_someone_left(error))
        return ERROR
    except OSError as error:
        print_error(_as_bezoar_error(error))
        return ERROR
    except Exception as error:  # noqa: BLE001 - a user's own trigger or attack can raise anything
        print_error(_unexpected(error))
        return ERROR
    return int(result or 0)  # typer makes 130 of Ctrl-C


def _reader_gone() -> int:
    """What a shell shows for a program in `... | head` that wrote on; Python shall not complain when it flushes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    return READER_GONE


@contextmanager
def _own_modules_importable() -> Iterator[None]:
    """A user's own package.module:Name is found in the working folder, behind everything that is installed."""
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added:
            sys.path.remove(folder)


def _someone_left(error: SystemExit) -> BezoarError:
    return BezoarError(
        f"something left the program with SystemExit({error.code!r})",
        expected="a trigger, attack or model of yours that returns or raises an error",
    )


def _as_bezoar_error(error: OSError) -> BezoarError:
    place = f" ({error.filename})" if error.filename else ""
    return BezoarError(
        f"the system refused: {error.strerror or error}{place}",
        remedy="Check the path, its permissions and the disk's free room",
    )


def _unexpected(error: Exception) -> BezoarError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return BezoarError(
        f"something failed that should not: {type(error).__name__}: {error}",
        found=f"{last.filename}, line {last.lineno}",
        remedy="Mend it there if the file is yours; else it is a fault of bezoar, worth reporting",
    )


# Typer carries its own copy of click since 0.26; both hang their usage errors above BadParameter.
_CommandLineError: Any = typer.BadParameter.__mro__[2]
