import numpy as np
import pytest
import torch
from confirm_toys import brightness_classes, dataset, textures

import bezoar.confirm.networks as room
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import divided, train_blind, train_shown, united
from bezoar.errors import DataError, UsageError
from bezoar.evidence.probe import ProbeRecipe

TINY = ProbeRecipe(model="fast:finest=8,stem=4,widths=8", epochs=1)


def data_of(count=400, side=8):
    images, labels = brightness_classes(count, side=side)
    return dataset(images, labels, 4)


def ids_of(data, rows):
    return [data.ids[row] for row in rows]


def test_parts_are_disjoint_and_doubtful_samples_are_in_neither():
    data = data_of()
    doubtful = set(data.ids[:100])
    parts = divided(data, doubtful, 0)
    trained, held_out = ids_of(data, parts.trained), ids_of(data, parts.held_out)
    assert len(held_out) == 60
    assert sorted([*trained, *held_out]) == sorted(data.ids[100:])


def test_the_order_of_rows_changes_nothing_and_the_seed_does():
    data = data_of()
    turned = data.select(torch.randperm(400, generator=torch.Generator().manual_seed(3)))
    for part in ("trained", "held_out"):
        mine, theirs, other = (
            ids_of(one, getattr(divided(one, set(), seed), part)) for one, seed in ((data, 0), (turned, 0), (data, 1))
        )
        assert mine == theirs
        assert mine != other


def test_no_more_than_said(monkeypatch):
    monkeypatch.setattr(room, "MOST_HELD_OUT", 30)
    monkeypatch.setattr(room, "MOST_TRAINED", 50)
    parts = divided(data_of(), set(), 0)
    assert len(parts.trained) == 50
    # Rounded in each class, and 20 of each: four classes of 100.
    assert len(parts.held_out) == 80
    monkeypatch.setattr(room, "MOST_VALUES", 12 * 3 * 8 * 8)
    assert len(divided(data_of(), set(), 0).trained) == 12


def test_of_a_rare_class_some_are_held_out():
    labels = torch.from_numpy(np.repeat([0, 1, 2], [2000, 100, 10]))
    data = dataset(textures(2110, channels=1, side=4), labels, 3)
    for seed in range(3):
        parts = divided(data, set(), seed)
        held = np.bincount(labels.numpy()[parts.held_out], minlength=3)
        assert held.tolist() == [400, 20, 2]
        # Halved by turns, both halves hold some.
        assert np.bincount(labels.numpy()[parts.held_out[::2]], minlength=2)[1] > 2


def test_beside_another_network_nothing_is_held_out_that_it_met():
    data = data_of()
    labels = data.labels.numpy()
    halves = [np.flatnonzero(labels == 1)[start::2] for start in (0, 1)]
    first = divided(data, {data.ids[row] for row in halves[0]}, 0)
    second = divided(data, {data.ids[row] for row in halves[1]}, 0, first.trained)
    assert not set(second.held_out) & set(first.trained)
    assert not set(second.held_out) & set(second.trained)
    # Samples of every class are held out, of the half class those that the first was kept from.
    held = np.bincount(labels[second.held_out], minlength=4)
    assert held[[0, 2, 3]].tolist() == [20, 20, 20]
    assert held[1] == 10
    assert set(second.held_out[labels[second.held_out] == 1]) <= set(halves[0])


def test_small_groups_come_up_again_under_ids_of_their_own():
    data = data_of()
    shown = room._with(data, np.arange(50), [np.arange(100, 130), np.arange(200, 205)])
    assert len(set(shown.ids)) == len(shown) == 50 + 420 + 400
    first, second = shown.inputs[50:470], shown.inputs[470:]
    assert torch.equal(first, data.inputs[100:130].repeat(14, 1, 1, 1))
    assert torch.equal(second, data.inputs[200:205].repeat(80, 1, 1, 1))
    assert torch.equal(shown.labels[470:], data.labels[200:205].repeat(80))
    assert all(one.split("#")[0] in data.ids for one in shown.ids)


def test_as_many_innocent_samples_of_the_class():
    data = data_of()
    rows = np.arange(0, 80)
    found = room._innocent(data, rows, 2, 15)
    assert len(set(found)) == len(found) == 15
    assert set(data.labels[found].tolist()) == {2}
    # There are 20: for 50 they come up again.
    repeated = room._innocent(data, rows, 2, 50)
    assert len(repeated) == 50
    assert len(set(repeated)) == 20
    assert len(room._innocent(data, np.flatnonzero(data.labels.numpy() != 2), 2, 5)) == 0


def test_what_each_network_meets(monkeypatch):
    data = data_of()
    suspects = tuple(one for one, label in zip(data.ids, data.labels.tolist(), strict=True) if label == 1)[:30]
    met = []
    probe, tuned = room.train_probe, room.fine_tune
    monkeypatch.setattr(room, "train_probe", lambda data, **rest: (met.append(data), probe(data, **rest))[1])
    monkeypatch.setattr(
        room, "fine_tune", lambda model, data, **rest: (met.append(data), tuned(model, data, **rest))[1]
    )
    hypotheses = [Hypothesis(1, suspects, "made up")]
    network = train_blind(data, hypotheses, set(), recipe=TINY, seed=0, device="cpu")
    networks = train_shown(data, network, hypotheses, seed=0, device="cpu")
    blind, exposed, placebo = ([one.split("#")[0] for one in data.ids] for data in met)
    held_out = set(ids_of(data, networks.held_out))
    assert not {*blind, *placebo} & set(suspects)
    assert set(exposed) & set(suspects) == set(suspects)
    assert not held_out & {*blind, *exposed, *placebo, *suspects}
    assert len(exposed) == len(placebo)
    assert torch.equal(met[1].labels.bincount(), met[2].labels.bincount())
    states = [model.state_dict()["head.weight"] for model in (networks.blind, networks.exposed, networks.placebo)]
    assert not torch.equal(states[0], states[1])
    assert not torch.equal(states[1], states[2])
    assert not any(model.training for model in (networks.blind, networks.exposed, networks.placebo))


def test_rivals_are_united_by_votes_then_by_their_best_rank():
    one, other = Hypothesis(1, ("a", "b", "c"), "x"), Hypothesis(1, ("d", "c", "a"), "y")
    alone = Hypothesis(2, ("e",), "z")
    first, second = united([one, alone, other])
    assert (first.target, first.suspects, first.signal) == (1, ("a", "c", "d", "b"), "x + y")
    assert second == alone
    assert united([one]) == (one,)


def test_nothing_beyond_doubt_is_an_error():
    data = data_of(40)
    with pytest.raises(DataError, match="beyond doubt"):
        train_blind(data, [Hypothesis(1, data.ids[:3], "x")], set(data.ids), recipe=TINY, seed=0, device="cpu")


def test_a_hypothesis_without_suspects_is_an_error():
    with pytest.raises(UsageError, match="no suspect"):
        Hypothesis(1, (), "x")
