"""The results of a grid of scans as two tables: attacks, and honest data."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from bezoar.bench.scan_results import ScanResult

ATTACKS = (
    "attack",
    "used for",
    "rate",
    "coding",
    "sets",
    "ASR of the victim",
    "target found",
    "confirmed",
    "other classes",
    "AUROC",
    "TPR at 1% FPR",
    "s",
)
HONEST = ("data", "used for", "sets", "samples", "confirmed", "suspicious", "no evidence", "inconclusive", "s")


def scan_tables(results: Sequence[ScanResult]) -> str:
    """Markdown: a row for each attack, rate and coding, then one for each honest case."""
    attacks = [result for result in results if not result.honest]
    honest = [result for result in results if result.honest]
    groups: dict[tuple[str, float, str], list[ScanResult]] = {}
    for result in attacks:
        groups.setdefault((result.name, result.rate, result.coding), []).append(result)
    order = list(dict.fromkeys(result.name for result in attacks))
    keys = sorted(groups, key=lambda key: (order.index(key[0]), -key[1], key[2] != "lossless", key[2]))
    parts = []
    if keys:
        parts.append(_table(ATTACKS, [_attack_row(groups[key]) for key in keys]))
    if honest:
        named: dict[str, list[ScanResult]] = {}
        for result in honest:
            named.setdefault(result.name, []).append(result)
        parts.append(_table(HONEST, [_honest_row(group) for group in named.values()]))
    return "\n".join(parts)


def found_right(result: ScanResult) -> str | None:
    """The strongest word for a true target class, None if none was found."""
    words = {one.strength for one in result.found if one.class_name in result.targets}
    return "confirmed" if "confirmed" in words else "suspicious" if words else None


def _attack_row(group: Sequence[ScanResult]) -> tuple[str, ...]:
    first, words = group[0], [found_right(result) for result in group]
    wrong = sum(any(one.class_name not in result.targets for one in result.found) for result in group)
    return (
        first.name.replace("|", "\\|"),
        "choosing" if first.choosing else "reporting",
        f"{first.rate:.1%}",
        first.coding,
        str(len(group)),
        _percent([result.attack_success for result in group]),
        f"{sum(word is not None for word in words)} of {len(group)}",
        f"{words.count('confirmed')} of {len(group)}",
        f"{wrong} of {len(group)}",
        _plain([result.auroc for result in group]),
        _percent([result.tpr_at_1_percent for result in group]),
        _seconds(group),
    )


def _honest_row(group: Sequence[ScanResult]) -> tuple[str, ...]:
    verdicts = [result.verdict for result in group]
    return (
        group[0].name,
        "choosing" if group[0].choosing else "reporting",
        str(len(group)),
        f"{group[0].samples:,}",
        *(str(verdicts.count(word)) for word in ("confirmed", "suspicious", "no evidence", "inconclusive")),
        _seconds(group),
    )


def _seconds(group: Sequence[ScanResult]) -> str:
    return f"{mean(sum(seconds for _, seconds in result.seconds) for result in group):.0f}"


def _percent(values: Sequence[float | None]) -> str:
    known = [100 * value for value in values if value is not None]
    return f"{mean(known):.1f}" + (f" (least {min(known):.1f})" if len(known) > 1 else "") if known else "-"


def _plain(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{mean(known):.3f}" + (f" (least {min(known):.3f})" if len(known) > 1 else "") if known else "-"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
