"""A backdoor planted by hand into a linear network: every form of inversion must find its target and the trigger itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bezoar.detect.inversion.forms import Additive, Patch, Warp
from bezoar.detect.inversion.invert import Effort, Hypothesis, invert, leads_enough
from bezoar.errors import ModelError
from inversion_toys import CLASSES, SIDE, TARGET, Linear, clean_samples, planted_patch

EVERY = [Hypothesis(label) for label in range(CLASSES)]


def test_a_planted_patch_is_found_where_it_is_and_for_its_target_alone() -> None:
    model, (inputs, labels) = planted_patch(), clean_samples()  # red in four pixels of another class's quarter
    found = invert(model, inputs, labels, EVERY, Patch(), effort=Effort(steps=300), seed=1)
    mask = torch.sigmoid(found.parameters["mask"])[TARGET, 0]
    assert found.worked[TARGET]
    assert int(found.sizes.argmin()) == TARGET
    assert found.sizes[TARGET] < 0.35 * found.sizes.sort().values[1]
    assert mask[1:3, 9:11].sum() > 0.8 * mask.sum()
    assert torch.sigmoid(found.parameters["pattern"])[TARGET, 0, 1:3, 9:11].min() > 0.5
    assert found.flips[TARGET] > 0.6


def test_a_planted_pattern_is_found_by_its_direction() -> None:
    model, (inputs, labels) = Linear(), clean_samples()
    planted = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    model.weight.data[TARGET] += planted
    found = invert(model, inputs, labels, EVERY, Additive(), effort=Effort(steps=300), seed=1)
    pattern = found.parameters["pattern"][TARGET].flatten()
    assert int(found.sizes.argmin()) == TARGET
    assert torch.cosine_similarity(pattern, planted.flatten(), dim=0) > 0.8
    assert found.flips[TARGET] > 0.6


class Shifted(nn.Module):
    """Sees how bright four parts are, and one class by the slope of the pixels beside the middle line."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = Linear()
        self.strength = 60.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.parts(images)
        # A ramp lies in every image; moved to the left, its pixels grow brighter by the ramp's slope.
        rise = images[:, 2, 4:8, :].mean((1, 2)) - 0.5
        return logits + self.strength * rise[:, None] * torch.eye(CLASSES)[TARGET]


def test_a_planted_shift_is_found_with_its_direction() -> None:
    inputs, labels = clean_samples()
    ramp = 77.5 + torch.arange(SIDE, dtype=torch.float32) * (255 - 2 * 77.5) / (SIDE - 1)
    inputs[:, 2, 4:8, :] = ramp.round().to(torch.uint8)  # its mean is half of the range
    found = invert(Shifted(), inputs, labels, EVERY, Warp(grid=3), effort=Effort(steps=200), seed=1)
    shifts = found.parameters["shifts"][TARGET]
    assert found.worked[TARGET]
    assert found.flips[TARGET] > 0.6
    others = [found.sizes[label] for label in range(CLASSES) if label != TARGET and found.worked[label]]
    assert all(found.sizes[TARGET] < size for size in others)
    assert shifts[0, 1].mean() > 0.3  # read from the right, where the ramp is brighter


def test_a_backdoor_of_one_source_is_small_for_its_pair_alone() -> None:
    model, (inputs, labels) = Linear(), clean_samples()

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits = self.inner(images)
            mark = torch.relu(images[:, 1, 10, 2] - 0.5) * 60  # a bright green pixel
            of_source = (logits.argmax(1) == 0).float()
            return logits + (mark * of_source)[:, None] * torch.eye(CLASSES)[TARGET]

    pairs = [
        Hypothesis(target, (source,)) for source in range(CLASSES) for target in range(CLASSES) if source != target
    ]
    found = invert(Gated(), inputs, labels, pairs, Patch(), effort=Effort(steps=300, images=4), seed=1)
    best = pairs[int(torch.where(found.worked, found.sizes, torch.inf).argmin())]
    assert best == Hypothesis(TARGET, (0,))


def test_the_same_seed_gives_the_same_triggers_and_nothing_of_the_model_changes() -> None:
    model, (inputs, labels) = Linear(), clean_samples(80)
    model.train()
    before = model.weight.detach().clone()
    first, second = (invert(model, inputs, labels, EVERY, Patch(), effort=Effort(steps=5), seed=3) for _ in range(2))
    assert torch.equal(first.sizes, second.sizes)
    assert torch.equal(before, model.weight)
    assert model.training
    assert model.weight.requires_grad
    assert model.weight.grad is None


def test_a_hypothesis_without_samples_is_said_to_be_one() -> None:
    model, (inputs, labels) = Linear(), clean_samples(80)
    with pytest.raises(ModelError, match="no clean sample is left to be led to class 1"):
        invert(model, inputs[labels == 1], labels[labels == 1], [Hypothesis(1)], Patch(), seed=0)


class Counting(nn.Module):
    """Says class 1 of images whose first pixel, brightened, exceeds a half, and counts what it is asked."""

    asked = 0

    def forward(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        over = images[:, 0, 0, 0] - 0.5
        return torch.stack([-over, over], 1)


@given(share=st.integers(0, 60), enough=st.sampled_from([0.5, 0.8, 0.95, 1.0]), seed=st.integers(0, 99))
def test_whether_a_trigger_leads_enough_is_told_as_by_all_images_and_sooner(share: int, enough: float, seed: int):
    images = torch.zeros(60, 1, 2, 2)
    images[torch.randperm(60, generator=torch.Generator().manual_seed(seed))[:share]] = 1.0
    model, trigger = Counting(), {"pattern": torch.zeros(1, 1, 2, 2)}
    leads = leads_enough(model, Additive(), trigger, images, torch.tensor(1), enough)
    assert leads is (share >= enough * 60 - 1e-9)
    assert model.asked <= 60
    if share < 5 and enough >= 0.8:
        assert model.asked == 25
    assert not leads_enough(model, Additive(), trigger, images[:0], torch.tensor(1), enough)
