"""The verdict of a scan in one plain sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bezoar.records import Finding, Rate, ScanRecord, Skipped, Verdict
from bezoar.report.phrases import brief, measured, percent_in_words, quoted, sentence, some_of
from bezoar.report.section import Headline

MOST_NOTES = 8

_LEVELS: dict[Verdict, tuple[str, str]] = {
    "confirmed": ("bad", "Backdoor confirmed"),
    "suspicious": ("unclear", "Suspicious"),
    "no evidence": ("calm", "No evidence found"),
    "inconclusive": ("unclear", "Inconclusive"),
}
_NOT_CLEAN = "That does not show that there is none: a backdoor that no detector here sees leaves no evidence."


def scan_headline(record: ScanRecord) -> Headline:
    """What the scan came to, why, and how often data without a backdoor get such a verdict.

    That data are clean is never said: the most that a scan can say is that it found no evidence.
    """
    level, label = _LEVELS[record.verdict]
    parts = [
        record.reason,
        _NOT_CLEAN if record.verdict == "no evidence" else "",
        f"False alarms: {record.false_alarm}",
    ]
    explanation = " ".join(sentence(part) for part in parts if part)
    return Headline(level, label, _sentence(record), explanation, tuple(_cautions(record)))


def flips_in_words(finding: Finding) -> str:
    """`98.0% of clean samples ..., 0.4% with ...`, or why that cannot be said."""
    test = finding.flip_test
    flips, control = (test, test) if isinstance(test, Skipped) else (measured(test.flips), measured(test.control))
    if isinstance(flips, Skipped):
        return f"the flip rate was not measured ({flips.reason.rstrip('.')})"
    beside = percent_in_words(control.value) if isinstance(control, Rate) else "a number not measured"
    return (
        f"{percent_in_words(flips.value)} of clean samples{_of_sources(finding)} go over to it when the recovered "
        f"trigger is put on them, {beside} with the strongest control"
    )


def _of_sources(finding: Finding) -> str:
    """Whose samples were counted, where not those of all other classes."""
    others = 0 if isinstance(finding.flip_test, Skipped) else len(finding.flip_test.by_source)
    if not 0 < len(finding.sources) < others:
        return ""
    return f" of {some_of([brief(name) for name in finding.sources])}"


def _sentence(record: ScanRecord) -> str:
    confirmed = [one for one in record.findings if one.strength == "confirmed"]
    if record.verdict == "confirmed":
        return _confirmed(confirmed)
    if record.verdict == "suspicious":
        return _suspicious(record.findings, tried=record.budget != "quick")
    if record.verdict == "no evidence":
        return f"No evidence of a backdoor was found in {record.dataset.samples:,} samples."
    return "Whether these data carry a backdoor could not be told."


def _confirmed(findings: Sequence[Finding]) -> str:
    if len(findings) != 1:
        return f"These data carry backdoors{_towards(findings)}." if findings else "These data carry a backdoor."
    (finding,) = findings
    start = f"These data carry a backdoor{_towards(findings)}"
    return f"{start}." if isinstance(finding.flip_test, Skipped) else f"{start}: {flips_in_words(finding)}."


def _suspicious(findings: Sequence[Finding], *, tried: bool) -> str:
    if not findings:
        return "These data look as if they carried a backdoor, but none is proven."
    suspects = len({suspect.id for finding in findings for suspect in finding.suspects})
    proof = "but a backdoor is not proven" if tried else "and no trigger was tried"
    look = "sample looks" if suspects == 1 else "samples look"
    return f"These data may carry a backdoor{_towards(findings)}: {suspects:,} {look} planted, {proof}."


def _towards(findings: Sequence[Finding]) -> str:
    targets = list(dict.fromkeys(brief(finding.target) for finding in findings))
    return f" towards {quoted(targets[0]) if len(targets) == 1 else some_of(targets)}"


def _cautions(record: ScanRecord) -> Iterator[str]:
    """What a reader must know to take the verdict for what it is."""
    skipped = [run for run in record.detectors if run.skipped is not None]
    if skipped:
        yield f"{len(skipped)} of {len(record.detectors)} detectors did not run; why, the report says under Detectors."
    if record.budget == "quick":
        yield (
            "This was a quick scan: it looked at the samples alone. A standard scan sees more, above all in small "
            "data, and tries the triggers that it recovers."
        )
    if record.dataset.skipped:
        unread = len(record.dataset.skipped)
        were = "1 sample could not be read and was" if unread == 1 else f"{unread:,} samples could not be read and were"
        yield f"{were} not looked at."
    yield from map(sentence, record.notes[:MOST_NOTES])
    if len(record.notes) > MOST_NOTES:
        yield f"{len(record.notes) - MOST_NOTES} more notes are in record.json."
