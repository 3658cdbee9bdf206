"""Stamps on a network that sees quarters, with backdoors planted that lead all, one, or each class elsewhere."""

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.detect.models.stamp_probing import StampProbing
from bezoar.detect.probing import asked
from bezoar.detect.probing.answers import beyond, each_to_its_own, from_one_alone, shares, to_each
from bezoar.detect.probing.stamps import Stamp, every_stamp, neighbours, side_of
from bezoar.records import Skipped
from inversion_toys import CLASSES, SIDE, WAYS, Linear, Stamped, clean_data

SHAPE = (3, SIDE, SIDE)


def probed(model: nn.Module) -> tuple[np.ndarray, object]:
    told = StampProbing(positions=6, lessons=150).inspect(model, clean_data(), SHAPE, CLASSES, seed=0)
    assert not isinstance(told, Skipped)
    return told.classes, told.proposals


@pytest.mark.parametrize("kind", WAYS)
def test_a_planted_stamp_is_found_with_its_sources(kind: str) -> None:
    way = WAYS[kind]
    classes, proposals = probed(Stamped(way))
    targets = set(way.values())
    assert set(np.flatnonzero(classes > 1.2).tolist()) == targets
    for target in targets:
        found = proposals[target]
        sources = tuple(source for source, goal in way.items() if goal == target)
        assert found.target == target
        assert found.sources == (() if kind == "all to one" else sources)
        mask = torch.sigmoid(found.parameters["mask"])[0, 0]
        assert mask[0, SIDE - 1] > 0.99


def test_a_clean_network_has_no_striking_stamp() -> None:
    classes, _ = probed(Linear())
    assert classes.max() < 1.2


def test_shares_are_counted_by_class() -> None:
    class Constant(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot((images[:, 0, 0, 0] > 0.5).long() * 2, 3).float()

    images = torch.zeros(4, 1, 4, 4)
    images[3] = 1.0
    told = shares(Constant(), images, torch.tensor([0, 0, 1, 1]), 3, [Stamp(2, 2, 1, (1.0,)), Stamp(0, 0, 1, (1.0,))])
    np.testing.assert_array_equal(told[0], [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 0]])
    np.testing.assert_array_equal(told[1], [[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def test_three_ways_of_being_odd() -> None:
    given = np.zeros((2, 3, 3))
    given[0] = [[0, 1, 0], [0, 1, 0], [0, 1, 0]]  # all to the second
    given[1] = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # each to the next
    np.testing.assert_allclose(to_each(given), [[0, 1, 0], [0.5, 0.5, 0.5]])
    assert from_one_alone(given)[0, 0, 1] == 0.0
    assert from_one_alone(given)[1, 0, 1] == 1.0
    matched, ways = each_to_its_own(given)
    np.testing.assert_allclose(matched, [1 / 3, 1.0])
    assert ways[1].tolist() == [1, 2, 0]


def test_what_happens_elsewhere_too_does_not_count() -> None:
    given = np.array([[[0.2, 0.8, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    natural = np.array([[[0.5, 0.3, 0.2], [0.4, 0.6, 0.0], [0.0, 0.0, 0.0]]])
    np.testing.assert_allclose(beyond(given, natural)[0], [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def test_what_an_innocent_network_does_too_is_no_backdoor(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Stamped(WAYS["one to another"])
    monkeypatch.setattr(asked, "innocent_twin", lambda *_, **__: model)
    classes, _ = probed(model)
    assert classes.max() < 0.5


def test_stamps_reach_from_edge_to_edge_and_their_neighbours_fit() -> None:
    stamps = every_stamp((3, 32, 40))
    assert side_of((3, 32, 40)) == 3
    assert len(stamps) == len(set(stamps)) == 11 * 11 * 8
    assert {(0, 0), (29, 37)} <= {(one.top, one.left) for one in stamps}
    assert all(one.fits((3, 32, 40)) for one in stamps)
    near = list(neighbours(stamps[0], (3, 32, 40)))
    assert stamps[0] not in near
    assert all(one.fits((3, 32, 40)) for one in near)
    assert len(every_stamp((1, 6, 6), positions=11)) == 5 * 5 * 2


def test_a_stamp_and_its_patch_are_the_same() -> None:
    from bezoar.detect.inversion.forms import Patch

    images = torch.rand(2, 3, 8, 8)
    stamp = Stamp(1, 5, 3, (1.0, 0.0, 1.0))
    torch.testing.assert_close(
        Patch().put_on(stamp.as_patch((3, 8, 8)), images[None])[0], stamp.put_on(images), atol=1e-3, rtol=0
    )


def test_without_images_or_enough_of_them_stamps_are_skipped() -> None:
    detector = StampProbing()
    for trusted, classes in ((None, CLASSES), (clean_data(), 2), (clean_data(12), CLASSES)):
        told = detector.inspect(Linear(), trusted, SHAPE, classes, seed=0)
        assert isinstance(told, Skipped)
