"""What repairs made of models with known backdoors, as Markdown: the worst case as plain as the mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bezoar.bench.repairs.run import Outcome, RepairResult

COLUMNS = (
    "method",
    "clean samples",
    "training data",
    "poison",
    "models",
    "ASR before",
    "ASR after",
    "worst",
    "accuracy lost",
    "worst",
    "RA below the twin's",
    "worst",
    "had a right trigger",
    "epochs",
    "seconds",
    "not done",
)

Group: TypeAlias = tuple[str, str, str, str]
"""Method, number of clean samples, whether there are training data, rate of poison."""


def repairs_table(results: Sequence[RepairResult]) -> str:
    """A row for each method, number of clean samples and rate of poison, `auto` first; then the worst of each."""
    groups = list(dict.fromkeys(_group(one) for one in sorted(results, key=_place)))
    rows = [_row(group, [one for one in results if _group(one) == group]) for group in groups]
    table = "\n".join("| " + " | ".join(row) + " |" for row in (COLUMNS, tuple("---" for _ in COLUMNS), *rows))
    worst = [_worst([one for one in results if _group(one) == group]) for group in groups]
    return table + "\n\nWorst of each:\n\n" + "\n".join(f"- {line}" for line in worst if line) + "\n"


def _place(one: RepairResult) -> tuple[bool, str, bool, int, float]:
    """The choice first, then method by method; what has most to go by first."""
    return one.method != "auto", one.method, one.alone, -one.samples, -(one.rate or 0.0)


def _group(one: RepairResult) -> Group:
    return one.method, one.clean, "no" if one.alone else "yes", "-" if one.rate is None else f"{one.rate:.1%}"


def _row(group: Group, own: Sequence[RepairResult]) -> tuple[str, ...]:
    method, clean, training, rate = group
    done = _done(own)
    figures = ("-",) * 6
    if done:
        success = [after.attack_success for _, after in done]
        lost = [one.before.clean_accuracy - after.clean_accuracy for one, after in done]
        figures = (*_mean_and_worst(success), *_mean_and_worst(lost), *_mean_and_worst(_below_twin(done)))
    return (
        method,
        clean,
        training,
        rate,
        str(len(own)),
        _percent([one.before.attack_success for one in own], _mean),
        *figures,
        f"{sum(one.aimed is True for one in own)}",
        f"{_mean([one.epochs for one, _ in done]):.1f}" if done else "-",
        f"{_mean([one.seconds for one, _ in done]):.0f}" if done else "-",
        str(len(own) - len(done)),
    )


def _done(own: Sequence[RepairResult]) -> list[tuple[RepairResult, Outcome]]:
    return [(one, one.after) for one in own if isinstance(one.after, Outcome)]


def _below_twin(done: Sequence[tuple[RepairResult, Outcome]]) -> list[float]:
    return [one.twin.robust_accuracy - after.robust_accuracy for one, after in done if one.twin is not None]


def _worst(own: Sequence[RepairResult]) -> str:
    done = _done(own)
    if not done:
        return ""
    one, after = max(done, key=lambda pair: pair[1].attack_success)
    lost = one.before.clean_accuracy - after.clean_accuracy
    given = f"{one.clean} alone" if one.alone else one.clean
    return (
        f"{one.method} with {given}: {one.built.label}, ASR {one.before.attack_success:.1%} to "
        f"{after.attack_success:.1%}, accuracy lost {lost:.1%}; the repair says: {one.verdict}"
    )


def _mean_and_worst(values: Sequence[float]) -> tuple[str, str]:
    return _percent(values, _mean), _percent(values, max)


def _percent(values: Sequence[float], of: Callable[[Sequence[float]], float]) -> str:
    return f"{of(values):.1%}" if values else "-"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
