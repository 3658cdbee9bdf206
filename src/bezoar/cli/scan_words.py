"""A scan in a few lines for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape

from bezoar.cli.console import counted, say
from bezoar.records import Finding, Rate, RecoveredTrigger, ScanRecord, Skipped
from bezoar.report import scan_headline
from bezoar.report.phrases import brief, duration, interval, measured, percent, quoted, sentence, some_of, visible
from bezoar.report.scan_finding import covers_in_words

MOST_FINDINGS, MOST_REMARKS, MOST_CONTRIBUTORS = 5, 8, 3


def say_scan(record: ScanRecord, page: Path, *, data: str = "DATA") -> None:
    """The verdict, findings, remarks, times, and where the report is. `data` is what was scanned, as it was typed."""
    say("")
    for line in scan_lines(record):
        say(line)
    if record.findings:
        say(f"next: {escape(clean_command(data, page.parent))}")
    say(f"report: {escape(str(page))}")


def scan_lines(record: ScanRecord) -> Iterator[str]:
    """The summary as lines of rich markup."""
    headline = scan_headline(record)
    yield f"[bold]{headline.label}.[/] {_safe(headline.sentence)}"
    if not record.findings:
        yield f"  {_safe(sentence(record.reason))}"
    for number, finding in enumerate(record.findings[:MOST_FINDINGS], start=1):
        yield from _finding_lines(number, finding, record)
    if len(record.findings) > MOST_FINDINGS:
        yield f"{counted(len(record.findings) - MOST_FINDINGS, 'more finding')} in the report"
    yield f"  [dim]false alarms:[/] {_safe(sentence(record.false_alarm))}"
    for caution in headline.cautions:
        yield f"  [dim]note:[/] {_safe(caution)}"
    yield from _remark_lines(record)
    yield from _stage_lines(record)


def _finding_lines(number: int, finding: Finding, record: ScanRecord) -> Iterator[str]:
    turned = f", turns {some_of([brief(name) for name in finding.sources])}" if finding.sources else ""
    yield f"{number}. [bold]{_safe(brief(finding.target))}[/] ({finding.strength}){_safe(turned)}"
    yield f"   {_safe(sentence(finding.reason))}"
    yield f"   suspects: {_safe(_suspects(finding, record))}"
    yield f"   trigger: {_safe(_trigger(finding))}"
    yield f"   clean samples turned: {_safe(_flips(finding))}"
    yield f"   what they show: {_safe(sentence(finding.content))}"
    if finding.covers:
        yield f"   covers, under their right labels: {_safe(covers_in_words(finding.covers))}"
    if finding.contributors:
        yield f"   contributors: {_safe(_contributors(finding))}"
    for remedy in finding.remedies:
        if not remedy.startswith("bezoar clean"):  # that one is said once, in the words of this call
            yield f"   to do: {_safe(remedy)}"


def _suspects(finding: Finding, record: ScanRecord) -> str:
    counts = dict(zip(record.dataset.class_names, record.dataset.class_counts, strict=True))
    of_class = counts.get(finding.target, 0)
    inside = sum(suspect.label == finding.target for suspect in finding.suspects)
    share = f", {percent(inside / of_class)} of the class" if of_class >= inside > 0 else ""
    first = f"; the first is {brief(finding.suspects[0].id)}" if finding.suspects else ""
    return f"{len(finding.suspects):,}{share}{first}"


def _trigger(finding: Finding) -> str:
    if isinstance(finding.trigger, RecoveredTrigger):
        return finding.trigger.description
    return f"not recovered: {finding.trigger.reason}"


def _flips(finding: Finding) -> str:
    test = finding.flip_test
    if isinstance(test, Skipped):
        return f"not tried: {test.reason}"
    return f"{_rate(test.flips)} with the trigger, {_rate(test.control)} with the strongest control"


def _rate(rate: Rate | Skipped) -> str:
    told = measured(rate)
    return "not measured" if isinstance(told, Skipped) else f"{percent(told.value)} ({interval(told)})"


def _contributors(finding: Finding) -> str:
    named = finding.contributors[:MOST_CONTRIBUTORS]
    told = "; ".join(
        f"{quoted(brief(one.source, 40))} {one.suspects:,} of its {one.samples:,} samples" for one in named
    )
    left = len(finding.contributors) - len(named)
    return f"{told}; and {left} more" if left else told


def _remark_lines(record: ScanRecord) -> Iterator[str]:
    if record.remarks:
        yield "no poison, but worth knowing:"
    for remark in record.remarks[:MOST_REMARKS]:
        yield f"  {_safe(brief(sentence(remark.sentence), 300))}"
    if len(record.remarks) > MOST_REMARKS:
        yield f"  and {len(record.remarks) - MOST_REMARKS} more in the report"


def _stage_lines(record: ScanRecord) -> Iterator[str]:
    total = sum(stage.seconds for stage in record.stages)
    yield f"time: {duration(total)}"
    for stage in record.stages:
        share = stage.seconds / total if total > 0 else 0.0
        yield f"  [dim]{duration(stage.seconds):>12} {share:>4.0%}  {escape(stage.stage)}[/]"


def clean_command(data: str, folder: Path) -> str:
    """What writes the data without the suspects of the scan in `folder`."""
    out = "cleaned.npz" if Path(data).suffix.casefold() == ".npz" else "cleaned"
    return shlex.join(("bezoar", "clean", data, "--findings", str(folder), "--out", out))


def _safe(text: str) -> str:
    """Text that may hold names from the data: nothing hidden in it, and no markup."""
    return escape(visible(text))
