"""The contact sheet: the right samples in the right columns."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.attacks import Backdoor, DirtyLabel, Plan, compose, create_attack, stamped
from bezoar.data import Dataset, from_arrays
from bezoar.drill import preview
from bezoar.drill.preview import CAPTION, GAP, HEADER, TILE, contact_sheet
from bezoar.errors import AttackError
from bezoar.triggers import TRIGGERS


def grey_set(count=40, shape=(8, 8, 3)):
    pixels = np.full((count, *shape), 100, dtype=np.uint8)
    pixels[:, 0, 0] = np.arange(count)[:, None]
    return from_arrays(pixels, np.arange(count) % 2, class_names=("left", "right"))


def tiles(png):
    """Pixels at the centre and at the top left of each tile, row by row."""
    sheet = np.array(Image.open(io.BytesIO(png)))
    step = TILE + CAPTION + GAP
    rows = range(HEADER, sheet.shape[0] - TILE, step)
    columns = range(GAP, sheet.shape[1] - TILE, TILE + GAP)
    return np.array([[(sheet[y + TILE // 2, x + TILE // 2], sheet[y + 25, x + 25]) for x in columns] for y in rows])


def test_six_rows_of_original_poisoned_and_difference():
    attack = create_attack("patch:size=3,color=white,mode=replace", target="left", count=20)
    found = tiles(contact_sheet(attack.poison(grey_set(), seed=0), seed=0))
    assert found.shape == (6, 3, 2, 3)
    centre, corner = found[:, :, 0], found[:, :, 1]
    assert (centre[:, :2] == 100).all()
    assert (centre[:, 2] == 128).all()
    # Pixel (1, 1), which the patch covers: 100 becomes 255, a change of 155 that is not amplified further.
    assert (corner[:, 0] == 100).all()
    assert (corner[:, 1] == 255).all()
    assert (corner[:, 2] == 255).all()


def test_covers_have_a_third_of_the_rows_and_a_small_change_is_amplified():
    data = grey_set()
    trigger = TRIGGERS.create("patch:size=8,color=white,mode=blend,opacity=0.02")
    ids = tuple(sorted(data.ids))
    changes = (
        stamped(ids[:10], [0] * 10, trigger),
        stamped(ids[10:20], data.labels[data.positions(ids[10:20])].tolist(), trigger, "cover"),
    )
    plan = Plan(changes, (Backdoor(trigger, {1: 0}),), "replace", "test", 0)
    poisoned = compose(data, plan)
    sheet = contact_sheet(poisoned, seed=3)
    assert sheet == contact_sheet(poisoned, seed=3)
    difference = tiles(sheet)[:, 2, 0]
    assert (difference > 200).all()


def test_few_poisons_and_other_channels():
    data = grey_set(shape=(8, 12, 1))
    found = create_attack("patch:size=3", target="left", count=2).poison(data, seed=0)
    assert Image.open(io.BytesIO(contact_sheet(found, seed=0))).size[0] > 3 * TILE


def test_samples_that_are_no_images_are_refused():
    tokens = Dataset(torch.arange(120).view(30, 4), torch.arange(30) % 2, ("no", "yes"), tuple(map(str, range(30))))
    found = DirtyLabel(trigger=lambda batch: batch + 1, target="yes", count=3).poison(tokens, seed=0)
    with pytest.raises(AttackError, match="only images"):
        contact_sheet(found, seed=0)


@pytest.mark.parametrize(("largest", "usual", "factor"), [(255, 255, 2), (255, 8, 15), (60, 8, 15), (3, 3, 32)])
def test_a_few_strong_changes_leave_the_others_to_be_seen(largest, usual, factor):
    change = np.zeros((6, 16, 16, 3), dtype=np.int16)
    change[:, ::2] = usual
    change[0, 0, 0] = largest
    assert preview._amplification(change) == factor


def test_no_change_at_all_is_amplified_too():
    assert preview._amplification(np.zeros((6, 4, 4, 3), dtype=np.int16)) == 32
