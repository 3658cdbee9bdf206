"""What samples shall be answered: labels mixed with the model's own answers, which stay with their rows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bezoar.errors import UsageError
from bezoar.repair import REPAIRS, Given
from bezoar.repair.base import Work, unheard
from bezoar.repair.loop import Batch, batches_of, cross_entropy, goals_of
from bezoar.repair.meter import Meter
from bezoar.training import predict_logits
from bezoar.training.batches import Augmentation
from repair_toys import CLASSES, Victim, clean_accuracy, stripes, victim

DATA = stripes(37, seed=4, name="t")


@pytest.fixture(scope="module")
def patient() -> Victim:
    return victim("fast")


@pytest.fixture
def work(patient: Victim) -> Work:
    return Work(patient.model, Given(DATA), 3, torch.device("cpu"), Meter(), unheard)


def test_goals_are_answers_and_labels_mixed(work: Work) -> None:
    goals = goals_of(work, DATA, 0.25)
    assert goals is not None
    answers = torch.softmax(predict_logits(work.model, DATA.inputs), 1)
    for row, label in enumerate(DATA.labels.tolist()):
        expected = 0.25 * answers[row]
        expected[label] += 0.75
        torch.testing.assert_close(goals[row], expected)


def test_labels_alone_are_no_goals(work: Work) -> None:
    assert goals_of(work, DATA, 0.0) is None


def test_goals_stay_with_their_rows(work: Work) -> None:
    goals = F.one_hot(torch.arange(len(DATA)), len(DATA)).float()
    seen = list(batches_of(work, DATA, 8, Augmentation(), 1, goals))
    assert torch.cat([batch.rows for batch in seen]).sort().values.tolist() == list(range(len(DATA)))
    for batch in seen:
        assert batch.goals is not None
        assert batch.goals.argmax(1).tolist() == batch.rows.tolist()
        assert batch.labels.tolist() == DATA.labels[batch.rows].tolist()
    assert all(batch.goals is None for batch in batches_of(work, DATA, 8, Augmentation(), 1))


def test_cross_entropy_is_of_the_goals_where_there_are_any(work: Work) -> None:
    images, labels = torch.rand(5, 3, 12, 12), torch.arange(5) % CLASSES
    goals = torch.full((5, CLASSES), 1 / CLASSES)
    logits = work.model(images).detach()
    by_label = cross_entropy(work.model, Batch(images, labels, torch.arange(5))).detach()
    by_goal = cross_entropy(work.model, Batch(images, labels, torch.arange(5), goals)).detach()
    assert float(by_label) == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    assert float(by_goal) == pytest.approx(float(-F.log_softmax(logits, 1).mean()), rel=1e-5)


@pytest.mark.parametrize("spec", ["adversarial-training", "unlearn", "ft-sam", "i-bau", "fine-prune", "nad", "tsbd"])
def test_what_the_model_knew_of_wrongly_labelled_samples_is_kept_by_its_own_answers(spec: str, patient: Victim) -> None:
    trusted = patient.given.trusted
    assert trusted is not None
    wrong = trusted.labels.clone()
    wrong[::2] = (wrong[::2] + 1) % CLASSES
    given = Given(type(trusted)(trusted.inputs, wrong, trusted.class_names, trusted.ids), None, frozenset(),
                  patient.given.trigger, patient.given.target)  # fmt: skip
    by_own, by_label = (
        REPAIRS.create(f"{spec}:distillation={share}").repair(patient.model, given, seed=1, device="cpu").model
        for share in (1, 0)
    )
    assert clean_accuracy(by_own) >= clean_accuracy(by_label)
    assert clean_accuracy(by_own) > 0.9


def test_a_share_is_a_share() -> None:
    with pytest.raises(UsageError, match="distillation is out of range"):
        REPAIRS.create("ft-sam:distillation=1.5")
