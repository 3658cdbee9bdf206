"""Scenery and the sampling of sign faces, against the faces themselves."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded import signs
from bezoar.data.embedded.sign_faces import FACES, face_texture
from bezoar.data.embedded.sign_scenes import COLUMNS, ROWS, SIDE, scenery


def generator() -> np.random.Generator:
    return np.random.default_rng(4)


def test_scenes_of_one_kind_only_are_possible():
    assert scenery(generator(), 1).shape == (1, 3, SIDE, SIDE)


@pytest.mark.parametrize("label", range(len(FACES)))
def test_sampling_at_the_texels_gives_the_face_back(label):
    across, down = ((axis + np.float32(0.5)) / 16 - 1 for axis in (COLUMNS, ROWS))
    across, down = np.broadcast_to(across, (1, 1, SIDE, SIDE)), np.broadcast_to(down, (1, 1, SIDE, SIDE))
    radius = np.full((1, 1, 1, 1), 16, dtype=np.float32)
    sampled = signs._sample(np.array([label]), across, down, radius)
    assert np.array_equal(sampled[0], face_texture(list(FACES)[label], 32))


def test_outside_the_face_there_is_nothing():
    far = np.full((1, 1, SIDE, SIDE), 40, dtype=np.float32)
    radius = np.full((1, 1, 1, 1), 12, dtype=np.float32)
    for sign in (1, -1):
        assert not signs._sample(np.array([3]), sign * far, far, radius).any()
