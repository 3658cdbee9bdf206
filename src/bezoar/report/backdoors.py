"""What a report says of the backdoors of one attack, which may be several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.records import AttackRecord, DrillRecord, FurtherBackdoor, ModelResult, Rate, Skipped
from bezoar.report.phrases import measured


@dataclass(frozen=True)
class Row:
    """One backdoor: its number from 1, its trigger, where that leads, and its ASR on victim and twin."""

    number: int
    trigger: str
    targets: tuple[str, ...]
    victim: Rate | Skipped
    twin: Rate | Skipped


def backdoors(attack: AttackRecord) -> tuple[FurtherBackdoor, ...]:
    """Every backdoor of the attack, the first one first."""
    return (FurtherBackdoor(attack.trigger, attack.relabelling), *attack.further)


def relabellings(attack: AttackRecord) -> tuple[tuple[str, str], ...]:
    """Source and target class of every backdoor, one after the other; a pair may come twice."""
    return tuple(pair for backdoor in backdoors(attack) for pair in backdoor.relabelling)


def sources(attack: AttackRecord) -> tuple[str, ...]:
    """The source classes of all backdoors, each once."""
    further = (source for backdoor in attack.further for source, _ in backdoor.relabelling)
    return tuple(dict.fromkeys((*attack.sources, *further)))


def targets(relabelling: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The target classes, each once."""
    return tuple(dict.fromkeys(target for _, target in relabelling))


def backdoor_table(record: DrillRecord) -> tuple[Row, ...]:
    """A row for each backdoor where there are several, none otherwise: the headline says it all then."""
    planted = backdoors(record.attack)
    if len(planted) == 1:
        return ()
    return tuple(
        Row(
            number,
            backdoor.trigger,
            targets(backdoor.relabelling),
            _success(record.victim, number),
            record.twin if isinstance(record.twin, Skipped) else _success(record.twin, number),
        )
        for number, backdoor in enumerate(planted, start=1)
    )


def _success(model: ModelResult, number: int) -> Rate | Skipped:
    if number > len(model.by_trigger):
        return Skipped("the record holds no rate of this trigger")
    return measured(model.by_trigger[number - 1])
