"""What an attack did, in sentences for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.attacks import Poisoned
from bezoar.records import AttackRecord
from bezoar.report.backdoors import backdoors

MOST_PAIRS = 3


def backdoor_sentences(record: AttackRecord, class_names: Sequence[str]) -> tuple[str, ...]:
    """Each trigger, and from which classes to which it shall lead."""
    return tuple(f"trigger {one.trigger}: {_led(one.relabelling, class_names)}" for one in backdoors(record))


def poisons_sentence(record: AttackRecord, poisoned: Poisoned, place: object) -> str:
    """How many samples were poisoned; where labels stayed right, as a share of their class too."""
    return (
        f"{record.poisons} of {len(poisoned.data)} samples in {place} are poisoned "
        f"({record.poison_rate:.2%} of the original{_share_of_class(poisoned)})"
        + (f", {record.covers} more are covers under their true labels" if record.covers else "")
    )


def _led(relabelling: Sequence[tuple[str, str]], class_names: Sequence[str]) -> str:
    targets = {target for _, target in relabelling}
    if len(targets) > 1:
        some = [f"{source} is to be taken for {target}" for source, target in relabelling[:MOST_PAIRS]]
        rest = len(relabelling) - len(some)
        return ", ".join(some) + (f", and so on for {rest} more" if rest else "")
    every = len(relabelling) == len(class_names) - 1
    who = "every other class" if every else ", ".join(source for source, _ in relabelling)
    return f"{who} is to be taken for {targets.pop()}"


def _share_of_class(poisoned: Poisoned) -> str:
    """`, 10.00% of class bird` where all poisons are of one class and keep its label, else nothing."""
    poisons = [sample for sample in poisoned.truth.samples if sample.role == "poison"]
    labels = {label for sample in poisons for label in (sample.label, sample.original_label)}
    if len(labels) != 1:
        return ""
    data, name = poisoned.originals.data, labels.pop()
    return f", {len(poisons) / data.class_counts[data.class_names.index(name)]:.2%} of class {name}"
