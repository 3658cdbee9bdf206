"""An inspection in a few lines for a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from bezoar.cli.console import say
from bezoar.records import Rate, RecoveredTrigger, Skipped
from bezoar.records.inspecting import InspectionRecord
from bezoar.report.inspection import NOT_CLEAN, accuracy_in_words, inspection_headline, trigger_in_words
from bezoar.report.phrases import brief, duration, sentence, visible


def say_inspection(record: InspectionRecord, page: Path) -> None:
    """The verdict, findings, time, and where the report is."""
    headline = inspection_headline(record)
    say("")
    say(f"[bold]{headline.label}.[/] {_safe(headline.sentence)}")
    if not record.findings:
        said = (record.reason, NOT_CLEAN) if record.verdict == "no evidence" else (record.reason,)
        say(f"  {_safe(' '.join(map(sentence, said)))}")
    for number, one in enumerate(record.findings[:5], start=1):
        say(f"{number}. [bold]{_safe(brief(one.target))}[/] ({one.strength})")
        say(f"   {_safe(sentence(one.reason))}")
        if isinstance(one.trigger, RecoveredTrigger):
            say(f"   trigger: {_safe(one.trigger.description)}")
        if not isinstance(one.flip_test, Skipped):
            say(f"   test: {_safe(trigger_in_words(one))}; that is {_safe(one.flip_test.control_kind)}")
        for remedy in one.remedies:
            say(f"   to do: {_safe(remedy)}")
    if len(record.findings) > 5:
        say(f"and {len(record.findings) - 5} more in the report")
    if isinstance(record.accuracy, Rate):
        say(f"  [dim]clean samples:[/] {_safe(accuracy_in_words(record.accuracy))}")
    if record.cuts_from:
        say(f"  [dim]cuts:[/] {_safe(record.cuts_from)}")
    say(f"  [dim]false alarms:[/] {_safe(sentence(record.false_alarm))}")
    for caution in headline.cautions:
        say(f"  [dim]note:[/] {_safe(caution)}")
    say(f"time: {duration(sum(stage.seconds for stage in record.stages))}")
    say(f"report: {escape(str(page))}")


def _safe(text: str) -> str:
    """Text that may hold names from outside: nothing hidden in it, and no markup."""
    return escape(visible(text))
