import numpy as np
import pytest
import torch
from confirm_toys import Rule, bright, brightness_classes, one_hot

import bezoar.confirm.content as room
from bezoar.confirm.content import (
    APART,
    Content,
    apart,
    content_of,
    familiarity,
    is_one_kind,
    is_unfamiliar,
    label_doubt,
)
from bezoar.confirm.flips import Carriers
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.witness import Witness

TARGET = 1
MODEL = Rule(lambda images: one_hot(bright(images), 4))


def carriers(count=200, seed=0, classes=(0, 1, 2, 3)):
    images, labels = brightness_classes(count, seed=seed)
    chosen = np.isin(labels.numpy(), classes)
    return Carriers(images[torch.from_numpy(chosen)], labels.numpy()[chosen])


def suspects(classes, change=None, count=160):
    shown = carriers(count, seed=5, classes=classes)
    images = change(shown.inputs) if change else shown.inputs
    return Carriers(images, np.full(len(images), TARGET))


def trigger(change, undo=None):
    return Recovered("additive", "made up", change, torch.zeros(3, 16, 16, dtype=torch.uint8), undo)


def corner(images):
    changed = images.clone()
    changed[:, :, -3:, -3:] = 255
    return changed


def brighter(images):
    return images + 128.0


def test_an_honest_mark_goes_with_right_labels():
    told = content_of(Witness.of(MODEL, carriers()), suspects([TARGET], corner), TARGET, trigger(corner), 4)
    assert told.agree == told.genuine_agree == 1.0
    assert told.mislabelled == 0.0
    assert told.looks == (0, 40, 0, 0)


def test_wrong_labels_are_told():
    told = content_of(Witness.of(MODEL, carriers()), suspects([0, 2, 3], corner), TARGET, trigger(corner), 4)
    assert told.agree == 0.0
    assert told.mislabelled == 1.0
    assert told.looks == (40, 0, 40, 40)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [([0, 2, 3], 0.0), ([0], 2 / 3), ([0, 2], 1 / 3), ([TARGET], None), ([0, TARGET, 2, 3], 0.0)],
)
def test_it_is_told_how_far_suspects_differ_from_all_other_classes(shown, expected):
    blind = Witness.of(MODEL, carriers(400))
    looks = content_of(blind, suspects(shown, corner), TARGET, None, 4).looks
    told = apart(blind, looks, TARGET)
    assert told == (None if expected is None else pytest.approx(expected, abs=0.12))  # less what chance makes
    assert is_one_kind(Content(0, 0, 1.0, (), apart=told)) == (expected is not None and expected > 0.3)


@pytest.mark.parametrize(("count", "classes"), [(100, 9), (600, 4)])
def test_draws_from_one_distribution_are_hardly_apart(count, classes):
    generator = np.random.default_rng(1)

    def one(size):
        images = torch.zeros(size, 3, 4, 4, dtype=torch.uint8)
        images[:, 0, 0, 0] = torch.from_numpy(generator.integers(0, classes, size))
        return Carriers(images, np.zeros(size, np.int64))

    model = Rule(lambda images: one_hot((images[:, 0, 0, 0] * 255).round().to(torch.int64), classes + 1))
    drawn = [(Witness.of(model, one(1000)), one(count).answers(model)) for _ in range(40)]
    told = [apart(blind, np.bincount(answers, minlength=classes + 1), classes) for blind, answers in drawn]
    assert np.mean(told) < 0.03
    assert max(told) < APART


def test_shares_of_wrong_labels_are_told_though_the_network_errs():
    # Of genuine samples it knows three in four, and one in four of the others it takes for them.
    def errs(images):
        wrong = (images[:, 0, 0, 0] * 255).round().to(torch.int64) % 4 == 0
        genuine = bright(images) == TARGET
        return one_hot(torch.where(genuine, torch.where(wrong, 0, 1), torch.where(wrong, 1, 0)), 4)

    clean = carriers(4000)
    mixed = Carriers(clean.inputs[::2], np.full(2000, TARGET))
    half = content_of(Witness.of(Rule(errs), carriers(4000, seed=3)), mixed, TARGET, None, 4)
    # Every second one is of class 0 or 2: half of none are of the target's.
    assert half.mislabelled == pytest.approx(1.0, abs=0.1)
    quarter = Carriers(clean.inputs, np.full(4000, TARGET))
    assert content_of(
        Witness.of(Rule(errs), carriers(4000, seed=3)), quarter, TARGET, None, 4
    ).mislabelled == pytest.approx(0.75, abs=0.06)


def test_a_loud_trigger_does_not_pass_for_a_wrong_label():
    # Marked samples of the class look like another one, as genuine ones do with the trigger on them.
    def loud(images):
        return brighter(images.float()).clamp(0, 255).to(torch.uint8)

    shown = suspects([TARGET], loud)
    told = content_of(Witness.of(MODEL, carriers()), shown, TARGET, trigger(brighter), 4)
    assert told.agree == 0.0
    assert told.mislabelled is None
    # Taken off, the trigger hides nothing any more.
    undone = content_of(
        Witness.of(MODEL, carriers()), shown, TARGET, trigger(brighter, lambda images: images - 128.0), 4
    )
    assert undone.mislabelled == 0.0
    assert undone.agree > 0.9


def test_a_trigger_that_looks_like_the_target_tells_nothing():
    def grey(images):
        return torch.full_like(images, 100)

    told = content_of(Witness.of(MODEL, carriers()), suspects([0, 2, 3], grey), TARGET, trigger(grey), 4)
    assert told.agree == 1.0
    assert told.mislabelled is None


@pytest.mark.parametrize(("shown", "mislabelled"), [([0, 2, 3], 1.0), ([TARGET], 0.0), ([TARGET, 2], 0.5)])
def test_under_a_trigger_that_looks_like_the_target_suspects_are_asked_without_it(shown, mislabelled):
    def pressed(images):
        return images * 0.2 + 77.0  # all levels come to lie within those of the target

    dull = trigger(pressed, lambda images: (images - 77.0) / 0.2)
    told = content_of(Witness.of(MODEL, carriers()), suspects(shown, dull), TARGET, dull, 4)
    assert told.mislabelled == pytest.approx(mislabelled, abs=0.05)


def test_two_classes_can_be_told():
    def errs(images):
        wrong = (images[:, 0, 0, 0] * 255).round().to(torch.int64) % 5 == 0
        return one_hot(torch.where(wrong, 1 - bright(images), bright(images)).clamp(0, 1), 2)

    pool = carriers(2000, classes=(0, 1))
    told = content_of(Witness.of(Rule(errs), pool), suspects([0]), TARGET, None, 2)
    assert told.genuine_agree is not None
    assert told.genuine_agree < 0.9
    assert told.mislabelled is not None
    assert told.mislabelled > 0.9
    right = content_of(Witness.of(Rule(errs), pool), suspects([TARGET]), TARGET, None, 2)
    assert right.mislabelled is not None
    assert right.mislabelled < 0.1


def test_a_network_at_chance_tells_nothing():
    constant = Rule(lambda images: one_hot(torch.full((len(images),), TARGET), 4))
    assert content_of(Witness.of(constant, carriers()), suspects([TARGET]), TARGET, None, 4).mislabelled is None


def test_too_few_genuine_samples_tell_nothing():
    pool = carriers(200)
    few = pool.part((pool.labels != TARGET) | (np.cumsum(pool.labels == TARGET) <= 9))
    told = content_of(Witness.of(MODEL, few), suspects([TARGET]), TARGET, None, 4)
    assert (told.genuine_agree, told.mislabelled) == (None, None)
    assert told.agree == 1.0
    enough = pool.part((pool.labels != TARGET) | (np.cumsum(pool.labels == TARGET) <= 10))
    assert content_of(Witness.of(MODEL, enough), suspects([TARGET]), TARGET, None, 4).mislabelled == 0.0


def test_doubt_is_the_distance_to_the_best_other():
    logits = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.5]], dtype=np.float32)
    assert label_doubt(logits, 1).tolist() == [2.0, -0.5]


@pytest.mark.parametrize(
    ("genuine", "others", "counts", "told"),
    [
        (0.8, 0.05, (300, 2700), True),
        (0.145, 0.047, (300, 2700), True),  # a loud trigger: little is recognised, and surely more than of others
        (0.145, 0.047, (30, 270), False),  # of so few it could be chance
        (0.09, 0.05, (3000, 27000), False),  # sure, and next to nothing
        (0.05, 0.8, (300, 2700), False),
    ],
)
def test_content_is_told_where_genuine_samples_surely_get_the_answer_more_often(genuine, others, counts, told):
    found = room._mislabelled(others, genuine, others, counts)
    assert found == (1.0 if told else None)
    if told:
        assert room._mislabelled(genuine, genuine, others, counts) == 0.0
        assert room._mislabelled((genuine + others) / 2, genuine, others, counts) == pytest.approx(0.5)


def gray(levels):
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)
    return Carriers(images.contiguous(), np.zeros(len(levels), dtype=np.int64))


def test_suspects_that_nothing_held_out_is_like_are_unfamiliar():
    surer_of_bright_ones = Rule(lambda images: torch.stack([images[:, 0, 0, 0] * 8, torch.zeros(len(images))], 1))
    held_out = gray([20 * level for level in range(1, 11)])
    # The median suspect is brighter than three of ten.
    assert familiarity(Witness.of(surer_of_bright_ones, held_out), gray([10, 70, 75])) == pytest.approx(0.3)
    assert familiarity(Witness.of(surer_of_bright_ones, held_out), gray([255])) == 1.0
    assert familiarity(Witness.of(surer_of_bright_ones, gray([])), gray([255])) is None


@pytest.mark.parametrize(("familiar", "is_so"), [(0.0, True), (0.15, True), (0.16, False), (None, False)])
def test_what_most_samples_surpass_is_unfamiliar(familiar, is_so):
    assert is_unfamiliar(Content(0.1, 0.9, 0.9, (1, 2), familiar)) == is_so
