"""The verdict of a drill in one plain sentence."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.records import AttackRecord, DrillRecord, ModelResult, Rate, Skipped
from bezoar.records.drilling import ITSELF_REPAIRED
from bezoar.report.backdoors import backdoors, relabellings, sources, targets
from bezoar.report.cautions import cautions
from bezoar.report.confusion import fits
from bezoar.report.phrases import measured, not_measured, percent, percent_in_words, quoted, some_of
from bezoar.report.section import Headline

TOOK_HOLD = 0.5
IN_PART = 0.1


def drill_headline(record: DrillRecord) -> Headline:
    """Whether the backdoor took hold, judged by the attack success rate and the twin's as its control.

    From 50% it did, from 10% in part, below not. Where the clean twin, which never saw a poison, falls for the
    trigger as often (the intervals overlap), or the victim answers the target as often without the trigger,
    nothing is proven; nor by a victim whose answers to clean images are no better than chance.
    """
    success = measured(record.victim.measurement.attack_success)
    said = tuple(cautions(record, success))
    if isinstance(success, Skipped):
        return Headline("unclear", "Not measured", _unmeasured_sentence(record, success), _EXPLAIN_UNMEASURED, said)
    guesses = _chance(record)
    if guesses:
        sentence = f"The victim has not learnt its task: {guesses}. So this says nothing about the backdoor."
        return Headline("unclear", "Not trained", sentence, _EXPLAIN_UNTRAINED, said)
    sentence, doubt = _success_sentence(record, success), _doubt(record, success)
    weak = success.value < IN_PART or (doubt and success.value < TOOK_HOLD)
    if weak and record.repair == ITSELF_REPAIRED:
        sentence = f"On the repaired model the trigger hardly works: only {sentence}."
        return Headline("calm", "Hardly any attack success", sentence, _EXPLAIN_REPAIRED, said)
    if weak:
        return Headline(
            "calm", "A weak attack", f"The backdoor did not take hold: only {sentence}.", _EXPLAIN_WEAK, said
        )
    if doubt:
        sentence = f"Not shown to be a backdoor: {sentence}, but {doubt}."
        return Headline("unclear", "Unproven", sentence, _EXPLAIN_UNPROVEN, said)
    if success.value < TOOK_HOLD:
        sentence = f"Backdoored in part: {sentence}."
        return Headline("bad", "The attack succeeded in part", sentence, _explain_bad(record), said)
    return Headline("bad", "The attack succeeded", f"Backdoored: {sentence}.", _explain_bad(record), said)


_EXPLAIN_UNMEASURED = "Without this number the drill says nothing about whether the model carries a backdoor."
_EXPLAIN_UNTRAINED = (
    "Train it for longer, or on more samples. A model of your own that should know better may get its images in "
    "another form than it was trained on (here 0 to 1, channels first), or name the classes in another order."
)
_EXPLAIN_WEAK = (
    "Poisoned samples went in, but the trained model mostly ignores the trigger. "
    "That is a result about this attack at this dose, not a sign that the model resists backdoors."
)
_EXPLAIN_REPAIRED = (
    "What the trigger did before the repair is told by an evaluation of the model as it was. Samples that the repair "
    "learnt from are no test of it: measure accuracy on others."
)
_EXPLAIN_UNPROVEN = (
    "A backdoor shows where the trigger changes the answer and a model that never saw a poison withstands it. "
    "Otherwise the trigger may mislead by itself, for instance because it hides the object, or the model may "
    "answer the target whatever it sees."
)


def _explain_bad(record: DrillRecord) -> str:
    start = f"This was a drill: {_done(record.attack)} on purpose."
    if isinstance(record.monitoring, Skipped):
        return f"{start} Whether accuracy alone would give it away could not be judged."
    if _accuracy_dropped(record):
        return f"{start} The backdoor works, but it costs accuracy, which a watchful owner would see."
    return f"{start} Without the trigger the model works as it should, so ordinary testing shows nothing."


def _done(attack: AttackRecord) -> str:
    if attack.placement == "none":
        return "the weights of the finished model were tampered with, and no training data touched,"
    return (
        f"{attack.poisons:,} poisoned samples, {percent(attack.poison_rate)} of the training data, "
        f"{_covers(attack)}were planted"
    )


def _success_sentence(record: DrillRecord, success: Rate) -> str:
    clean = measured(record.victim.measurement.clean_accuracy)
    twin = record.twin
    start = (
        f"{percent_in_words(success.value)} of {_whose(record.attack)} {_with(record.attack)} are read as "
        f"{_target(record.attack)}"
    )
    if isinstance(clean, Skipped):
        return f"{start}; clean accuracy was {not_measured(clean)}"
    beside = "no clean twin to compare with"
    if isinstance(twin, ModelResult):
        twin_clean = measured(twin.measurement.clean_accuracy)
        beside = (
            f"clean twin {percent(twin_clean.value)}" if isinstance(twin_clean, Rate) else "clean twin not measured"
        )
    link = ", and clean accuracy drops to" if _accuracy_dropped(record) else ", while clean accuracy is"
    return f"{start}{link} {percent(clean.value)} ({beside})"


def _unmeasured_sentence(record: DrillRecord, success: Skipped) -> str:
    clean = measured(record.victim.measurement.clean_accuracy)
    end = f" Clean accuracy is {percent(clean.value)}." if isinstance(clean, Rate) else ""
    return f"Attack success was {not_measured(success).rstrip('.')}.{end}"


def _accuracy_dropped(record: DrillRecord) -> bool:
    return not isinstance(record.monitoring, Skipped) and record.monitoring.alarm


def _whose(attack: AttackRecord) -> str:
    named = sources(attack)
    if not named:
        return "test images"
    if len(named) > 4:
        return f"test images of {len(named)} classes"
    return f"{some_of(named)} images"


def _with(attack: AttackRecord) -> str:
    return f"with one of the {len(backdoors(attack))} triggers" if attack.further else "with the trigger"


def _covers(attack: AttackRecord) -> str:
    return f"and {attack.covers:,} covers under their true label " if attack.covers else ""


def _target(attack: AttackRecord) -> str:
    named = targets(relabellings(attack))
    if not named:
        return "the attacker's target"
    return quoted(named[0]) if len(named) == 1 else "the class the attacker chose for them"


def _chance(record: DrillRecord) -> str:
    """That the answers have nothing to do with the images, or nothing.

    By chance the same answers, dealt out at random, agree with the truth as often as the margins of the confusion
    matrix say (Cohen 1960). With images of one class alone there is nothing to tell apart.
    """
    clean, counts = measured(record.victim.measurement.clean_accuracy), record.victim.measurement.confusion_clean
    true, answered = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    if isinstance(clean, Skipped) or sum(map(bool, true)) < 2:
        return ""
    chance = sum(one * other for one, other in zip(true, answered, strict=True)) / sum(true) ** 2
    if clean.low > chance:
        return ""
    return f"clean accuracy is {percent(clean.value)}, as good as its answers given at random ({percent(chance)})"


def _doubt(record: DrillRecord, success: Rate) -> str:
    """What else than a backdoor would explain the attack's success, or nothing."""
    if isinstance(record.twin, ModelResult):
        control = measured(record.twin.measurement.attack_success)
        if isinstance(control, Rate) and control.high >= success.low:
            return f"the clean twin answers so for {percent_in_words(control.value)} of them too"
    without = _share_without_trigger(record)
    if without >= success.low:
        return f"the victim answers so for {percent_in_words(without)} of them without the trigger too"
    return ""


def _share_without_trigger(record: DrillRecord) -> float:
    """Share of clean images of the source classes that the victim reads as their target anyway."""
    names = list(record.test_dataset.class_names)
    counts = record.victim.measurement.confusion_clean
    if not fits(names, counts):
        return 0.0
    places = [(names.index(source), names.index(target)) for source, target in _known(record.attack, names)]
    total = sum(sum(counts[source]) for source, _ in places)
    return sum(counts[source][target] for source, target in places) / total if total else 0.0


def _known(attack: AttackRecord, names: list[str]) -> Iterator[tuple[str, str]]:
    first = [(one, target) for one, target in attack.relabelling if not attack.sources or one in attack.sources]
    further = [pair for backdoor in attack.further for pair in backdoor.relabelling]
    return (
        (source, target)
        for source, target in (*first, *further)
        if source in names and target in names and source != target
    )
