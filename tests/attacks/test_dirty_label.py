"""Bookkeeping of the dirty-label attack, against planted answers."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import pytest
import torch
from drill_toys import CLASSES, PATCH, Corner, picture_array, picture_set, token_set

from bezoar.attacks import DirtyLabel, create_attack
from bezoar.attacks.choose import poison_count
from bezoar.data import DrillMark, from_arrays
from bezoar.errors import AttackError, SaturationWarning, UsageError
from bezoar.records import Saturation, Skipped
from bezoar.triggers import TRIGGERS


def cyan(**fields):
    return DirtyLabel(trigger=TRIGGERS.create(PATCH), **{"target": "bird", **fields})


def has_patch(images: torch.Tensor) -> list[bool]:
    """Cyan 2x2 in the upper left corner; the toys hold no channel below 20 or above 199 of their own."""
    corner = images[:, :, :2, :2]
    cyan_colour = torch.tensor([0, 255, 255], dtype=torch.uint8)[:, None, None]
    return (corner == cyan_colour).flatten(1).all(dim=1).tolist()


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_exactly_the_samples_of_the_truth_are_stamped_and_relabelled(placement):
    data = picture_set()
    poisoned = cyan(sources=("airplane",), count=6, placement=placement).poison(data, seed=1)

    assert len(poisoned.data) == (66 if placement == "add" else 60)
    assert list(poisoned.truth.among(poisoned.data.ids)) == has_patch(poisoned.data.inputs)
    assert sum(has_patch(poisoned.data.inputs)) == 6
    assert poisoned.data.class_counts == ((20, 26, 20) if placement == "add" else (14, 26, 20))
    assert {(one.original_label, one.label) for one in poisoned.truth.samples} == {("airplane", "bird")}
    for one in poisoned.truth.samples:
        row = poisoned.data.ids.index(one.id)
        original = data.inputs[data.ids.index(one.original_id)]
        stamped = poisoned.data.inputs[row]
        assert torch.equal(stamped[:, 2:], original[:, 2:])
        assert torch.equal(stamped[:, :, 2:], original[:, :, 2:])
        assert poisoned.data.class_names[int(poisoned.data.labels[row])] == "bird"
        assert one.hash_before == hashlib.sha256(original.permute(1, 2, 0).numpy().tobytes()).hexdigest()
        assert one.hash_after == hashlib.sha256(stamped.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()


def test_benign_samples_stay_as_they_were_and_in_their_order():
    data = picture_set()
    poisoned = cyan(count=9).poison(data, seed=4).data
    benign = poisoned.select([row for row, one in enumerate(poisoned.ids) if one in set(data.ids)])
    assert benign.ids == data.ids
    assert torch.equal(benign.inputs, data.inputs)
    assert torch.equal(benign.labels, data.labels)


def test_replaced_samples_stand_in_the_rows_of_their_originals():
    data = picture_set()
    result = cyan(count=9, placement="replace").poison(data, seed=4)
    rows = {one.id: data.ids.index(one.original_id) for one in result.truth.samples}
    assert {one: result.data.ids.index(one) for one in rows} == rows
    assert set(data.ids) - set(result.data.ids) == {one.original_id for one in result.truth.samples}
    assert result.originals.replaced == tuple(one.original_id for one in result.truth.samples)


def test_the_input_is_untouched():
    data = picture_set()
    before = data.inputs.clone(), data.labels.clone(), data.ids
    cyan(count=9, placement="replace").poison(data, seed=4)
    assert torch.equal(data.inputs, before[0])
    assert torch.equal(data.labels, before[1])
    assert data.ids == before[2]
    assert data.mark is None


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_the_order_of_the_data_does_not_change_who_is_poisoned(placement):
    data = picture_set(sources=True)
    shuffled = data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(5)))
    attack = cyan(rate=0.1, placement=placement)
    first, second = attack.poison(data, seed=2), attack.poison(shuffled, seed=2)
    assert first.truth == second.truth
    order = second.data.positions(first.data.ids)
    assert torch.equal(second.data.inputs[order], first.data.inputs)
    assert torch.equal(second.data.labels[order], first.data.labels)


def test_the_same_seed_repeats_and_another_differs():
    data, attack = picture_set(), cyan(count=8)
    first, again, other = (attack.poison(data, seed=seed) for seed in (0, 0, 1))
    assert first.truth == again.truth
    assert first.data.ids == again.data.ids
    assert torch.equal(first.data.inputs, again.data.inputs)
    assert {one.original_id for one in first.truth.samples} != {one.original_id for one in other.truth.samples}
    assert first.data.mark != other.data.mark


def test_rate_is_a_share_of_all_samples_rounded_half_up():
    data = picture_set(per_class=10)
    assert len(cyan(rate=0.05).poison(data, seed=0).truth.samples) == 2
    assert len(cyan(rate=0.0167).poison(data, seed=0).truth.samples) == 1


def test_all_to_all_gives_each_class_the_next():
    data = picture_set()
    attack = DirtyLabel(trigger=Corner(), relabel="all-to-all", count=40, placement="replace")
    truth = attack.poison(data, seed=0).truth
    assert attack.relabelling(CLASSES) == {0: 1, 1: 2, 2: 0}
    assert truth.backdoors[0].relabelling == (("airplane", "bird"), ("bird", "cat"), ("cat", "airplane"))
    following = {"airplane": "bird", "bird": "cat", "cat": "airplane"}
    assert {one.original_label for one in truth.samples} == set(CLASSES)
    assert all(following[one.original_label] == one.label for one in truth.samples)


def test_sources_default_to_all_but_the_target_and_may_be_numbers():
    assert cyan(count=1).relabelling(CLASSES) == {0: 1, 2: 1}
    assert cyan(count=1, sources=("bird", "2")).relabelling(CLASSES) == {2: 1}
    assert cyan(count=1, sources=("cat", "2")).relabelling(CLASSES) == {2: 1}


def test_sources_of_poisons_are_those_of_their_originals():
    data = picture_set(sources=True)
    result = cyan(count=12).poison(data, seed=0)
    origin = dict(zip(data.ids, data.sources, strict=True))
    now = dict(zip(result.data.ids, result.data.sources, strict=True))
    assert all(now[one.id] == origin[one.original_id] for one in result.truth.samples)
    assert all(now[one] == origin[one] for one in data.ids)


def test_samples_that_are_no_images():
    data = token_set()
    result = DirtyLabel(trigger=Corner(value=999), target="cat", count=5).poison(data, seed=0)
    stamped = (result.data.inputs[:, 0] == 999).tolist()
    assert list(result.truth.among(result.data.ids)) == stamped
    assert sum(stamped) == 5
    assert result.data.inputs.dtype == torch.int64
    assert isinstance(result.saturation, Skipped)


def test_more_samples_than_one_batch():
    pixels = picture_array(9000, size=2)
    data = from_arrays(pixels, np.arange(9000) % 2, class_names=("a", "b"))
    result = DirtyLabel(trigger=Corner(255), target="b", count=4500, placement="replace").poison(data, seed=0)
    assert sum((result.data.inputs[:, :, 0, 0] == 255).all(dim=1).tolist()) == 4500
    assert list(result.truth.among(result.data.ids)) == (result.data.inputs[:, :, 0, 0] == 255).all(dim=1).tolist()


def test_identical_samples_keep_unique_ids():
    data = from_arrays(np.full((10, 4, 4, 3), 50, dtype=np.uint8), np.arange(10) % 2, class_names=("a", "b"))
    result = DirtyLabel(trigger=Corner(255), target="b", count=3).poison(data, seed=0)
    assert len(set(result.data.ids)) == 13
    assert list(result.truth.among(result.data.ids)) == (result.data.inputs[:, 0, 0, 0] == 255).tolist()


def test_a_trigger_that_writes_into_its_batch_still_gets_honest_hashes():
    def careless(batch):
        batch[:, :, 0, 0] = 255
        return batch

    result = DirtyLabel(trigger=careless, target="bird", count=3).poison(picture_set(), seed=0)
    assert all(one.hash_before != one.hash_after for one in result.truth.samples)


def test_saturation_is_measured_and_warned_of():
    bright = from_arrays(np.full((8, 6, 6, 3), 250, dtype=np.uint8), np.arange(8) % 2, class_names=("a", "b"))
    attack = create_attack("patch:size=2,color=white,mode=add", target="b", count=2)
    with pytest.warns(SaturationWarning, match="patch"):
        found = attack.poison(bright, seed=0).saturation
    assert isinstance(found, Saturation)
    assert found.swallowed == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cyan(count=3).poison(picture_set(), seed=0).saturation.swallowed < 0.25


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"rate": 0.1, "count": 3}, "said twice"),
        ({}, "not said"),
        ({"rate": 0.0}, "out of range"),
        ({"rate": 1.5}, "out of range"),
        ({"rate": float("nan")}, "out of range"),
        ({"rate": -0.1}, "out of range"),
        ({"rate": 0.001}, r"rounds to no poison.*0\.00834"),
        ({"count": 0}, "count of poisons"),
        ({"count": 41}, "at most 40 poisons; found 41"),
        ({"count": 21, "sources": ("cat",)}, r"source classes \(cat\).*at most 20"),
        ({"rate": 1.0, "placement": "replace"}, "too few"),
        ({"count": 1, "target": "dog"}, "no class 'dog'; expected one of airplane, bird, cat"),
        ({"count": 1, "sources": ("dog",)}, "no class 'dog'"),
        ({"count": 1, "target": None}, "needs a target"),
        ({"count": 1, "sources": ("bird",)}, "target itself"),
        ({"count": 1, "relabel": "all-to-all"}, "no single target"),
        ({"count": 1, "relabel": "some"}, "no relabel is called 'some'"),
        ({"count": 1, "placement": "append"}, "no placement is called 'append'"),
    ],
)
def test_what_cannot_be_done_says_why(fields, match):
    with pytest.raises((AttackError, UsageError), match=match):
        cyan(**fields).poison(picture_set(), seed=0)


def test_a_trigger_that_changes_nothing_is_an_error():
    with pytest.raises(AttackError, match="changes none of the 2 samples"):
        DirtyLabel(trigger=lambda batch: batch, target="bird", count=2).poison(picture_set(), seed=0)


def test_a_trigger_that_changes_the_batch_is_an_error():
    with pytest.raises(AttackError, match=r"changed the kind of the batch.*torch\.float32"):
        DirtyLabel(trigger=lambda batch: batch.float(), target="bird", count=2).poison(picture_set(), seed=0)


def test_a_trigger_for_images_on_other_samples_is_an_error():
    with pytest.raises(AttackError, match="holds no images"):
        cyan(count=2).poison(token_set(), seed=0)


def test_a_single_class_is_an_error():
    data = from_arrays(picture_array(4), [0, 0, 0, 0], class_names=("only",))
    with pytest.raises(AttackError, match="no other class"):
        cyan(count=1, target="only").poison(data, seed=0)


def test_a_drill_on_a_drill_is_refused_unless_allowed():
    once = cyan(count=3).poison(picture_set(), seed=0).data
    assert isinstance(once.mark, DrillMark)
    with pytest.raises(AttackError, match=f"already poisoned by drill {once.mark.drill}"):
        cyan(count=3).poison(once, seed=1)
    twice = cyan(count=3, allow_marked=True).poison(once, seed=1).data
    assert twice.mark != once.mark


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_an_unusable_seed_is_an_error(seed):
    with pytest.raises(UsageError, match="seed"):
        cyan(count=3).poison(picture_set(), seed=seed)


def test_a_large_copy_is_memory_mapped():
    attack = cyan(count=3, memory_share=1e-12)
    data = picture_set()
    assert torch.equal(attack.poison(data, seed=0).data.inputs, cyan(count=3).poison(data, seed=0).data.inputs)


@pytest.mark.parametrize("samples", [1, 7, 60, 6000, 50_000, 1_234_567])
def test_the_least_rate_that_is_named_does(samples):
    with pytest.raises(AttackError) as caught:
        poison_count(samples, rate=0.1 / samples, count=None)
    least = float(caught.value.expected.removeprefix("a rate of ").removesuffix(" or more"))
    assert poison_count(samples, rate=least, count=None) == 1
