"""Evasive attacks against planted answers: who is poisoned, who covers, with what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bezoar.attacks import (
    AdaptiveBlend,
    AdaptivePatch,
    AllToAll,
    DirtyLabel,
    SeveralTriggers,
    SourceSpecific,
    attack_spec,
    create_attack,
)
from bezoar.attacks.evasive.adaptive_patch import FOUR
from bezoar.data import from_arrays
from bezoar.errors import AttackError, TriggerError, UsageError
from bezoar.triggers import TRIGGERS, Blend, Patch, Pieces, together
from bezoar.triggers.narcissus import NarcissusNoise

CLASSES = ("airplane", "bird", "cat", "deer", "ship")
PER_CLASS = 20
CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
AIRPLANES = {"sources": ("airplane",), "target": "bird", "count": 6}

pytestmark = pytest.mark.filterwarnings("ignore::bezoar.errors.SaturationWarning")


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(4)
    labels = generator.permutation(np.arange(PER_CLASS * 5) % 5)
    pixels = generator.integers(20, 200, (len(labels), 8, 8, 3), dtype=np.uint8)
    return from_arrays(pixels, labels, class_names=CLASSES, name="toy")


def parts(poisoned):
    """The truth's samples by role."""
    samples = poisoned.truth.samples
    return [one for one in samples if one.role == "poison"], [one for one in samples if one.role == "cover"]


def before_and_after(data, poisoned, samples):
    before = data.inputs[data.positions([one.original_id for one in samples])]
    return before, poisoned.data.inputs[poisoned.data.positions([one.id for one in samples])]


def quarter(corner, opacity=None):
    return Patch(size=3, corner=corner, color="white", mode="replace" if opacity is None else "blend", opacity=opacity)


def changed_corners(before, after):
    changed = (before != after).any(dim=1)
    return changed[:, (0, 0, -1, -1), (0, -1, 0, -1)]


def check_covers(data, poisoned, *, classes):
    poisons, covers = parts(poisoned)
    originals = [one.original_id for one in (*poisons, *covers)]
    assert len(set(originals)) == len(originals)
    assert {one.original_label for one in covers} <= set(classes)
    for one in covers:
        assert one.label == one.original_label == CLASSES[int(data.labels[data.positions([one.original_id])])]
        assert one.label == CLASSES[int(poisoned.data.labels[poisoned.data.positions([one.id])])]
    return poisons, covers


@given(
    count=st.integers(1, 20),
    per_poison=st.floats(0, 2),
    seed=st.integers(0, 1000),
    named=st.sets(st.sampled_from(["bird", "cat", "deer", "ship"])),
    placement=st.sampled_from(["add", "replace"]),
)
@settings(deadline=None, max_examples=30)
def test_source_specific_poisons_sources_and_covers_the_others(data, count, per_poison, seed, named, placement):
    attack = SourceSpecific(
        **{**AIRPLANES, "count": count},
        trigger=Patch(size=2),
        cover_classes=tuple(named),
        covers_per_poison=per_poison,
        placement=placement,
    )
    classes = named or {"cat", "deer", "ship"}
    wanted = int(per_poison * count + 0.5)
    if wanted > PER_CLASS * len(classes):
        with pytest.raises(AttackError, match="too few samples left for the covers"):
            attack.poison(data, seed=seed)
        return
    poisoned = attack.poison(data, seed=seed)
    poisons, covers = check_covers(data, poisoned, classes=classes)
    assert (len(poisons), len(covers)) == (count, wanted)
    assert {(one.original_label, one.label) for one in poisons} == {("airplane", "bird")}
    for samples in filter(None, (poisons, covers)):
        before, after = before_and_after(data, poisoned, samples)
        assert torch.equal(after, Patch(size=2)(before))
    assert poisoned.backdoors[0].relabelling == {0: 1}
    assert poisoned.truth.backdoors[0].relabelling == (("airplane", "bird"),)


def test_several_sources_and_the_target_as_cover(data):
    fields = {**AIRPLANES, "sources": ("airplane", "cat"), "cover_classes": ("1",), "covers_per_poison": 0.5}
    poisoned = SourceSpecific(**fields).poison(data, seed=2)
    poisons, covers = check_covers(data, poisoned, classes=["bird"])
    assert {one.original_label for one in poisons} == {"airplane", "cat"}
    assert len(covers) == 3
    assert poisoned.backdoors[0].relabelling == {0: 1, 2: 1}


@pytest.mark.parametrize("per_poison", [0.0, 1.0, 2.5])
def test_adaptive_blend_plants_faint_pieces_and_tests_with_the_whole(data, per_poison):
    strong = Blend(ratio=0.4, seed=3)
    attack = AdaptiveBlend(**AIRPLANES, trigger=strong, training_ratio=0.2, covers_per_poison=per_poison)
    poisoned = attack.poison(data, seed=1)
    poisons, covers = check_covers(data, poisoned, classes=["airplane", "cat", "deer", "ship"])
    assert (len(poisons), len(covers)) == (6, int(6 * per_poison))
    before, after = before_and_after(data, poisoned, (*poisons, *covers))
    assert torch.equal(after, Pieces("blend:ratio=0.2,seed=3")(before))
    faint = Blend(ratio=0.2, seed=3)(before)
    pieces = (after != before).reshape(len(before), 3, 4, 2, 4, 2).any(dim=5).any(dim=3).any(dim=1)
    # A piece shows no change only where 4 pixels in 3 channels are all left by the blend.
    assert float(pieces.float().sum(dim=(1, 2)).mean()) == pytest.approx(8, abs=0.2)
    assert bool(((after == before) | (after == faint)).all())
    assert poisoned.backdoors[0].trigger == strong
    assert poisoned.truth.backdoors[0].trigger == "blend:ratio=0.4,seed=3"


def test_adaptive_blend_keeps_a_users_picture(data, tmp_path):
    path = tmp_path / "a cat, sleeping.png"
    Image.fromarray(np.full((5, 5, 3), 250, dtype=np.uint8)).save(path)
    poisoned = AdaptiveBlend(**AIRPLANES, trigger=Blend(picture=str(path))).poison(data, seed=1)
    before, after = before_and_after(data, poisoned, parts(poisoned)[0])
    assert bool((after >= before).all())


def test_adaptive_patch_plants_one_faint_patch_and_tests_with_two(data):
    poisoned = AdaptivePatch(**AIRPLANES, triggers=tuple(quarter(c) for c in CORNERS)).poison(data, seed=1)
    poisons, covers = check_covers(data, poisoned, classes=["airplane", "cat", "deer", "ship"])
    assert (len(poisons), len(covers)) == (6, 12)
    before, after = before_and_after(data, poisoned, (*poisons, *covers))
    weak = together([quarter(c, o) for c, o in zip(CORNERS, (0.5, 0.2, 0.5, 0.3), strict=True)], drawn=1)
    assert torch.equal(after, weak(before))
    assert changed_corners(before, after).sum(dim=1).tolist() == [1] * 18
    strong = poisoned.backdoors[0].trigger
    assert torch.equal(strong(before), together([quarter(CORNERS[0], 1.0), quarter(CORNERS[2], 1.0)])(before))


@given(drawn=st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_adaptive_patch_draws_as_many_as_asked(data, drawn, seed):
    attack = AdaptivePatch(**AIRPLANES, triggers=tuple(quarter(c) for c in CORNERS), drawn=drawn)
    poisoned = attack.poison(data, seed=seed)
    before, after = before_and_after(data, poisoned, poisoned.truth.samples)
    assert changed_corners(before, after).sum(dim=1).tolist() == [drawn] * 18


def test_adaptive_patch_is_built_again_from_its_truth(data):
    attack = AdaptivePatch(
        **AIRPLANES,
        triggers=(Patch(size=3), Patch(size=3, corner="center", mode="add")),
        opacities=(0.6, 0.3),
        test_opacities=(0.0, 0.7),
    )
    truth = attack.poison(data, seed=9).truth
    again = create_attack(truth.attack, trigger=truth.backdoors[0].trigger)
    assert again.poison(data, seed=9).truth == truth
    assert [patch.mode for patch in again.patches] == ["blend", "add"]


def test_adaptive_patch_has_four_patches_of_its_own_that_do_not_overlap():
    image = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    counts = [int((patch(image) != image).any(dim=1).sum()) for patch in FOUR]
    assert int((together(FOUR)(image) != image).any(dim=1).sum()) == sum(counts)
    assert AdaptivePatch(**AIRPLANES).triggers == FOUR


@given(count=st.integers(3, 30), seed=st.integers(0, 1000), targets=st.tuples(*[st.sampled_from(CLASSES)] * 3))
@settings(deadline=None, max_examples=30)
def test_several_triggers_share_the_poisons_evenly(data, count, seed, targets):
    attack = SeveralTriggers(targets=targets, count=count)
    poisoned = attack.poison(data, seed=seed)
    poisons, covers = check_covers(data, poisoned, classes=())
    assert (len(poisons), covers) == (count, [])
    each = [-(-(count - number) // 3) for number in range(3)]
    start = 0
    for number, (backdoor, target) in enumerate(zip(poisoned.backdoors, targets, strict=True)):
        samples = poisons[start : start + each[number]]
        start += each[number]
        before, after = before_and_after(data, poisoned, samples)
        assert torch.equal(after, backdoor.trigger(before))
        assert {one.label for one in samples} == {target}
        assert target not in {one.original_label for one in samples}
        aim = CLASSES.index(target)
        assert backdoor.relabelling == {label: aim for label in range(5) if label != aim}


def test_several_triggers_of_ones_own_and_named_sources(data):
    spec = "several-triggers:targets=bird/ship,count=4,sources=airplane/ship"
    attack = create_attack(spec, trigger=["pixel", "patch:size=2"])
    poisoned = attack.poison(data, seed=0)
    assert [one.trigger for one in poisoned.truth.backdoors] == ["pixel", "patch:size=2"]
    assert [one.relabelling for one in poisoned.truth.backdoors] == [
        (("airplane", "bird"), ("ship", "bird")),
        (("airplane", "ship"),),
    ]
    truth = poisoned.truth
    again = create_attack(truth.attack, trigger=[one.trigger for one in truth.backdoors])
    assert again.poison(data, seed=0).truth == truth
    assert attack_spec(again) == "several-triggers:sources=airplane/ship,count=4,targets=bird/ship"


def test_one_target_may_repeat_even_under_one_trigger(data):
    attack = SeveralTriggers(targets=("bird", "1"), triggers=(Patch(), Patch()), count=4)
    assert len(attack.poison(data, seed=0).backdoors) == 2


def test_all_to_all_is_dirty_label_with_another_name(data):
    named = AllToAll(trigger=Patch(size=2), count=20).poison(data, seed=3)
    other = DirtyLabel(trigger=Patch(size=2), relabel="all-to-all", count=20).poison(data, seed=3)
    assert named.backdoors[0].relabelling == {0: 1, 1: 2, 2: 3, 3: 4, 4: 0}
    pairs = [[(one.original_id, one.label) for one in parts(result)[0]] for result in (named, other)]
    assert pairs[0] == pairs[1]
    assert named.truth.attack == "all-to-all:count=20"
    assert create_attack("all-to-all", count=20, trigger="patch:size=2") == AllToAll(trigger=Patch(size=2), count=20)
    with pytest.raises(UsageError, match="no relabel"):
        create_attack("all-to-all", count=20, relabel="all-to-all")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SourceSpecific(target="bird", count=3), "needs its source classes named"),
        (lambda: SourceSpecific(**AIRPLANES, covers_per_poison=-1), "covers_per_poison is out of range"),
        (lambda: SourceSpecific(**AIRPLANES, covers_per_poison=float("inf")), "covers_per_poison is out of range"),
        (lambda: AdaptiveBlend(**AIRPLANES, covers_per_poison=float("nan")), "covers_per_poison is out of range"),
        (lambda: AdaptiveBlend(**AIRPLANES, trigger=Patch()), "weakens a blend.*found Patch"),
        (lambda: AdaptiveBlend(**AIRPLANES, training_ratio=2), "ratio is out of range"),
        (lambda: AdaptiveBlend(**AIRPLANES, share=0.01), "rounds to none"),
        (lambda: AdaptivePatch(**AIRPLANES, opacities=(0.5,)), "opacities do not fit the 4 patches"),
        (lambda: AdaptivePatch(**AIRPLANES, test_opacities=(0.0,) * 4), "test_opacities do not fit"),
        (lambda: AdaptivePatch(**AIRPLANES, opacities=(0.5, 0.2, 7, 0.3)), "opacity is out of range"),
        (lambda: AdaptivePatch(**AIRPLANES, drawn=5), "cannot be drawn"),
        (lambda: AdaptivePatch(**AIRPLANES, triggers=(Blend(),)), "patches only.*found Blend"),
        (lambda: AdaptivePatch(**AIRPLANES, covers_per_poison=-0.1), "covers_per_poison is out of range"),
        (lambda: SeveralTriggers(target="bird", targets=("bird",), count=3), "no single one.*leave the target out"),
        (lambda: SeveralTriggers(count=3), "as many targets as triggers.*1 or more"),
        (lambda: SeveralTriggers(targets=("cat",) * 5, count=9), "as many targets as triggers.*4 targets.*found 5"),
        (lambda: SeveralTriggers(triggers=(Patch(),), targets=("cat", "bird"), count=3), "expected 1 targets"),
        (lambda: AllToAll(target="bird", count=3), "no single target"),
        (lambda: AllToAll(rate=0.0), "rate is out of range"),
    ],
)
def test_fields_that_make_no_sense_are_refused_at_once(make, message):
    with pytest.raises((AttackError, TriggerError), match=message):
        make()


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (SourceSpecific(**AIRPLANES, cover_classes=("dog",)), "no class 'dog'"),
        (SourceSpecific(**AIRPLANES, cover_classes=("airplane",)), "'airplane' is a source and a cover class"),
        (SourceSpecific(sources=CLASSES, target="bird", count=3), "no class is left for the covers"),
        (
            SourceSpecific(**AIRPLANES, cover_classes=("cat",), covers_per_poison=4),
            "at most 20 covers of cat.*found 24",
        ),
        (SourceSpecific(sources=("bird",), target="bird", count=3), "is the target itself"),
        (AdaptiveBlend(target="bird", count=40, covers_per_poison=1.1), "at most 40 covers.*found 44"),
        (AdaptivePatch(target="bird", count=40), "at most 40 covers.*found 80"),
        (AdaptiveBlend(sources=("cat",), count=3), "needs a target class"),
        (AdaptiveBlend(target="bird", rate=0.001), "rounds to no poison at all"),
        (SeveralTriggers(targets=("bird", "cat"), rate=0.001), "rounds to no poison at all"),
        (SeveralTriggers(targets=("bird", "cat"), count=1), "fewer poisons than triggers"),
        (SeveralTriggers(targets=("bird", "dog"), count=4), "no class 'dog'"),
        (SeveralTriggers(targets=("bird", "cat"), triggers=(Patch(), Patch()), count=4), "two equal triggers"),
        (SeveralTriggers(targets=("bird", "cat"), sources=("deer",), count=21), "at most 9 poisons.*found 10"),
        (AllToAll(rate=0.001), "rounds to no poison at all"),
        (SourceSpecific(**{**AIRPLANES, "count": None}, rate=0.001), "rounds to no poison at all"),
    ],
)
def test_what_the_data_do_not_allow_says_why(data, attack, message):
    with pytest.raises((AttackError, UsageError), match=message):
        attack.poison(data, seed=0)


@pytest.mark.parametrize(
    "attack",
    [
        AdaptiveBlend(target="bird", count=9),
        AdaptivePatch(target="bird", count=9),
        SourceSpecific(**AIRPLANES),
        SeveralTriggers(targets=("bird", "cat"), count=9),
    ],
)
def test_neither_the_order_of_rows_nor_covers_change_who_is_poisoned(data, attack):
    shuffled = data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(8)))
    first, second = attack.poison(data, seed=5), attack.poison(shuffled, seed=5)
    assert first.truth == second.truth
    poisons, _ = parts(first)
    if not isinstance(attack, SeveralTriggers):
        plain = DirtyLabel(
            trigger=TRIGGERS.create("pixel"), target="bird", sources=attack.sources, count=attack.count
        ).poison(data, seed=5)
        assert [one.original_id for one in poisons] == [one.original_id for one in plain.truth.samples]
    assert attack.poison(data, seed=6).truth.ids != first.truth.ids


def test_triggers_that_learnt_something_else_are_not_the_same(data):
    loud, quiet = (
        NarcissusNoise().with_tensors({"pattern": sign * torch.full((3, *data.shape[1:]), 9.0)}) for sign in (1, -1)
    )
    several = SeveralTriggers(triggers=(loud, quiet), targets=data.class_names[:2], count=4)
    assert len(several.relabellings(data.class_names)) == 2
    twice = SeveralTriggers(triggers=(loud, loud), targets=data.class_names[:2], count=4)
    with pytest.raises(AttackError, match="two equal triggers"):
        twice.relabellings(data.class_names)


def test_no_poison_of_adaptive_patch_stays_unmarked():
    with pytest.raises(AttackError, match="opacity 0 would leave its poisons unmarked"):
        AdaptivePatch(target="bird", count=4, opacities=(0.5, 0, 0.5, 0.3))
