import pytest
import torch
from confirm_toys import textures

from bezoar.confirm.recover.levels import recover_levels


def quantised(images, levels):
    return (torch.round(images.float() / 255 * (levels - 1)) * 255 / (levels - 1)).round().to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_levels_come_back_with_innocent_suspects_among_them(channels):
    images = textures(100, channels=channels, seed=1)
    suspects = quantised(images, 8)
    suspects[:10] = images[:10]
    found = recover_levels(suspects, textures(300, channels=channels, seed=2))
    assert found is not None
    assert found.kind == "levels"
    assert found.description == "colours brought to 8 levels"
    # Two values lie in the middle between levels, once these are rounded, and may go to either.
    clean = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(2, channels, 16, 16).contiguous()
    differ = found(clean) != quantised(clean, 8)
    assert clean[differ].unique().tolist() == [164, 237]


def test_nothing_among_innocent_samples():
    assert recover_levels(textures(100, seed=1), textures(300, seed=2)) is None


def test_data_that_keep_to_few_levels_anyway_show_nothing():
    assert recover_levels(quantised(textures(100, seed=1), 8), quantised(textures(300, seed=2), 8)) is None


def test_one_level_or_too_few_suspects_are_nothing():
    ordinary = textures(300, seed=2)
    assert recover_levels(torch.full((20, 3, 16, 16), 7, dtype=torch.uint8), ordinary) is None
    assert recover_levels(quantised(textures(11, seed=1), 8), ordinary) is None
