"""Pictures of a finding: suspects beside their neighbours, the trigger, and clean samples before and after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.records import RecoveredTrigger, Suspect, SuspectPicture

MOST_SUSPECTS, EXAMPLES = 24, 6


def suspect_pictures(data: Dataset, suspects: Sequence[Suspect], called: str) -> tuple[SuspectPicture, ...]:
    """The most suspicious ones that are images; `called` says what one of them is, as `suspect`."""
    if not data.is_images:
        return ()
    shown = suspects[:MOST_SUSPECTS]
    wanted = [one.id for one in shown] + [one.neighbour for one in shown if one.neighbour]
    rows = dict(zip(wanted, data.positions(wanted).tolist(), strict=True))
    return tuple(
        SuspectPicture(
            id=one.id,
            score=one.score,
            suspect=picture(data.inputs[rows[one.id]], f"{called}, labelled {one.label}"),
            neighbour=picture(
                data.inputs[rows[one.neighbour]], f"nearest sample that is no {called}, labelled {one.label}"
            )
            if one.neighbour
            else None,
            caption=f"labelled {one.label}"
            + (f", as it is looks like {one.looks_like}" if one.looks_like not in (None, one.label) else ""),
        )
        for one in shown
    )


def trigger_record(data: Dataset, trigger: Recovered, rows: Sequence[int]) -> RecoveredTrigger:
    """The trigger alone and what it makes of clean samples at `rows`."""
    images = data.inputs[torch.from_numpy(np.asarray(rows[:EXAMPLES], dtype=np.int64))]
    after = trigger(images)
    examples = tuple(
        (picture(images[place], "a clean sample"), picture(after[place], "the same with the recovered trigger"))
        for place in range(len(images))
    )
    return RecoveredTrigger(
        trigger.kind, trigger.description, picture(trigger.picture, "the recovered trigger"), examples
    )
