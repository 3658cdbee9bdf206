import numpy as np
import pytest
import torch
from confirm_toys import Rule, bright, brightness_classes, dataset, one_hot

import bezoar.confirm.flips as room
from bezoar.confirm.flips import Carriers, Flips, above_chance, flips


def by_first_pixel(images):
    """The answer is written in the first pixel's first channel; with a mark in the last pixel it is 2."""
    written = (images[:, 0, 0, 0] * 255).round().to(torch.int64)
    return one_hot(torch.where(images[:, 0, -1, -1] > 0.5, 2, written), 4)


def marked(images):
    changed = images.clone()
    changed[:, :, -1, -1] = 255
    return changed


def written(answers):
    images = torch.zeros(len(answers), 3, 4, 4, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor(answers, dtype=torch.uint8)
    return images


def test_truth_table():
    # Right and not of the target class counts; only what counts can flip.
    answers, labels = [0, 0, 1, 2, 2, 3], [0, 1, 1, 2, 0, 3]
    done = flips(Rule(by_first_pixel), Carriers(written(answers), np.array(labels)), marked, 2)
    assert done.counted.tolist() == [True, False, True, False, False, True]
    assert done.flipped.tolist() == [True, False, True, False, False, True]
    assert done.rate == 1.0
    still = flips(Rule(by_first_pixel), Carriers(written(answers), np.array(labels)), lambda images: images, 2)
    assert still.counted.tolist() == done.counted.tolist()
    assert not still.flipped.any()


def test_what_is_known_to_be_right_is_not_asked_again():
    carriers = Carriers(written([0, 1]), np.array([0, 1]))
    done = flips(Rule(by_first_pixel), carriers, marked, 2, right=np.array([False, True]))
    assert done.counted.tolist() == [False, True]


def test_rates_of_nothing_are_no_numbers():
    nothing = Flips(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool))
    assert np.isnan(nothing.rate)
    assert np.isnan(nothing.by_class(np.array([0, 1, 2]), 3)).all()


def test_rates_by_class_need_ten():
    labels = np.repeat([0, 1, 2], [10, 9, 20])
    flipped, counted = np.zeros(39, dtype=bool), np.ones(39, dtype=bool)
    flipped[:3], flipped[-5:], counted[-20:-10] = True, True, False
    np.testing.assert_array_equal(Flips(flipped, counted).by_class(labels, 4), [0.3, np.nan, 0.5, np.nan])


def test_few_at_a_time_give_the_same_answers(monkeypatch):
    images, labels = brightness_classes(50)
    carriers = Carriers(images, labels.numpy())
    model = Rule(lambda images: one_hot(bright(images), 4))
    sizes = []

    def darker(images):
        sizes.append(len(images))
        return images // 2

    whole = carriers.answers(model, darker)
    monkeypatch.setattr(room, "VALUES_AT_A_TIME", 7 * images[0].numel())
    parts = carriers.answers(model, darker)
    assert sizes == [50, *[7] * 7, 1]
    assert parts.tolist() == whole.tolist()
    assert carriers.part(np.zeros(50, dtype=bool)).answers(model).tolist() == []


def test_carriers_are_rows_of_the_data():
    images, labels = brightness_classes(50)
    data = dataset(images, labels, 4)
    carriers = Carriers.of(data, np.array([7, 3]))
    assert torch.equal(carriers.inputs, images[[7, 3]])
    assert carriers.labels.tolist() == [3, 3]
    assert carriers.part(np.array([False, True])).labels.tolist() == [3]


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_guesses_are_not_above_chance_and_knowledge_is(classes):
    generator = np.random.default_rng(classes)
    labels = np.repeat(np.arange(classes), 1000 // classes)
    guesses = [generator.integers(classes, size=len(labels)) == labels for _ in range(40)]
    # Two standard errors: one in 44 by chance.
    assert sum(above_chance(right, labels) for right in guesses) <= 4
    known = generator.random(len(labels)) < 0.3 + 0.7 / classes
    assert above_chance(known | guesses[0], labels)


def test_the_commonest_class_is_a_guess():
    labels = np.repeat([0, 1], [990, 10])
    assert not above_chance(labels == 0, labels)
    assert above_chance(np.ones(1000, dtype=bool), labels)
    assert not above_chance(np.ones(10, dtype=bool), np.zeros(10, dtype=int))
