"""Evidence gathered once: nothing is made twice, and nothing is found that was made of something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from probe_toys import MODEL, rows_of_light
from torch import nn

import bezoar.evidence.gather as gather_module
import bezoar.evidence.probe as probe_module
from bezoar.data import Dataset
from bezoar.errors import DataError, ModelError
from bezoar.evidence.gather import data_key, gather_model, gather_probe, gather_samples, weights_digest
from bezoar.evidence.probe import ProbeRecipe
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.store import Store
from bezoar.training import predict_logits

RECIPE = ProbeRecipe(model=MODEL, epochs=2, batch_size=64)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "LEAST_STEPS", 20)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Dataset]:
    """The data of each training that takes place."""
    told: list[Dataset] = []

    def counted(data: Dataset, **options: object) -> probe_module.Probe:
        told.append(data)
        return probe_module.train_probe(data, **options)

    monkeypatch.setattr(gather_module, "train_probe", counted)
    return told


def probed(data: Dataset, store: Store | None, recipe: ProbeRecipe = RECIPE, seed: int = 0) -> gather_module.Gathered:
    return gather_probe(data, recipe=recipe, store=store, seed=seed, device="cpu")


def test_a_second_gathering_trains_nothing(tmp_path: Path, trainings: list[Dataset]) -> None:
    data, store = rows_of_light(150)[0], Store(tmp_path)
    first, second = probed(data, store), probed(data, store)
    assert len(trainings) == 1
    assert (first.found, second.found) == (False, True)
    assert first.seconds == second.seconds > 0
    one, other = first.evidence, second.evidence
    assert one.ids == data.ids
    np.testing.assert_array_equal(one.labels, data.labels.numpy())
    assert list(one.layers) == ["stages.0.widen", "stages.0", "stages.1.widen", "stages.1"]
    assert [rows.shape for rows in one.layers.values()] == [(150, 24), (150, 24), (150, 32), (150, 32)]
    for name, rows in {**one.layers, "logits": one.logits}.items():
        assert isinstance(rows, np.memmap)
        assert rows.dtype == np.float16
        np.testing.assert_array_equal(rows, other.logits if name == "logits" else other.layers[name])
    assert (one.history.loss.dtype, one.history.correct.dtype) == (np.float16, np.bool_)
    np.testing.assert_array_equal(one.history.loss, other.history.loss)
    np.testing.assert_array_equal(one.history.correct, other.history.correct)
    for name, tensor in first.model.state_dict().items():
        found = second.model.state_dict()[name]
        assert torch.equal(tensor, found)
        assert tensor.dtype == found.dtype
    assert not second.model.training
    np.testing.assert_allclose(one.logits, predict_logits(second.model, data.inputs).numpy(), atol=0.1)


def test_what_changes_the_probe_makes_a_new_entry(tmp_path: Path, trainings: list[Dataset]) -> None:
    data, store = rows_of_light(60)[0], Store(tmp_path)
    labels, inputs = data.labels.clone(), data.inputs.clone()
    labels[7] = (labels[7] + 1) % 3
    inputs[7, 0, 0, 0] ^= 1
    probed(data, store)
    for changed in (
        replace(data, labels=labels),
        replace(data, inputs=inputs),
        replace(data, class_names=("a", "b", "z")),
        data.select(torch.arange(60).flip(0)),
    ):
        assert not probed(changed, store).found
    assert not probed(data, store, seed=1).found
    assert not probed(data, store, replace(RECIPE, sharpness=0.05)).found
    assert not probed(data, store, replace(RECIPE, epochs=12)).found
    assert len(trainings) == 8
    assert probed(replace(data, name="other", inputs=data.inputs.contiguous()), store).found


def test_rows_stay_with_their_ids(tmp_path: Path) -> None:
    data, store = rows_of_light(60)[0], Store(tmp_path)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1)).numpy()
    one, other = probed(data, store).evidence, probed(data.select(order), store).evidence
    assert other.ids == tuple(data.ids[row] for row in order)
    np.testing.assert_allclose(one.layers["stages.1"][order], other.layers["stages.1"], atol=0.02)
    np.testing.assert_array_equal(one.history.loss[:, order], other.history.loss)
    assert np.abs(one.layers["stages.1"][order] - one.layers["stages.1"]).max() > 0.1


def test_without_a_store_it_is_made_each_time_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainings: list[Dataset]
) -> None:
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path))
    data = rows_of_light(60)[0]
    one, other = probed(data, None), probed(data, None)
    assert len(trainings) == 2
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(one.evidence.logits, other.evidence.logits)


def test_a_failed_training_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        probed(rows_of_light(60)[0].select([3]), Store(tmp_path))
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(("side", "channels", "classes"), [(1, 3, 2), (9, 1, 2), (16, 3, 3)])
def test_any_size_and_channels(tmp_path: Path, side: int, channels: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(256, (33, channels, side, side), dtype=torch.uint8, generator=generator)
    data = Dataset(inputs, torch.arange(33) % classes, tuple("abc"[:classes]), tuple(map(str, range(33))))
    for found in (False, True):
        answer = probed(data, Store(tmp_path), ProbeRecipe(epochs=1))
        assert answer.found is found
        assert len(answer.evidence.layers) == 6
        assert answer.evidence.logits.shape == (33, classes)
        assert predict_logits(answer.model, data.inputs).shape == (33, classes)


class Own(nn.Module):
    """A user's network: logits of a fixed size, large enough to leave float16."""

    def __init__(self, classes: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.hidden, self.last, self.scale = nn.Linear(192, 5), nn.Linear(5, classes), scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.hidden(x.flatten(1)).relu()) * self.scale


def test_a_users_own_model_has_no_history(tmp_path: Path, trainings: list[Dataset]) -> None:
    data, store, model = rows_of_light(40)[0], Store(tmp_path), Own()
    first = gather_model(data, model, name="mine", store=store, device="cpu")
    second = gather_model(data, model, name="mine", store=store, device="cpu")
    assert (first.found, second.found, first.seconds) == (False, True, 0.0)
    assert first.model is model
    assert model.training
    assert trainings == []
    assert first.evidence.history is None
    assert list(first.evidence.layers) == ["hidden", "last:input"]
    np.testing.assert_allclose(first.evidence.logits, predict_logits(model, data.inputs).numpy(), atol=0.05)
    with torch.no_grad():
        model.last.bias[0] += 1
    assert not gather_model(data, model, name="mine", store=store, device="cpu").found
    assert not gather_model(data, model, name="theirs", store=store, device="cpu").found


def test_values_beyond_float16_are_clipped(tmp_path: Path) -> None:
    data = rows_of_light(40)[0]
    logits = gather_model(data, Own(scale=1e7), name="mine", store=Store(tmp_path), device="cpu").evidence.logits
    assert np.isfinite(logits).all()
    assert np.abs(logits).max() == np.finfo(np.float16).max


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    data = rows_of_light(40)[0]
    with pytest.raises(ModelError, match="does not fit"):
        gather_model(data, Own(classes=4), name="mine", store=Store(tmp_path), device="cpu")


def test_weights_are_told_apart() -> None:
    torch.manual_seed(0)
    model = Own()
    digest = weights_digest(model)
    assert weights_digest(model.train()) == digest
    model.last.weight.data = model.last.weight.data.flip(1)
    assert weights_digest(model) != digest


def test_the_key_holds_every_byte_wherever_it_lies() -> None:
    data = rows_of_light(40)[0]
    key = data_key(data)
    assert data_key(replace(data, inputs=data.inputs.contiguous())) == key
    twins = replace(data, inputs=data.inputs[:1].repeat(40, 1, 1, 1))
    assert data_key(twins.select(torch.arange(40).flip(0))) != data_key(twins)
    rows = Dataset(torch.rand(6, 4), torch.arange(6) % 2, ("a", "b"), tuple("abcdef"))
    other = rows.inputs.clone()
    other[5, 3] += 1e-6
    assert data_key(replace(rows, inputs=other))["content"] != data_key(rows)["content"]


def brightness(version: int = 1) -> tuple[SampleGatherer, list[slice]]:
    """Each channel's mean level, and the blocks it was asked for."""
    asked: list[slice] = []

    def blocks(data: Dataset) -> Iterator[tuple[slice, np.ndarray]]:
        for start in range(0, len(data), 16):
            asked.append(slice(start, min(start + 16, len(data))))
            yield asked[-1], data.inputs[asked[-1]].float().mean((2, 3)).numpy()

    return SampleGatherer("brightness", version, lambda data: data.is_images, lambda data: data.shape[0], blocks), asked


def test_samples_alone(tmp_path: Path) -> None:
    data, store = rows_of_light(40)[0], Store(tmp_path)
    gatherer, asked = brightness()
    first = gather_samples(data, store, (gatherer,))
    assert list(first.inputs) == ["brightness"]
    assert (first.logits, first.history, dict(first.layers)) == (None, None, {})
    assert first.ids == data.ids
    assert first.inputs["brightness"].dtype == np.float16
    np.testing.assert_allclose(first.inputs["brightness"], data.inputs.double().mean((2, 3)).numpy(), rtol=1e-3)
    assert len(asked) == 3
    second = gather_samples(data, store, (gatherer,))
    assert len(asked) == 3
    np.testing.assert_array_equal(first.inputs["brightness"], second.inputs["brightness"])
    newer, asked_anew = brightness(version=2)
    gather_samples(data, store, (newer,))
    assert len(asked_anew) == 3
    gather_samples(data, None, (gatherer,))
    assert len(asked) == 6


def test_what_does_not_apply_is_absent(tmp_path: Path) -> None:
    rows = Dataset(torch.rand(6, 4), torch.arange(6) % 2, ("a", "b"), tuple("abcdef"), sources=("x",) * 6)
    gatherer, asked = brightness()
    evidence = gather_samples(rows, Store(tmp_path), (gatherer,))
    assert dict(evidence.inputs) == {}
    assert asked == []
    assert evidence.sources == ("x",) * 6


def test_a_gatherer_that_leaves_rows_out_is_found_out(tmp_path: Path) -> None:
    gatherer, _ = brightness()
    lazy = replace(gatherer, blocks=lambda data: iter([(slice(0, 5), np.zeros((5, 3)))]))
    with pytest.raises(DataError, match="never written"):
        gather_samples(rows_of_light(40)[0], Store(tmp_path), (lazy,))
