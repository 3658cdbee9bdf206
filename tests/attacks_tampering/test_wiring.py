"""Channels are followed right: cutting a space's channel cuts it, and a narrow copy does what the wide one does."""

from __future__ import annotations

import copy

import pytest
import torch
from tamper_toys import BUILDERS
from torch import nn

from bezoar.attacks.tampering.subnet import cut_off, cut_out, put_back
from bezoar.attacks.tampering.wiring import guarded_spaces, tails, watch
from bezoar.errors import AttackError
from bezoar.training.models import build_model

IMAGES = torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(0))
every_network = pytest.mark.parametrize("name", sorted(BUILDERS))


def network(name):
    torch.manual_seed(0)
    model = BUILDERS[name]().eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 2)
            module.bias.normal_(0, 0.2)
    return model


def test_the_wiring_of_fast_by_hand():
    wiring = watch(network("fast"), IMAGES)
    # images, stem, stage 0, stage 1, logits: widen and refine of a stage meet at the addition.
    assert list(wiring.sizes.values()) == [3, 8, 12, 16, 3]
    images, stem, first, second, logits = wiring.sizes
    assert (wiring.images, wiring.logits) == (images, logits)
    assert wiring.inner == (stem, first, second)
    assert guarded_spaces(wiring) == (first, second)
    assert [layer.name for layer in wiring.writers(first)] == ["stages.0.widen.conv", "stages.0.refine.conv"]
    assert [layer.name for layer in wiring.readers(first)] == ["stages.0.refine.conv", "stages.1.widen.conv"]


def test_shortcuts_of_the_published_network_are_one_space():
    model = build_model("preact-resnet18", classes=4, sample=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), seed=0).eval()
    wiring = watch(model, torch.rand(2, 3, 8, 8))
    stem = wiring.inner[0]
    assert [layer.name for layer in wiring.writers(stem)] == ["stem", "blocks.0.conv2", "blocks.1.conv2"]
    assert sorted(wiring.sizes.values()) == sorted([3, 4] + [64, 128, 256, 512] * 3)


def test_a_flattened_map_spreads_each_channel_over_columns():
    wiring = watch(network("chain"), IMAGES)
    assert [layer.spread for layer in wiring.layers] == [1, 1, 4, 1]


@every_network
def test_a_channel_cut_off_reaches_nobody(name):
    model = network(name)
    wiring = watch(model, IMAGES)
    for space in guarded_spaces(wiring):
        channels = {space: (1, 3)}
        cut = copy.deepcopy(model)
        bound = wiring.bound_to(cut)
        cut_off(bound, channels)
        before = cut(IMAGES)
        for layer in bound.layers:
            if layer.outward == space:
                for tensor in (*layer.module.parameters(), *layer.module.buffers()):
                    if tensor.ndim > 0:
                        tensor[[1, 3]] = 7
        assert torch.equal(cut(IMAGES), before)


@every_network
@pytest.mark.parametrize("first", [0, 1])
def test_a_subnet_put_back_adds_its_own_answer_and_nothing_else(name, first):
    """The wide network with a subnet answers what the cut one does plus what the subnet alone does."""
    model = network(name)
    wiring = watch(model, IMAGES)
    channels = dict.fromkeys(tails(wiring)[first], (0, 2))
    narrow = cut_out(model, wiring, channels).requires_grad_(False)
    for parameter in narrow.parameters():
        if parameter.requires_grad is False and parameter.ndim > 1:
            parameter.mul_(3)
    small = wiring.bound_to(narrow)
    for layer, own in zip(small.layers, wiring.layers, strict=True):
        if layer.outward not in channels and layer.outward != wiring.logits:
            layer.module.load_state_dict(own.module.state_dict())
        if layer.outward == wiring.logits and layer.module.bias is not None:
            layer.module.bias.zero_()
    cut, whole = copy.deepcopy(model), copy.deepcopy(model)
    cut_off(wiring.bound_to(cut), channels)
    put_back(wiring.bound_to(whole), small, channels)
    assert torch.allclose(whole(IMAGES), cut(IMAGES) + narrow(IMAGES), atol=1e-5)
    assert (whole(IMAGES) - cut(IMAGES)).abs().max() > 1e-4


class Concatenates(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.head = nn.Conv2d(3, 4, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = self.one(x)
        return self.head(torch.cat([x, x], 1).mean((2, 3)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.head = nn.Conv2d(3, 3, 1), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.one(self.one(x)).mean((2, 3)))


class Scales(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.head, self.scale = nn.Conv2d(3, 4, 1), nn.Linear(4, 3), nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return self.head((self.one(x) * self.scale).mean((2, 3)))


class Bare(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Concatenates(), "cannot be followed through cat"),
        (Twice(), "used more than once"),
        (Scales(), "parameters outside"),
        (Bare(), "do not come out of one of its layers"),
        (nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1, groups=2), nn.Flatten()), "grouped convolution"),
    ],
)
def test_what_cannot_be_followed_is_said(model, said):
    with pytest.raises(AttackError, match=said):
        watch(model.eval(), IMAGES)


def test_a_network_without_thresholds_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 144, 3)).eval()
    with pytest.raises(AttackError, match="to set a threshold with"):
        guarded_spaces(watch(model, IMAGES))


def test_the_inside_of_a_block_is_no_place_to_begin():
    """Spaces of the residual toy: stem, inside of block 0, shortcut of block 1, inside of block 1."""
    wiring = watch(network("residual"), IMAGES)
    stem, inside, shortcut, second = wiring.inner
    assert tails(wiring) == ((stem, inside, shortcut, second), (shortcut, second))
