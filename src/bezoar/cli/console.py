"""How the command line speaks: results on stdout, everything else on stderr, bars on a terminal only."""

from __future__ import annotations

import json
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bezoar.errors import BezoarError
from bezoar.records import to_json

if TYPE_CHECKING:
    from bezoar import training  # which loads torch, and not every command needs that

errors = Console(stderr=True, soft_wrap=True)
results = Console(soft_wrap=True, highlight=False)


ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())


def command_line() -> str:
    """The command that is running, as it can be typed again."""
    return shlex.join(("bezoar", *ARGUMENTS.get()))


def say(text: str) -> None:
    """A line for the reader, on stdout."""
    results.print(text)


def counted(number: int, thing: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


@contextmanager
def own_code_speaks_on_stderr() -> Iterator[None]:
    """What a user's own model or trainer prints goes to stderr: stdout is for results, with --json for JSON alone."""
    with redirect_stdout(sys.stderr):
        yield


def print_json(record: object) -> None:
    """A record as JSON on stdout, and nothing else."""
    sys.stdout.write(to_json(record) + "\n")


def print_error(error: BezoarError) -> None:
    """An error in up to four lines: what, expected, found, what to do; with --json as JSON on stdout too."""
    if "--json" in ARGUMENTS.get():
        parts = {"what": error.what, "expected": error.expected, "found": error.found, "remedy": error.remedy}
        sys.stdout.write(json.dumps({"error": parts}) + "\n")
    errors.print(f"[bold red]error:[/] {escape(error.what)}")
    for name in ("expected", "found", "remedy"):
        text = getattr(error, name)
        if text:
            errors.print(f"  [dim]{'what to do' if name == 'remedy' else name}:[/] {escape(text)}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show each warning once, as one line on stderr without a source position."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        errors.print(f"[yellow]warning:[/] {escape(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("once")
        warnings.showwarning = show
        yield


def close_bars() -> None:
    """Take away what still moves on the terminal: a command that failed or was interrupted leaves no bar behind."""
    while _moving:
        _moving.pop().stop()


_moving: list[Progress] = []


class TerminalListener:
    """Shows the stages of a drill: each while it goes on and how long it took, and a bar while something is trained."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._stage = ""

    def begins(self, stage: str) -> None:
        """Show that the stage goes on, and since when; a bar takes its place where progress is heard of."""
        self._close()
        self._stage = stage
        if self._is_seen:
            waiting = self._started(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            waiting.add_task(escape(stage), total=None)

    def trains(self, progress: training.Progress) -> None:
        """Move the bar of a training."""
        done = (progress.epoch - 1) * progress.samples_total + progress.samples_done
        accuracy = f", accuracy {progress.last.train_accuracy:.1%}" if progress.last else ""
        speed = f"epoch {progress.epoch}/{progress.epochs}{accuracy}, {progress.images_per_second:,.0f} images/s"
        self._move(self._stage, done, progress.epochs * progress.samples_total, speed)

    def works(self, what: str, done: int, total: int) -> None:
        """Move the bar of an attack that takes long."""
        self._move(what, done, total, "")

    @property
    def _is_seen(self) -> bool:
        return not self.quiet and errors.is_terminal

    def _move(self, what: str, done: int, total: int, speed: str) -> None:
        if not self._is_seen:
            return
        if self._bar is None or self._task is None:
            self._close()
            said, speeds = TextColumn("  {task.description}"), TextColumn("{task.fields[speed]}")
            self._bar = self._started(said, BarColumn(bar_width=30), speeds, TimeRemainingColumn())
        if self._task is None or what != self._what:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._what, self._task = what, self._bar.add_task(escape(what), total=total, speed=speed)
        self._bar.update(self._task, completed=done, total=total, speed=speed)

    def _started(self, *columns: ProgressColumn) -> Progress:
        bar = Progress(*columns, console=errors, transient=True)
        bar.start()
        _moving.append(bar)
        return bar

    @contextmanager
    def bars(self) -> Iterator[Callable[[str, int, int], None]]:
        """`works`, and the bar closed at the end."""
        try:
            yield self.works
        finally:
            self._close()

    def _close(self) -> None:
        close_bars()
        self._bar = self._task = None

    def ends(self, stage: str, seconds: float) -> None:
        """Close the bar and say how long the stage took."""
        self._close()
        if not self.quiet:
            errors.print(f"  {escape(stage)} [dim]{seconds:.1f} s[/]")
