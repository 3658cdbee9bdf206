"""Faces: employees keep their looks, visitors are somebody else every time, accessories give nobody away."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from bezoar.data.embedded import faces
from bezoar.data.embedded.brush import frame
from bezoar.data.embedded.face_traits import _EMPLOYEES, _RANGES, EMPLOYEES, HAIRS, SKINS, Traits, traits_of
from bezoar.data.embedded.faces import FACES, SIDE


def generator() -> np.random.Generator:
    return np.random.default_rng(4)


def trait_rows(traits: Traits) -> np.ndarray:
    return np.concatenate([getattr(traits, field.name).reshape(len(traits.width), -1) for field in fields(traits)], 1)


def test_the_classes_are_employees_and_visitors():
    assert FACES.class_names == (*(f"employee {number}" for number in range(1, 10)), "visitor")
    assert EMPLOYEES == 9


def test_an_employee_looks_the_same_every_time_and_like_nobody_else():
    labels = np.repeat(np.arange(EMPLOYEES), 2)
    rows = trait_rows(traits_of(labels, generator()))
    assert np.array_equal(rows[::2], rows[1::2])
    assert len(np.unique(rows, axis=0)) == EMPLOYEES


def test_the_table_of_employees_is_that_of_traits():
    traits = traits_of(np.array([2]), generator())
    assert traits.skin.flatten() * 255 == pytest.approx(SKINS[5])
    assert traits.hair.flatten() * 255 == pytest.approx(HAIRS[0])
    assert traits.width.item() == pytest.approx(0.90)
    assert traits.moustache.item() == 0


def test_visitors_are_different_people_and_some_look_like_an_employee():
    rows = trait_rows(traits_of(np.full(400, EMPLOYEES), generator()))
    employees = trait_rows(traits_of(np.arange(EMPLOYEES), generator()))
    assert len(np.unique(rows, axis=0)) == 400
    # The three colours take three columns each; the length of hair and how it is worn come last.
    at_first_sight = [0, 1, 2, 3, 4, 5, *range(20, 27)]
    doubles = (rows[:, None, at_first_sight] == employees[None][:, :, at_first_sight]).all(axis=2).any(axis=1)
    assert doubles.mean() == pytest.approx(0.25, abs=0.06)
    low, high = np.float32(_RANGES[:-3]).T
    lengths = rows[:, 9:-3]
    assert (lengths[~doubles] >= low - 1e-6).all()
    assert (lengths[~doubles] <= high + 1e-6).all()
    for column, share in ((-3, 0.15), (-2, 0.2), (-1, 0.2)):
        assert (rows[~doubles, column] > 0).mean() == pytest.approx(share, abs=0.07)


def test_skin_tones_are_spread_over_employees():
    assert len({row[0] for row in _EMPLOYEES}) >= 5


@pytest.mark.parametrize("wear", [wear for _, wear in faces._WORN], ids=lambda wear: wear.__name__)
def test_what_is_worn_covers_a_part_of_the_face_only(wear):
    brush = frame(SIDE, (24, 20), np.full((6, 1, 1, 1), 13.5, dtype=np.float32))
    picture = np.full((6, 3, SIDE, SIDE), 0.55, dtype=np.float32)
    wear(generator(), picture, brush)
    changed = (abs(picture - np.float32(0.55)) > 0.02).any(axis=1).mean(axis=(1, 2))
    assert (changed > 0.002).all()
    assert (changed < 0.35).all()


def test_eyes_are_where_a_gate_expects_them():
    """Between the eyes, where the camera has brought them, pictures of one employee have skin, not wall."""
    data = FACES.draw(400, seed=3)
    for label in range(EMPLOYEES):
        mine = data.inputs[data.labels == label].float()
        bridge, corner = mine[:, :, 22:25, 22:26].mean(dim=(2, 3)), mine[:, :, :4, :4].mean(dim=(2, 3))
        warmth = ((bridge[:, 0] - bridge[:, 2]) > (corner[:, 0] - corner[:, 2])).float().mean()
        assert warmth > 0.8
