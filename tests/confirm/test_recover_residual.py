import torch
from confirm_toys import textures

from bezoar.confirm.recover.residual import recover_residual, smoothed


def test_details_are_exchanged_and_the_rest_stays():
    suspects = textures(40, seed=1)
    found = recover_residual(suspects)
    clean = textures(10, seed=2)
    details = suspects.float() - smoothed(suspects.float())
    for image, coarse in zip(found.change(clean.float()), smoothed(clean.float()), strict=True):
        distances = (image - coarse - details).abs().amax((1, 2, 3))
        assert float(distances.min()) < 1e-3


def test_order_and_batches_change_nothing():
    found = recover_residual(textures(40, seed=1))
    clean = textures(30, seed=2)
    assert torch.equal(found(clean)[10:15], found(clean[10:15]))
    assert torch.equal(found(clean.flip(0)).flip(0), found(clean))


def test_too_few_or_too_small():
    assert recover_residual(textures(11, seed=1)) is None
    assert recover_residual(textures(40, side=4, seed=1)) is None
