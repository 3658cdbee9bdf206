"""When the clean samples are none that a model knows: other classes, another order, and what few samples can't say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.confirm.answers import MOST_ASKED, Answers, answers
from bezoar.records import Rate
from inversion_toys import Linear, clean_data


def of_each_class(right: int, samples: int, classes: int, *, asked: int | None = None) -> Answers:
    """So many right of so many samples of each class, or of the first `asked` classes alone."""
    asked = classes if asked is None else asked
    flags = np.tile(np.arange(samples) < right, asked)
    return Answers(flags, np.repeat(np.arange(asked), samples), classes)


@pytest.mark.parametrize(
    ("right", "samples", "classes"),
    [(4, 50, 10), (10, 50, 10), (0, 4, 10), (50, 100, 2), (55, 100, 2), (1, 100, 100), (10, 30, 3), (0, 3, 4)],
)
def test_answers_no_better_than_guessing_raise_a_doubt(right: int, samples: int, classes: int) -> None:
    doubt = of_each_class(right, samples, classes).doubt
    assert "hardly more of the clean samples right than guessing would" in doubt
    assert f"{right / samples:.1%} beside {1 / classes:.1%}" in doubt
    assert doubt.endswith("?")


def test_samples_of_a_single_class_say_nothing() -> None:
    assert of_each_class(0, 90, 3, asked=1).doubt == ""
    assert of_each_class(0, 90, 3, asked=2).doubt


@pytest.mark.parametrize(
    ("right", "samples", "classes"),
    [(30, 100, 10), (65, 100, 2), (3, 100, 100), (60, 100, 3), (1, 1, 10), (1, 2, 2), (3, 4, 3), (10, 100, 43)],
)
def test_weak_models_that_know_the_classes_and_few_samples_raise_none(right: int, samples: int, classes: int) -> None:
    assert of_each_class(right, samples, classes).doubt == ""


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_one_or_two_samples_say_nothing_whatever_the_model_answers(classes: int) -> None:
    assert of_each_class(0, 1, classes, asked=1).doubt == ""
    assert of_each_class(0, 1, classes, asked=2).doubt == ""


def test_few_samples_of_a_usual_model_hardly_ever_raise_a_doubt() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(8) % 3
    raised = [Answers(generator.random(8) < 0.8, labels, 3).doubt != "" for _ in range(2000)]
    assert np.mean(raised) < 0.002


def test_two_classes_of_ten_that_agree_by_chance_excuse_nothing() -> None:
    labels = np.repeat(np.arange(10), 50)
    assert Answers(labels < 2, labels, 10).doubt


def test_always_the_commonest_answer_is_chance_however_common() -> None:
    labels = np.array([0] * 900 + [1] * 50 + [2] * 50)
    lazy = Answers(labels == 0, labels, 3)
    assert lazy.accuracy.value == 0.9
    assert "33.3% beside 33.3%" in lazy.doubt


def test_a_model_is_asked_about_its_samples_and_another_order_of_classes_is_noticed() -> None:
    told = answers(Linear(), clean_data(), 0)
    assert (told.accuracy.successes, told.accuracy.trials, told.doubt) == (240, 240, "")
    turned = nn.Sequential(Linear(), Rolled())
    assert answers(turned, clean_data(), 0).accuracy.successes == 0
    assert answers(turned, clean_data(), 0).doubt


def test_of_many_samples_a_part_is_asked() -> None:
    rate = answers(Linear(), clean_data(MOST_ASKED + 40), 0).accuracy
    assert isinstance(rate, Rate)
    assert rate.trials == MOST_ASKED


class Rolled(nn.Module):
    """Classes in another order."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.roll(1, dims=1)
