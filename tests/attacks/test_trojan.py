"""The trojan's mark: known answers of what its pixels learn and of how they are laid over an image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bezoar.attacks import TrojanAttack
from bezoar.attacks.dirty.trojan import exciting_pattern, most_connected
from bezoar.data import Dataset
from bezoar.errors import AttackError, TriggerError
from bezoar.triggers import TrojanMark
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.watermark import MARKS

SIDE = 20


class RedAndBlue(nn.Module):
    """Two neurons: the mean of red, and of what blue lacks; `head` says how much each is listened to."""

    def __init__(self, red, blue):
        super().__init__()
        self.head = nn.Linear(2, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[red, blue], [-red, 0.0], [0.0, -blue]]))

    def forward(self, images):
        means = images.mean(dim=(2, 3))
        return self.head(torch.stack([means[:, 0], 1 - means[:, 2]], dim=1))


def images(n=8, channels=3):
    return torch.full((n, channels, SIDE, SIDE), 100, dtype=torch.uint8)


def learnt(model, mark=None, **changes):
    options = {"neurons": 1, "wanted": 100.0, "steps": 60, "seed": 0} | changes
    return exciting_pattern(model, images(), mark or TrojanMark(size=0.8), **options)


def test_the_most_connected_neuron_is_found():
    assert most_connected(RedAndBlue(1.0, 3.0), 1).tolist() == [1]
    assert most_connected(RedAndBlue(-4.0, 3.0), 2).tolist() == [0, 1]
    with pytest.raises(AttackError, match="fewer neurons"):
        most_connected(RedAndBlue(1.0, 3.0), 3)


def test_only_what_excites_the_neuron_changes_and_only_within_the_mark():
    pattern = learnt(RedAndBlue(5.0, 1.0))
    inside = MARKS["apple"](Canvas(16)) > 0.05
    assert pattern.shape == (3, 16, 16)
    assert float(pattern[0][inside].min()) == 1
    start = learnt(RedAndBlue(5.0, 1.0), steps=1)
    # One step of Adam moves what has a gradient; green, blue and what the mark does not cover have none.
    assert torch.equal(pattern[1:], start[1:])
    outside = MARKS["apple"](Canvas(16)) == 0
    assert torch.equal(pattern[0][outside], start[0][outside])
    assert float(learnt(RedAndBlue(1.0, 5.0))[2][inside].max()) == 0


def test_a_neuron_is_excited_as_far_as_wanted_and_no_further():
    model = RedAndBlue(5.0, 1.0)
    # Ordinary images excite it to 100/255, so a third of that is wanted.
    pattern = learnt(model, TrojanMark(size=0.8, opacity=0.9), wanted=1 / 3, steps=300)
    weight = 0.9 * MARKS["apple"](Canvas(16)).float()
    assert float((weight * pattern[0]).sum() / SIDE**2) == pytest.approx(100 / 255 / 3, rel=1e-3)


def test_the_mark_is_laid_over_the_image():
    pattern = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    mark = TrojanMark(size=0.8, opacity=0.6, corner="bottom-right", shape="shield").with_tensors({"pattern": pattern})
    expected = torch.full((3, SIDE, SIDE), 100.0, dtype=torch.float64)
    weight = 0.6 * MARKS["shield"](Canvas(16)).double()
    expected[:, 4:, 4:] = (1 - weight) * 100 + weight * 255 * pattern.double()
    assert float((mark(images())[3].double() - expected).abs().max()) <= 0.51


def test_larger_images_get_a_larger_mark():
    mark = TrojanMark(size=1.0, opacity=1.0).with_tensors({"pattern": torch.ones(3, 8, 8)})
    laid = mark(torch.zeros(1, 3, 32, 40, dtype=torch.uint8))
    assert int(laid[..., :4].max()) == int(laid[..., 36:].max()) == 0
    assert int(laid[..., 4:36].max()) == 255


def test_the_attack_learns_the_mark_that_it_stamps():
    data = Dataset(
        inputs=torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
        labels=torch.arange(60) % 3,
        class_names=("cat", "dog", "bird"),
        ids=tuple(f"{row:03}" for row in range(60)),
        name="toy",
    )
    heard = []
    attack = TrojanAttack(
        target="bird", count=6, shape="shield", opacity=0.5, surrogate="fast:stem=4,widths=4/8", surrogate_epochs=1
    )
    poisoned = attack.poison(data, seed=0, progress=lambda *step: heard.append(step))
    trigger = poisoned.backdoors[0].trigger
    assert (trigger.shape, trigger.opacity, trigger.tensors["pattern"].shape) == ("shield", 0.5, (3, 7, 7))
    assert heard[-1] == ("learn the mark", 300, 300)
    assert {sample.label for sample in poisoned.truth.samples} == {"bird"}


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"shape": "pear"}, TriggerError, "shape"),
        ({"opacity": 1.5}, TriggerError, "opacity is out of range"),
        ({"size": 0.0}, TriggerError, "size is out of range"),
        ({"neurons": 0}, AttackError, "neurons is out of range"),
        ({"wanted": 0.0}, AttackError, "wanted is out of range"),
        ({"wanted": float("nan")}, AttackError, "wanted is out of range"),
        ({"steps": 0}, AttackError, "steps is out of range"),
    ],
)
def test_bad_fields(fields, error, message):
    with pytest.raises(error, match=message):
        TrojanAttack(target="bird", rate=0.1, **fields)


def test_it_fits_the_channels_it_was_learnt_for():
    mark = TrojanMark().with_tensors({"pattern": torch.ones(1, 8, 8)})
    with pytest.raises(TriggerError, match="other channels"):
        mark(images())
