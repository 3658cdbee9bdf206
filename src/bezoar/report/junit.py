"""A scan as JUnit XML, for continuous integration: a case for each class and one for each detector."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from bezoar.records import Finding, ScanRecord, Skipped
from bezoar.records.scanning import Strength
from bezoar.report.phrases import brief, percent, quoted, sentence, visible
from bezoar.report.scan_verdict import flips_in_words

MOST_SUSPECTS = 20


def render_junit(record: ScanRecord, *, fail_on: Strength = "suspicious") -> str:
    """The scan as JUnit XML text, the same for the same record.

    A class is a test case. It fails where a finding has it as its target (with `fail_on="confirmed"` only where that
    finding is confirmed), is skipped where nothing could be said of it, and passes otherwise. A detector is a test
    case too: skipped with its reason where it did not run. Nothing in the text is a character that XML forbids.
    """
    root = Element("testsuites", {"name": "bezoar scan"})
    classes = _suite(root, record, "classes", _class_cases(record, fail_on))
    if record.remarks:
        remarks = "\n".join(allowed(sentence(remark.sentence)) for remark in record.remarks)
        SubElement(classes, "system-out").text = f"No sign of poison, but worth knowing:\n{remarks}"
    _suite(root, record, "detectors", _detector_cases(record))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", _seconds(sum(stage.seconds for stage in record.stages)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def allowed(text: str) -> str:
    """`text` with nothing hidden in it and without the characters that XML forbids even as references."""
    return "".join(_escaped(character) for character in visible(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode() if character in "\ufffe\uffff" else character


def _suite(root: Element, record: ScanRecord, name: str, cases: Iterable[Element]) -> Element:
    suite = SubElement(root, "testsuite", {"name": f"bezoar scan: {name}"})
    properties = SubElement(suite, "properties")
    told = (
        ("verdict", record.verdict),
        ("reason", record.reason),
        ("false alarms", record.false_alarm),
        ("data", record.dataset.name),
        ("digest", record.dataset.digest),
        ("budget", record.budget),
        ("seed", str(record.seed)),
        ("created", record.created),
    )
    for key, value in told:
        SubElement(properties, "property", {"name": key, "value": allowed(value)})
    suite.extend(cases)
    found = suite.findall("testcase")
    suite.set("tests", str(len(found)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in found)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in found)))
    suite.set("time", _seconds(sum(float(case.get("time", "0")) for case in found)))
    return suite


def _class_cases(record: ScanRecord, fail_on: Strength) -> list[Element]:
    found: dict[str, list[Finding]] = {}
    for finding in record.findings:
        found.setdefault(finding.target, []).append(finding)
    judged = {signal.class_name for signal in record.signals}
    cases = []
    for name in dict.fromkeys((*record.dataset.class_names, *found)):
        case = _case("bezoar.scan.classes", name, 0.0)
        if name in found:
            _tell(case, found[name], fail_on)
        elif record.verdict == "inconclusive":
            _skip(case, f"inconclusive: {record.reason}")
        elif name not in judged:
            _skip(case, "no detector said anything of this class")
        cases.append(case)
    return cases


def _tell(case: Element, findings: list[Finding], fail_on: Strength) -> None:
    """Failures for what the run is to fail on; what is only suspicious beside it goes to the case's output."""
    told = sorted(findings, key=lambda one: one.strength != "confirmed")
    failing = [one for one in told if one.strength == "confirmed" or fail_on == "suspicious"]
    rest = [one for one in told if one not in failing]
    # One failure a case: some readers of JUnit count every failure, and some take only the first.
    if failing:
        attributes = {"message": allowed(_line(failing[0])), "type": failing[0].strength}
        SubElement(case, "failure", attributes).text = _text(failing)
    if rest:
        SubElement(case, "system-out").text = _text(rest)


def _text(findings: list[Finding]) -> str:
    """The findings at length, each paragraph made safe by itself so that none is cut for the length of another."""
    return "\n\n".join("\n".join(map(allowed, _lines(finding))) for finding in findings)


def _line(finding: Finding) -> str:
    start = "Backdoor" if finding.strength == "confirmed" else "Possible backdoor"
    return f"{start} towards {quoted(brief(finding.target))}: {len(finding.suspects):,} suspects"


def _lines(finding: Finding) -> list[str]:
    ranked = sorted(finding.suspects, key=lambda suspect: -suspect.score)
    trigger, test = finding.trigger, finding.flip_test
    lines = [
        f"{_line(finding)} ({finding.strength})",
        sentence(finding.reason),
        f"Classes it turns: {', '.join(map(quoted, map(brief, finding.sources[:12]))) or 'not known'}",
        f"Trigger: {f'not recovered: {trigger.reason}' if isinstance(trigger, Skipped) else trigger.description}",
        f"Causal test: {f'not made: {test.reason}' if isinstance(test, Skipped) else flips_in_words(finding)}",
        f"ATLAS: {', '.join(finding.atlas) or 'none'}",
        *finding.remedies,
        *(f"{percent(suspect.score)} {brief(suspect.id, 200)}" for suspect in ranked[:MOST_SUSPECTS]),
    ]
    left = len(ranked) - MOST_SUSPECTS
    return [*lines, f"and {left:,} more suspects"] if left > 0 else lines


def _detector_cases(record: ScanRecord) -> list[Element]:
    cases = []
    for run in record.detectors:
        case = _case("bezoar.scan.detectors", run.detector, run.seconds)
        if run.skipped is not None:
            _skip(case, run.skipped.reason)
        cases.append(case)
    return cases


def _case(suite: str, name: str, seconds: float) -> Element:
    return Element("testcase", {"classname": suite, "name": allowed(brief(name, 200)), "time": _seconds(seconds)})


def _skip(case: Element, reason: str) -> None:
    SubElement(case, "skipped", {"message": allowed(reason)})


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
