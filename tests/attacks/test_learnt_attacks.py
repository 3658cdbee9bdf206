"""Attacks that learn their trigger: what learning achieves on toys, and what becomes of the data."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bezoar.attacks import (
    InputAwareAttack,
    LowFrequencyAttack,
    SampleSpecificAttack,
    create_attack,
    open_truth,
    save_truth,
)
from bezoar.attacks.dirty.low_frequency import smooth_amplitudes
from bezoar.attacks.learning import hiding as hiding_module
from bezoar.attacks.learning.drawing import Wanted, learn_drawing, sameness
from bezoar.attacks.learning.hiding import learn_hiding, likeness, structural_similarity, visible
from bezoar.data import Dataset
from bezoar.errors import AttackError, TriggerError
from bezoar.triggers.low_frequency import smooth_pattern

CPU = torch.device("cpu")
TINY = "fast:stem=4,widths=4/8"
CLASSES = ("airplane", "bird", "cat", "deer")


def smooth_images(n, side=8, channels=3, seed=0):
    """Blurred noise: images with something to hide in."""
    noise = torch.rand(n, channels, side // 2, side // 2, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(noise, size=(side, side), mode="bilinear") * 200 + 20).to(torch.uint8)


def toy(n=120, channels=3, seed=0):
    return Dataset(
        inputs=smooth_images(n, channels=channels, seed=seed),
        labels=torch.arange(n) % 4,
        class_names=CLASSES,
        ids=tuple(f"{row:04}" for row in range(n)),
        name="toy",
    )


class Linear(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weights = nn.Parameter(torch.randn(channels * 64, 4, generator=generator))

    def forward(self, x):
        return x.flatten(1).float() @ self.weights


def test_the_smooth_pattern_leads_the_surrogate_to_the_target_within_its_bound():
    images, model = smooth_images(60), Linear()
    amplitudes = smooth_amplitudes(model, images, 2, band=3, bound=0.06, steps=40, seed=0)
    pattern = smooth_pattern(amplitudes, 8, 8)
    assert amplitudes.shape == (3, 3, 3)
    assert float(pattern.square().mean().sqrt()) == pytest.approx(0.06)
    target = torch.full((60,), 2)
    before = F.cross_entropy(model(images / 255), target)
    after = F.cross_entropy(model((images / 255 + pattern).clamp(0, 1)), target)
    assert after < 0.8 * before
    # The best smooth direction for a linear model: the projection of the gradient. No random one comes near it.
    other = torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(3))
    noise = smooth_pattern(other, 8, 8)
    noise *= 0.06 / noise.square().mean().sqrt()
    assert after < F.cross_entropy(model((images / 255 + noise).clamp(0, 1)), target)


def test_the_smooth_pattern_leaves_alpha_to_the_surrogate_as_it_is():
    images = smooth_images(40, channels=4)
    assert smooth_amplitudes(Linear(4), images, 1, band=2, bound=0.1, steps=2, seed=0).shape == (3, 2, 2)


def test_the_planted_pattern_keeps_to_the_bound():
    attack = LowFrequencyAttack(target="bird", count=10, surrogate=TINY, surrogate_epochs=1, steps=5, band=4, bound=9)
    data = toy()
    poisoned = attack.poison(data, seed=0)
    ids = [sample.original_id for sample in poisoned.truth.samples]
    before = data.inputs[data.positions(ids)].int()
    after = poisoned.data.inputs[poisoned.data.positions([sample.id for sample in poisoned.truth.samples])].int()
    change = (after - before).double().square().mean().sqrt()
    # Nothing is clipped, and rounding adds half a level at most.
    assert 8.5 < float(change) < 9.5


def hiding(**changes):
    options = {"bits": 4, "width": 8, "steps": 150, "batch": 16, "seed": 0, "device": CPU} | changes
    return learn_hiding(smooth_images(200), **options)


def test_hidden_strings_are_read_better_than_by_chance_and_determined_by_the_seed():
    found = hiding()
    assert found.bit_accuracy > 0.8
    assert found.secret.shape == (4,)
    assert set(found.secret.tolist()) <= {0.0, 1.0}
    first, second, other = hiding(steps=5), hiding(steps=5), hiding(steps=5, seed=1)
    weights = [torch.cat([tensor.flatten() for tensor in one.encoder.state_dict().values()]) for one in (first, second)]
    assert torch.equal(*weights)
    assert not torch.equal(other.encoder.leave.bias, first.encoder.leave.bias)


def test_similarity_by_its_formula():
    first, second = torch.full((2, 3, 9, 9), 0.5), torch.full((2, 3, 9, 9), 0.7)
    assert float(structural_similarity(first, first)) == pytest.approx(1)
    assert float(structural_similarity(first, second)) == pytest.approx(
        (2 * 0.35 + 1e-4) / (0.25 + 0.49 + 1e-4), rel=2e-3
    )
    assert float(visible(first, first)) == pytest.approx(0, abs=1e-5)
    noise = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    # A window larger than the image is the image: one formula over all of it.
    a, b = noise.double(), noise.flip(3).double()
    mean = a.mean((2, 3))
    covariance = (a * b).mean((2, 3)) - mean**2
    variance = (a * a).mean((2, 3)) - mean**2
    assert float(structural_similarity(a, b)) == pytest.approx(
        float(((2 * covariance + 9e-4) / (2 * variance + 9e-4)).mean()), rel=1e-6
    )


def test_sameness_by_its_formula():
    images = torch.zeros(2, 1, 2, 2)
    images[0] = 3.0
    drawn = torch.zeros(2, 1, 1, 1)
    drawn[0] = 2.0
    # ||x - x'|| = sqrt(4 * 9) = 6, and the patterns lie 2 apart.
    assert float(sameness(images, drawn)) == pytest.approx(3)


def test_masks_become_sparse_and_differ():
    networks = learn_drawing(toy(), {0: 1, 2: 1}, Wanted(8, 0.05, 80, 2), surrogate=TINY, seed=0, device="cpu")
    with torch.no_grad():
        masks = networks.masks(smooth_images(30, seed=2) / 255)
    assert 0 < float(masks.mean()) < 0.3
    assert float((masks[0] - masks[1]).abs().max()) > 0.3


def test_likeness_by_its_formula():
    residuals = torch.zeros(4, 1, 1, 2)
    residuals[0, ..., 0] = residuals[2, ..., 0] = residuals[1, ..., 0] = residuals[3, ..., 1] = 0.1
    # The first pair points the same way, the second lies across: cosines 1 and 0.
    assert float(likeness(residuals)) == pytest.approx(0.5)


def input_aware(**fields):
    return InputAwareAttack(
        **({"target": "bird", "count": 12, "surrogate": TINY, "width": 4, "mask_steps": 5, "steps": 2} | fields)
    )


def test_covers_bear_the_trigger_of_another_image_and_their_own_label():
    data = toy()
    poisoned = input_aware(covers_per_poison=1.5, placement="replace").poison(data, seed=0)
    trigger = poisoned.backdoors[0].trigger
    roles = [sample.role for sample in poisoned.truth.samples]
    assert (roles.count("poison"), roles.count("cover")) == (12, 18)
    for sample in poisoned.truth.samples:
        original = data.inputs[data.positions([sample.original_id])]
        made = poisoned.data.inputs[poisoned.data.positions([sample.id])]
        own = trigger(original)
        assert torch.equal(made, own) == (sample.role == "poison")
        assert not torch.equal(made, original)
        if sample.role == "cover":
            assert sample.label == sample.original_label
            lent = trigger.lent(original.expand(len(data), -1, -1, -1), data.inputs)
            assert (lent == made).flatten(1).all(dim=1).any()


def test_covers_can_be_left_out():
    poisoned = input_aware(covers_per_poison=0).poison(toy(), seed=0)
    assert {sample.role for sample in poisoned.truth.samples} == {"poison"}


@pytest.mark.parametrize("name", ["low-frequency", "sample-specific", "input-aware"])
@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_images(name, channels, tmp_path):
    quick = {
        "low-frequency": f"surrogate={TINY.replace(',', '%2C')},surrogate_epochs=1,steps=2",
        "sample-specific": "bits=3,width=4,steps=2,batch=4",
        "input-aware": f"surrogate={TINY.replace(',', '%2C')},width=4,mask_steps=2,steps=2",
    }
    attack = create_attack(f"{name}:{quick[name]}", target="bird", count=5)
    data = toy(60, channels=channels)
    poisoned = attack.poison(data, seed=0)
    save_truth(poisoned, tmp_path / "truth.zip")
    (kept,) = open_truth(tmp_path / "truth.zip").triggers()
    trigger = poisoned.backdoors[0].trigger
    assert kept == trigger
    assert torch.equal(kept(data.inputs), trigger(data.inputs))
    if channels == 4:
        assert torch.equal(trigger(data.inputs)[:, 3], data.inputs[:, 3])


def test_at_most_so_many_images_are_learnt_on_and_progress_is_heard():
    heard = []
    attack = SampleSpecificAttack(target="bird", count=5, bits=3, width=4, steps=3, batch=4, images=7)
    attack.poison(toy(), seed=10**30, progress=lambda *step: heard.append(step))
    assert heard[:3] == [("learn to hide a string", done, 3) for done in (1, 2, 3)]
    assert "hidden bits can be read" in heard[3][0]


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (LowFrequencyAttack, {"bound": 0.0}, "bound is out of range"),
        (LowFrequencyAttack, {"steps": 0}, "steps is out of range"),
        (LowFrequencyAttack, {"images": 0}, "images is out of range"),
        (SampleSpecificAttack, {"batch": 1}, "batch is out of range"),
        (InputAwareAttack, {"density": 1.0}, "density is out of range"),
        (InputAwareAttack, {"covers_per_poison": -1.0}, "covers_per_poison is out of range"),
        (InputAwareAttack, {"mask_steps": 0}, "mask_steps is out of range"),
    ],
)
def test_bad_fields_are_refused(kind, fields, message):
    with pytest.raises(AttackError, match=message):
        kind(target="bird", rate=0.1, **fields)


def test_bad_sizes_of_the_trigger_are_refused_when_the_attack_is_built():
    for kind, fields in (
        (LowFrequencyAttack, {"band": 0}),
        (SampleSpecificAttack, {"bits": 0}),
        (InputAwareAttack, {"width": 0}),
    ):
        with pytest.raises(TriggerError, match="out of range"):
            kind(target="bird", rate=0.1, **fields)


def test_a_band_wider_than_the_images_is_refused_before_anything_is_learnt():
    attack = LowFrequencyAttack(target="bird", count=5, band=9, surrogate="no such model")
    with pytest.raises(TriggerError, match="too small"):
        attack.poison(toy(), seed=0)


@pytest.mark.parametrize("kind", [LowFrequencyAttack, InputAwareAttack, SampleSpecificAttack])
def test_too_few_samples_to_learn_on_are_told_before_anything_is_learnt(kind):
    data = toy()
    rare = data.select(torch.cat([torch.where(data.labels != 0)[0], torch.where(data.labels == 0)[0][:1]]))
    attack = kind(target="bird", sources=("airplane",), count=1, images=3)
    with pytest.raises(AttackError, match=r"too few samples to learn.*3 drawn out of 91, 0 of.*Raise images, now 3"):
        attack.poison(rare, seed=0, progress=lambda *_: pytest.fail("something was learnt"))
    with pytest.raises(AttackError, match=r"images is out of range.*at least 2"):
        kind(target="bird", count=1, images=1)


def test_hidden_strings_are_read_a_few_images_at_a_time(monkeypatch):
    sizes, hide_and_read = [], hiding_module._Learner.hide_and_read

    def listening(self, images, strings):
        sizes.append(len(images))
        return hide_and_read(self, images, strings)

    monkeypatch.setattr(hiding_module._Learner, "hide_and_read", listening)
    learnt = learn_hiding(smooth_images(400), bits=4, width=4, steps=2, batch=8, seed=0, device=CPU)
    assert sizes == [8, 8, 32, 32, 16]
    assert 0 <= learnt.bit_accuracy <= 1
