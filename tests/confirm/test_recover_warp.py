import torch
from confirm_toys import Rule, textures
from torch import nn

from bezoar.confirm.recover.warp import LARGEST, _whole, recover_warp

SIDE = 16


def ramps(count):
    """Images that grow brighter to the right, by 10 levels a pixel, each from a level of its own."""
    start = torch.arange(count) % 60 + 20.0
    return (start[:, None, None, None] + 10 * torch.arange(SIDE)).expand(count, 3, SIDE, SIDE).round().to(torch.uint8)


def shifted(images):
    """Logit of class 1 grows as the image moves left against its own left edge, told by a column's brightness."""
    inner = images[:, :, :, 6:10].mean((1, 2, 3)) - images[:, :, :, :1].mean((1, 2, 3))
    straight = 10 * 7.5 / 255
    return torch.stack([torch.zeros_like(inner), (inner - straight) * 255 - 1.5], 1)


def test_a_shift_is_found():
    model = Rule(shifted)
    images = ramps(200)
    assert not model(images.float() / 255).argmax(1).any()
    found = recover_warp(model, images, 1, seed=0)
    assert found.kind == "warp"
    assert float(model(found(images).float() / 255).argmax(1).float().mean()) > 0.95


def test_no_pixel_moves_further_than_the_limit():
    found = recover_warp(Rule(shifted), ramps(200), 1, seed=0)
    whole = _whole(found.change.field, torch.Size((33, 65)))
    assert float(whole.abs().max()) <= LARGEST
    assert float(_whole(torch.full((1, 2, 4, 4), 5.0), torch.Size((33, 65))).max()) == torch.tensor(LARGEST)
    # At most 6% of half the side along each axis: brightness of a ramp changes by as many levels a pixel.
    moved = (found(ramps(50)).int() - ramps(50).int()).abs().max()
    assert int(moved) <= 10 * LARGEST * (SIDE - 1) / 2 + 1


def test_finite_and_the_same_by_seed_and_the_network_is_left_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4)).eval()
    images = textures(60, seed=1)
    first, again, other = (recover_warp(model, images, 2, seed=seed).change.field for seed in (0, 0, 1))
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_nothing_flips_a_network_that_looks_at_colour_alone():
    def colour(images):
        return torch.stack([torch.zeros(len(images)), images.mean((1, 2, 3)) - 2.0], 1)

    images = textures(60, seed=1)
    found = recover_warp(Rule(colour), images, 1, seed=0)
    assert not colour(found(images).float() / 255).argmax(1).any()


def test_sheets_of_any_form():
    for channels, height, width in ((1, 20, 12), (4, 12, 20)):
        model = Rule(lambda images: torch.stack([images.mean((1, 2, 3)), images[:, 0].amax((1, 2))], 1))
        images = textures(12, channels=channels, side=20, seed=1)[:, :, :height, :width]
        found = recover_warp(model, images, 1, seed=0)
        assert found.picture.shape == found(images).shape[1:] == (channels, height, width)
