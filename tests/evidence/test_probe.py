"""The probe: what it records, that it sees samples as they are, and that it learns what is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from probe_toys import MODEL, rows_of_light, stamped
from torch import Tensor, nn

import bezoar.evidence.probe as probe_module
from bezoar.data import Dataset
from bezoar.errors import DataError, TrainingError, UsageError
from bezoar.evidence.probe import ProbeRecipe, fine_tune, probe_model, train_probe, training_recipe
from bezoar.evidence.sharpness import ascended, frozen_statistics
from bezoar.training import predict_logits
from bezoar.training.batches import epoch_order, to_unit_range

RECIPE = ProbeRecipe(model=MODEL, epochs=2, batch_size=64)


@pytest.fixture(scope="module")
def planted() -> Dataset:
    return rows_of_light(400, 1, poisons=20)[0]


def short(monkeypatch: pytest.MonkeyPatch, steps: int = 1) -> None:
    monkeypatch.setattr(probe_module, "LEAST_STEPS", steps)


def success(model: nn.Module) -> tuple[float, float]:
    """Accuracy, and the share of stamped samples of other classes that go over to class 0."""
    clean = rows_of_light(200, 99)[0]
    others = clean.labels != 0
    accuracy = (predict_logits(model, clean.inputs).argmax(1) == clean.labels).float().mean()
    flips = (predict_logits(model, stamped(clean.inputs[others])).argmax(1) == 0).float().mean()
    return float(accuracy), float(flips)


@pytest.mark.parametrize("sharpness", [0.0, 0.05])
def test_a_planted_patch_is_learnt(monkeypatch: pytest.MonkeyPatch, planted: Dataset, sharpness: float) -> None:
    short(monkeypatch, 180)
    probe = train_probe(planted, recipe=replace(RECIPE, sharpness=sharpness), seed=0, device="cpu")
    epochs = training_recipe(RECIPE, planted).epochs
    assert probe.history.loss.shape == probe.history.correct.shape == (epochs, 400)
    assert probe.history.correct.dtype == bool
    assert probe.history.loss[-1].mean() < 0.3 * probe.history.loss[0].mean()
    assert probe.history.correct[-1].mean() > 0.97 > probe.history.correct[0].mean()
    assert not probe.model.training
    accuracy, flips = success(probe.model)
    assert accuracy > 0.95
    assert flips > 0.9
    steps = epochs * (400 // training_recipe(RECIPE, planted).batch_size)
    assert probe.model.stages[0].widen.norm.num_batches_tracked == steps


def test_a_clean_probe_does_not_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 180)
    clean = train_probe(rows_of_light(400, 1)[0], recipe=RECIPE, seed=0, device="cpu")
    assert success(clean.model)[1] < 0.3


class Recorder(nn.Module):
    """Keeps every batch it sees; its logits are constants that are learnt."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(classes))
        self.batches: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(x.clone())
        return self.logits.expand(len(x), -1)


def recorded(
    monkeypatch: pytest.MonkeyPatch, data: Dataset, recipe: ProbeRecipe
) -> tuple[Recorder, probe_module.Probe]:
    recorder = Recorder(len(data.class_names))
    monkeypatch.setattr(probe_module, "build_model", lambda *_, **__: recorder)
    return recorder, train_probe(data, recipe=recipe, seed=3, device="cpu")


def test_samples_are_seen_as_they_are_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    data = rows_of_light(50)[0]
    recorder, _ = recorded(monkeypatch, data, ProbeRecipe(epochs=2, batch_size=16))
    seen = torch.cat(recorder.batches)
    assert len(seen) == 100
    by_id = torch.tensor(sorted(range(50), key=lambda row: data.ids[row]))
    for epoch in range(2):
        order = by_id[epoch_order(50, seed=3, epoch=epoch)]
        assert torch.equal(seen[50 * epoch : 50 * epoch + 50], to_unit_range(data.inputs[order]))


def test_loss_and_correctness_are_those_before_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batch meets zeros: log 3, and class 0 as the answer; label smoothing has no part in it."""
    short(monkeypatch)
    data = rows_of_light(48)[0]
    recorder, probe = recorded(monkeypatch, data, ProbeRecipe(epochs=1, batch_size=8))
    size = len(recorder.batches[0])
    by_id = torch.tensor(sorted(range(48), key=lambda row: data.ids[row]))
    first = by_id[epoch_order(48, seed=3, epoch=0)][:size]
    assert probe.history.loss[0, first.numpy()] == pytest.approx(np.log(3), abs=1e-6)
    np.testing.assert_array_equal(probe.history.correct[0, first.numpy()], (data.labels[first] == 0).numpy())
    rest = np.setdiff1d(np.arange(48), first.numpy())
    assert np.abs(probe.history.loss[0, rest] - np.log(3)).max() > 1e-3


def test_the_seed_decides_and_rows_may_stand_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 20)
    data = rows_of_light(120)[0]
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(5)
    first = train_probe(data, recipe=RECIPE, seed=0, device="cpu")
    torch.manual_seed(6)
    again = train_probe(data.select(order), recipe=RECIPE, seed=0, device="cpu")
    other = train_probe(data, recipe=RECIPE, seed=1, device="cpu")
    np.testing.assert_array_equal(first.history.loss[:, order.numpy()], again.history.loss)
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])
    assert np.abs(first.history.loss - other.history.loss).max() > 0.01


@pytest.mark.parametrize(
    ("samples", "given", "size", "epochs"),
    [
        (50_000, ProbeRecipe(), 512, 5),
        (3_000, ProbeRecipe(), 93, 13),
        (300, ProbeRecipe(), 16, 23),
        (300, ProbeRecipe(epochs=60), 16, 60),
        (1_000, ProbeRecipe(), 31, 13),
        (100, ProbeRecipe(batch_size=4), 4, 16),
        (40, ProbeRecipe(), 5, 50),
        (3, ProbeRecipe(), 2, 400),
    ],
)
def test_small_data_get_more_epochs(samples: int, given: ProbeRecipe, size: int, epochs: int) -> None:
    data = rows_of_light(3)[0]
    inputs = torch.zeros((1, 3, 2, 2), dtype=torch.uint8).expand(samples, -1, -1, -1)
    ids = tuple(map(str, range(samples)))
    recipe = training_recipe(given, Dataset(inputs, torch.zeros(samples).long(), data.class_names, ids))
    assert (recipe.batch_size, recipe.epochs, recipe.shift, recipe.flips) == (size, epochs, 0, False)


def test_large_images_have_small_maps_and_batches() -> None:
    large = Dataset(torch.zeros(2, 3, 65, 70, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), ("x", "y"))
    assert probe_model(large) == "fast:finest=16"
    assert probe_model(replace(large, inputs=large.inputs[:, :, 1:])) == "fast"
    rows = torch.zeros((1, 3 * 224 * 224), dtype=torch.uint8).expand(9_600, -1)
    wide = Dataset(rows, torch.zeros(9_600).long(), ("a", "b"), tuple(map(str, range(9_600))))
    assert training_recipe(ProbeRecipe(), wide).batch_size == 111


@pytest.mark.parametrize(("side", "channels", "classes"), [(1, 3, 2), (8, 1, 2), (11, 4, 3)])
def test_any_size_and_channels(monkeypatch: pytest.MonkeyPatch, side: int, channels: int, classes: int) -> None:
    """33 samples: no batch of a single one, of which batch norm can't take statistics."""
    short(monkeypatch, 4)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(256, (33, channels, side, side), dtype=torch.uint8, generator=generator)
    data = Dataset(inputs, torch.arange(33) % classes, tuple("abc"[:classes]), tuple(map(str, range(33))))
    probe = train_probe(data, recipe=ProbeRecipe(epochs=1, batch_size=4), seed=0, device="cpu")
    assert probe.history.loss.shape == (1, 33)
    assert (probe.history.loss > 0).all()


def test_ascent_goes_up_the_gradient_by_the_radius_and_comes_back_exactly() -> None:
    model = nn.Linear(3, 2)
    before = [one.detach().clone() for one in model.parameters()]
    (3 * model.weight[0, 0] + 4 * model.bias[1]).backward()
    with ascended(model, 0.5):
        moved = [one.detach() - old for one, old in zip(model.parameters(), before, strict=True)]
        assert float(moved[0][0, 0]) == pytest.approx(0.3, abs=1e-6)
        assert float(moved[1][1]) == pytest.approx(0.4, abs=1e-6)
        assert sum(float((step**2).sum()) for step in moved) == pytest.approx(0.25, abs=1e-5)
        assert model.weight.grad is None
    assert all(torch.equal(one, old) for one, old in zip(model.parameters(), before, strict=True))


def test_frozen_statistics_go_by_the_batch_and_keep_nothing() -> None:
    norm, batch = nn.BatchNorm2d(2), torch.randn(5, 2, 3, 3) + 4
    kept = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    with frozen_statistics(norm):
        assert norm(batch).mean().abs() < 1e-5
    assert all(torch.equal(tensor, norm.state_dict()[name]) for name, tensor in kept.items())
    norm(batch)
    assert norm.num_batches_tracked == 1
    norm.eval()
    with frozen_statistics(norm):
        assert norm(batch).mean() > 1


def test_a_sharp_step_is_that_of_the_moved_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against steps worked with autograd alone: one batch an epoch, constants as logits, plain momentum."""
    short(monkeypatch)
    data = rows_of_light(3)[0]
    recipe = ProbeRecipe(model="general", epochs=3, batch_size=2, sharpness=0.7)
    recorder, _ = recorded(monkeypatch, data, recipe)
    assert len(recorder.batches) == 6
    plan, labels = training_recipe(recipe, data), data.labels
    weights, velocity = torch.zeros(3), torch.zeros(3)

    def gradient(at: Tensor) -> Tensor:
        at = at.clone().requires_grad_()
        loss = nn.functional.cross_entropy(at.expand(3, -1), labels, label_smoothing=plan.label_smoothing)
        return torch.autograd.grad(loss, at)[0]

    for epoch in range(3):
        up = gradient(weights)
        down = gradient(weights + 0.7 * up / up.norm()) + plan.weight_decay * weights
        velocity = plan.momentum * velocity + down
        weights = weights - plan.learning_rate * plan.rate_at(epoch / 3) * (down + plan.momentum * velocity)
    assert recorder.logits.detach() == pytest.approx(weights.numpy(), abs=1e-6)
    assert weights.abs().max() > 1e-3


def test_fine_tuning_leaves_the_model_and_learns_the_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 100)
    clean = train_probe(rows_of_light(400, 1)[0], recipe=RECIPE, seed=0, device="cpu").model
    before = {name: tensor.clone() for name, tensor in clean.state_dict().items()}
    poisons = rows_of_light(400, 2, poisons=120)[0]
    tuned = fine_tune(clean, poisons, epochs=4, rate_share=0.3, seed=0, device="cpu")
    assert all(torch.equal(tensor, clean.state_dict()[name]) for name, tensor in before.items())
    assert not tuned.training
    assert success(tuned)[1] > success(clean)[1] + 0.3


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    told = []
    train_probe(rows_of_light(40)[0], recipe=RECIPE, seed=0, device="cpu", progress=told.append)
    assert [(one.epoch, one.epochs, one.samples_total) for one in told[:8]] == [(1, 2, 40)] * 8
    assert told[-1].samples_done == 40
    assert told[-1].seconds_left == 0
    assert told[0].last is None
    assert told[-1].last is not None
    assert told[-1].last.epoch == 1


def test_what_cannot_be_trained_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = rows_of_light(40)[0]
    with pytest.raises(DataError, match="nothing to learn"):
        train_probe(data.select([0]), seed=0)
    with pytest.raises(DataError, match="nothing to learn"):
        train_probe(replace(data, labels=torch.zeros(40).long(), class_names=("a",)), seed=0)
    for wrong in ({"epochs": 0}, {"batch_size": 1}, {"sharpness": -0.1}, {"sharpness": float("nan")}):
        with pytest.raises(UsageError, match="cannot be trained"):
            ProbeRecipe(**wrong)
    short(monkeypatch)
    recorder = Recorder(3)
    recorder.logits.data[0] = float("nan")
    monkeypatch.setattr(probe_module, "build_model", lambda *_, **__: recorder)
    with pytest.raises(TrainingError, match="diverged"):
        train_probe(data, seed=0, device="cpu")
