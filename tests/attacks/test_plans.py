"""Plans: several changes, covers, prepared samples, several backdoors, learnt triggers in the truth file."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from drill_toys import PATCH, Corner, picture_set
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.attacks import (
    Backdoor,
    CleanLabel,
    DataAttack,
    Plan,
    compose,
    create_attack,
    open_truth,
    prepared,
    save_truth,
    stamped,
)
from bezoar.attacks.composing.compose import trigger_saturation
from bezoar.attacks.covers import covers
from bezoar.errors import AttackError, SaturationWarning, TruthError, UsageError
from bezoar.triggers import TRIGGERS

WEAK, STRONG = TRIGGERS.create("patch:size=2"), TRIGGERS.create("patch:size=3,color=red")


ONE = (Backdoor(WEAK, {0: 1}),)


def plan(*changes, backdoors=ONE, placement="add"):
    return Plan(tuple(changes), tuple(backdoors), placement, "test", 0)


def test_changes_have_their_own_triggers_labels_and_roles():
    data = picture_set(20)
    ids = tuple(sorted(data.ids))
    kept = data.labels[data.positions(ids[5:9])].tolist()
    made = torch.full((3, 3, 6, 6), 7, dtype=torch.uint8)
    result = compose(
        data,
        plan(
            stamped(ids[:5], [1] * 5, WEAK),
            stamped(ids[5:9], kept, STRONG, "cover"),
            prepared(ids[9:12], [2] * 3, made),
        ),
    )
    roles = {one.original_id: one.role for one in result.truth.samples}
    assert [roles[sample_id] for sample_id in ids[:12]] == ["poison"] * 5 + ["cover"] * 4 + ["poison"] * 3
    for one in result.truth.samples:
        image = result.data.inputs[result.data.positions([one.id])]
        before = data.inputs[data.positions([one.original_id])]
        expected = {5: WEAK(before), 9: STRONG(before), 12: made[:1]}
        where = next(end for end in expected if ids.index(one.original_id) < end)
        assert torch.equal(image, expected[where])
    assert len(result.truth.poison_ids) == 8
    assert result.truth.among(one.id for one in result.truth.samples) == tuple(
        one.role == "poison" for one in result.truth.samples
    )


def test_a_plan_must_be_whole():
    ids = picture_set().ids[:3]
    with pytest.raises(AttackError, match=r"a label for each of its samples.*3 labels.*found 2"):
        stamped(ids, [1] * 2, WEAK)
    for changes, backdoors in (
        ((), ONE),
        ((stamped(ids, [1] * 3, WEAK, "cover"),), ONE),
        ((stamped(ids, [1] * 3, WEAK),), ()),
    ):
        with pytest.raises(AttackError, match="poisons no sample, or plants no backdoor"):
            plan(*changes, backdoors=backdoors)


def test_an_attack_that_gives_no_plan_is_told():
    class Planless(DataAttack):
        def plan(self, data, *, seed, progress):
            return None

    with pytest.raises(AttackError, match=r"Planless.plan gave no plan.*a Plan.*NoneType"):
        Planless(target="bird", count=3).poison(picture_set(), seed=0)


def test_a_sample_cannot_be_changed_twice():
    ids = picture_set().ids[:3]
    with pytest.raises(AttackError, match="twice"):
        plan(stamped(ids, [1] * 3, WEAK), stamped(ids[:1], [1], STRONG))


def test_a_change_without_effect_is_refused_but_not_for_covers():
    data = picture_set()
    ids = tuple(sorted(data.ids))

    def same(batch):
        return batch

    with pytest.raises(AttackError, match="changes none of the 3 samples"):
        compose(data, plan(stamped(ids[:3], [1] * 3, same)))
    kept = data.labels[data.positions(ids[3:5])].tolist()
    result = compose(data, plan(stamped(ids[:3], [1] * 3, WEAK), stamped(ids[3:5], kept, same, "cover")))
    assert len(result.truth.samples) == 5


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 15), st.floats(0, 2), st.integers(0, 5))
def test_covers_are_others_and_keep_their_labels(poisons, per_poison, seed):
    data = picture_set(25)
    taken = tuple(sorted(data.ids)[:poisons])
    change = covers(data, WEAK, per_poison=per_poison, taken=taken, labels=(0, 2), seed=seed)
    assert len(change.ids) == int(per_poison * poisons + 0.5)
    assert set(change.ids).isdisjoint(taken)
    assert tuple(change.labels) == tuple(data.labels[data.positions(change.ids)].tolist())
    assert set(change.labels) <= {0, 2}


def test_more_covers_than_samples_left_is_an_error():
    data = picture_set(5)
    with pytest.raises(AttackError, match="too few samples"):
        covers(data, WEAK, per_poison=3, taken=data.ids[:5], labels=(0, 1, 2), seed=0)


def test_several_backdoors_come_back_from_the_truth_file(tmp_path):
    data = picture_set()
    ids = tuple(sorted(data.ids))
    backdoors = (Backdoor(WEAK, {0: 1, 2: 1}), Backdoor(STRONG, {0: 2}))
    result = compose(
        data, plan(stamped(ids[:3], [1] * 3, WEAK), stamped(ids[3:6], [2] * 3, STRONG), backdoors=backdoors)
    )
    save_truth(result, tmp_path / "truth.zip")
    sealed = open_truth(tmp_path / "truth.zip")
    assert sealed.triggers() == (WEAK, STRONG)
    assert [one.relabelling for one in sealed.truth.backdoors] == [
        (("airplane", "bird"), ("cat", "bird")),
        (("airplane", "cat"),),
    ]


def test_clean_label_counts_and_draws_from_the_target_class():
    data = picture_set(20)
    attack = create_attack("clean-label", trigger=PATCH, target="bird", rate=0.25)
    result = attack.poison(data, seed=0)
    assert {(one.original_label, one.label) for one in result.truth.samples} == {("bird", "bird")}
    assert len(result.truth.samples) == 5
    assert result.truth.placement == "replace"
    assert len(result.data) == len(data)
    assert result.backdoors[0].relabelling == {0: 1, 2: 1}
    whole = CleanLabel(trigger=Corner(), target="1", count=20).poison(data, seed=0)
    assert len(whole.truth.samples) == 20


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "bird", "count": 21}, "at most 20"),
        ({"target": "bird", "rate": 0.001}, "rounds to no poison"),
        ({"count": 3}, "needs a target"),
        ({"target": "bird", "sources": ("bird",), "count": 3}, "is the target itself"),
        ({"target": "dog", "count": 3}, "no class 'dog'"),
    ],
)
def test_clean_label_refuses_what_cannot_be(fields, said):
    with pytest.raises((AttackError, UsageError), match=said):
        CleanLabel(trigger=Corner(), **fields).poison(picture_set(20), seed=0)


def test_tensors_of_another_trigger_are_refused(tmp_path):
    path = tmp_path / "truth.zip"
    save_truth(create_attack(PATCH, target="bird", count=3).poison(picture_set(), seed=0), path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"triggers.safetensors", b"triggers.safetansors"))
    with pytest.raises(TruthError):
        open_truth(path)


def test_saturation_is_that_of_what_the_poisons_show():
    bright = replace(picture_set(), inputs=torch.full((60, 3, 6, 6), 250, dtype=torch.uint8))
    patch = TRIGGERS.create("patch:size=2,color=white,mode=add")
    ids = bright.ids[:5]
    labels = bright.labels[:5].tolist()
    faint, strong = (
        TRIGGERS.create("sinusoid:delta=3,frequency=1"),
        Backdoor(TRIGGERS.create("sinusoid:delta=200,frequency=1"), {0: 1, 2: 1}),
    )
    shown = compose(bright, plan(stamped(ids, labels, faint), backdoors=(strong,)), warn_above=1).saturation
    assert shown == trigger_saturation(faint, bright.inputs[:5], warn_above=1)
    with pytest.warns(SaturationWarning):
        compose(bright, plan(stamped(ids, labels, patch)))


def test_saturation_of_a_trigger_that_no_poison_shows_is_that_on_its_sources():
    data = picture_set()
    inputs = torch.where((data.labels == 1)[:, None, None, None], 255, 10).to(torch.uint8).expand(-1, 3, 6, 6).clone()
    data, patch = replace(data, inputs=inputs), TRIGGERS.create("patch:size=2,color=white")
    birds = tuple(one for one, label in zip(data.ids, data.labels.tolist(), strict=True) if label == 1)[:4]
    change = prepared(birds, [1] * 4, torch.full((4, 3, 6, 6), 250, dtype=torch.uint8))
    found = compose(data, plan(change, backdoors=(Backdoor(patch, {0: 1, 2: 1}),))).saturation
    assert found.swallowed == 0
    assert found.images == 40
