"""The verdict of a repair in one sentence. That a model is clean is never said."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.confirm.flips import FEWEST_COUNTED, LEAST_FLIPS, LEAST_GAIN
from bezoar.records import Rate, Skipped
from bezoar.records.repairing import FlipCheck, ModelCheck, RepairAttempt, RepairTrigger, RepairVerdict
from bezoar.repair.auto import Auto
from bezoar.repair.judgement import fallen, hit_source, new_since, of_source, shown_by, standing_out


def verdict_of(
    trigger: RepairTrigger | Skipped,
    before: ModelCheck,
    after: ModelCheck,
    auto: Auto,
    attempts: Sequence[RepairAttempt] = (),
) -> tuple[RepairVerdict, str]:
    """Whether the trigger still works and whether a search finds another, or why that could not be told.

    Who tries repairs until a search is quiet finds one by chance. So where it was not, after other `attempts`, and
    told of the trigger's own target, its silence tells nothing.
    """
    if isinstance(trigger, Skipped) or isinstance(after.flips, Skipped) or isinstance(before.flips, Skipped):
        return _without_flips(trigger, before, after)
    named = f"The {trigger.origin} trigger"
    now = f"{_share(after.flips.flips)}{of_source(after.flips)}"
    what = f"{now}, before {before.flips.flips.value:.1%}{of_source(before.flips)}"
    if auto.still_turns(after.flips):
        return "still works", f"{named} still works ({what})."
    for one in after.further:
        if not isinstance(one, Skipped) and auto.still_turns(one):
            return "still works", f"The trigger towards {one.target!r} still works ({_share(one.flips)})."
    if found := _search_sentence(after, before):
        towards = {name for _, name, _ in standing_out(after)}
        verdict: RepairVerdict = "signs are left" if trigger.target in towards else "could not be told"
        return verdict, f"{named} no longer works ({what}), but {found}."
    if not _worked(before.flips, trigger):
        return (
            "could not be told",
            f"Whether a backdoor was taken out could not be told: {named.lower()} {_weakness(before.flips)}.",
        )
    if after.flips.flips.trials < FEWEST_COUNTED:
        return (
            "could not be told",
            f"{named} was tried on {after.flips.flips.trials} samples, too few to tell anything.",
        )
    gone = f"{named} no longer works ({what}){_nor(len(after.further))}"
    return _where_gone(gone, _price(after, auto), after, _told_before(trigger.target, attempts))


def _where_gone(gone: str, price: str, after: ModelCheck, elsewhere: int) -> tuple[RepairVerdict, str]:
    """The verdict where the trigger is gone and no search speaks against it, but perhaps `elsewhere`, after others."""
    if isinstance(after.searches, Skipped):
        return "works no more", f"{gone}; no other was looked for{price}."
    if elsewhere:
        others = "another repair" if elsewhere == 1 else f"{elsewhere} other repairs"
        found = f"an independent search found no sign of it; but after {others} it did, and may have missed it here"
        return "could not be told", f"{gone}, and {found}{price}."
    if new := new_since(after):
        led = ", ".join(map(repr, new[:4]))
        found = f"what an independent search found, towards {led}, is weak and hardly worked before the repair"
        return "works no more", f"{gone}; {found}{price}."
    return "works no more", f"{gone}, and an independent search found no sign of another{price}."


def _told_before(target: str, attempts: Sequence[RepairAttempt]) -> int:
    """After how many repairs a search found signs of a backdoor towards the target."""
    checks = [one.outcome.check for one in attempts if not isinstance(one.outcome, Skipped)]
    return sum(target in {name for _, name, _ in standing_out(check)} for check in checks)


def _price(after: ModelCheck, auto: Auto) -> str:
    """What the repair cost, where that is more than is allowed."""
    if after.lost is None or not auto.loses_too_much(after.lost):
        return ""
    return f", but {fallen(after.lost)}"


def _nor(further: int) -> str:
    if not further:
        return ""
    return ", nor does a further one" if further == 1 else f", nor do {further} further ones"


def _without_flips(
    trigger: RepairTrigger | Skipped, before: ModelCheck, after: ModelCheck
) -> tuple[RepairVerdict, str]:
    reason = next(
        (one.reason for one in (after.accuracy, trigger, after.flips) if isinstance(one, Skipped)), "no flips before"
    )
    sentence = f"Whether a backdoor was taken out could not be told: {reason}"
    if found := _search_sentence(after, before):
        return "could not be told", f"{sentence}; but {found}."
    return "could not be told", f"{sentence}."


def _search_sentence(after: ModelCheck, before: ModelCheck) -> str:
    found = standing_out(after)
    if not found:
        return ""
    names = list(dict.fromkeys(name for _, name, _ in found))
    shown = shown_by(before.searches)
    new = "" if shown is None or shown & set(names) else ", which the model did not show before the repair"
    return f"an independent search found signs of a backdoor towards {', '.join(map(repr, names[:4]))}{new}"


def _worked(before: FlipCheck, trigger: RepairTrigger) -> bool:
    """Whether it was a trigger at all. One that was recovered stood out beside innocent samples or models already.

    The control would deny those of which any part will do: noise turned is noise, and works as well.
    """
    control = before.control.value if isinstance(before.control, Rate) and trigger.origin == "given" else 0.0
    if control < LEAST_GAIN and hit_source(before, LEAST_FLIPS) is not None:
        return True
    return before.flips.value >= LEAST_FLIPS and before.flips.value - control >= LEAST_GAIN


def _weakness(before: FlipCheck) -> str:
    """Why it was none before the repair."""
    if before.flips.value >= LEAST_FLIPS and isinstance(before.control, Rate):
        return (
            f"worked hardly better before the repair than {before.control_kind} ({_share(before.flips)}, and "
            f"{before.control.value:.1%})"
        )
    return f"hardly worked before the repair, either ({_share(before.flips)})"


def _share(rate: Rate) -> str:
    return f"{rate.value:.1%} of {rate.trials:,} samples"
