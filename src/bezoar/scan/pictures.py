"""Pictures of a finding: suspects beside their neighbours, the trigger, and clean samples before and after it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.records import Picture, RecoveredTrigger, Suspect, SuspectPicture

LARGEST_SIDE = 128
MOST_SUSPECTS, EXAMPLES = 24, 6


def picture(image: Tensor, alt: str) -> Picture:
    """A uint8 image (c, h, w) as a PNG, shrunk to 128 pixels a side: a report must stay small."""
    array = image.permute(1, 2, 0).contiguous().numpy()
    drawn = Image.fromarray(array[:, :, 0] if array.shape[2] < 3 else array[:, :, :3])
    drawn.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return Picture(base64.b64encode(buffer.getvalue()).decode(), drawn.width, drawn.height, alt)


def suspect_pictures(data: Dataset, suspects: Sequence[Suspect]) -> tuple[SuspectPicture, ...]:
    """The most suspicious ones that are images."""
    if not data.is_images:
        return ()
    shown = suspects[:MOST_SUSPECTS]
    wanted = [one.id for one in shown] + [one.neighbour for one in shown if one.neighbour]
    rows = dict(zip(wanted, data.positions(wanted).tolist(), strict=True))
    return tuple(
        SuspectPicture(
            id=one.id,
            score=one.score,
            suspect=picture(data.inputs[rows[one.id]], f"suspect, labelled {one.label}"),
            neighbour=picture(
                data.inputs[rows[one.neighbour]], f"nearest sample that is no suspect, labelled {one.label}"
            )
            if one.neighbour
            else None,
            caption=f"labelled {one.label}"
            + (f", looks like {one.looks_like}" if one.looks_like not in (None, one.label) else ""),
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
