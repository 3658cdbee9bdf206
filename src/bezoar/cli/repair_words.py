"""A repair in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape

from bezoar.cli.console import say
from bezoar.records import RepairAttempt, RepairRecord, Skipped
from bezoar.report import repair_headline
from bezoar.report.phrases import duration, sentence, visible
from bezoar.report.repair_tables import flip_rates, gained, share_text
from bezoar.report.repair_verdict import relearning_sentence, turned_sentence

FLIPS = ("the trigger turns", "right in spite", "a control turns")


def say_repair(record: RepairRecord, page: Path) -> None:
    """Say what a repair came to, and where its report is."""
    say("")
    for line in repair_lines(record):
        say(line)
    say(f"report: {escape(str(page))}")


def repair_lines(record: RepairRecord) -> Iterator[str]:
    """The summary as lines of rich markup."""
    headline = repair_headline(record)
    yield f"[bold]{headline.label}.[/] {_safe(headline.sentence)}"
    flips = (flip_rates(record.before), flip_rates(record.after))
    for name, before, after, change in (
        ("clean accuracy", record.before.accuracy, record.after.accuracy, gained(record.after.lost)),
        *((name, before, after, "") for name, before, after in zip(FLIPS, *flips, strict=True)),
    ):
        beside = f"before {share_text(before)}" + (f" ({change})" if change else "")
        yield f"  {name:<18} {_safe(share_text(after))}[dim], {_safe(beside)}[/]"
    yield f"  {_safe(relearning_sentence(record.relearning))}"
    yield f"kept: {_safe(record.chosen)}; {_safe(record.rule)}"
    for attempt in record.attempts:
        yield f"  [dim]{_safe(_attempt(attempt))}[/]"
    if record.turned is not None:
        said = sentence(turned_sentence(record.turned))
        yield f"  {_safe(said)} They very likely bear the trigger, and are in turned.csv."
    for caution in headline.cautions:
        yield f"  [dim]note:[/] {_safe(caution)}"


def _attempt(attempt: RepairAttempt) -> str:
    outcome = attempt.outcome
    if isinstance(outcome, Skipped):
        return f"{attempt.method}: not done, {outcome.reason}"
    came_to = "good" if outcome.good else outcome.why
    return f"{attempt.method}: {came_to}, {duration(outcome.cost.seconds)}"


def _safe(text: str) -> str:
    """Text that may hold names from the data: nothing hidden in it, and no markup."""
    return escape(visible(text))
