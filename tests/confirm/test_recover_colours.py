"""Filters: sepia, a tint, black and white, haze come back from suspects of all classes; other pictures show none."""

from __future__ import annotations

import pytest
import torch
from confirm_toys import textures

from bezoar.confirm.recover.colours import recover_colours

SEPIA = torch.tensor([1.07, 0.94, 0.74])[:, None] @ torch.tensor([[0.299, 0.587, 0.114]])
FILTERS = {
    "sepia": (SEPIA, 0.0, False),
    "black and white": (torch.full((3, 3), 1 / 3), 0.0, False),
    "warm": (torch.diag(torch.tensor([1.2, 1.0, 0.75])), 0.0, True),
    "haze": (0.5 * torch.eye(3), 100.0, True),
    "little light": (0.4 * torch.eye(3), 0.0, True),
}


def coloured(count: int, seed: int) -> torch.Tensor:
    """Textures whose channels go together in part, as those of photographs do."""
    own, shared = textures(count, seed=seed).float(), textures(count, channels=1, seed=seed + 100).float()
    return (0.35 * own + 0.55 * shared).round().clamp(0, 255).to(torch.uint8)


def filtered(images: torch.Tensor, linear: torch.Tensor, more: float) -> torch.Tensor:
    return (torch.einsum("dc,nchw->ndhw", linear, images.float()) + more).round().clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("name", FILTERS)
def test_filters_come_back(name: str) -> None:
    linear, more, undone = FILTERS[name]
    found = recover_colours(filtered(coloured(300, 1), linear, more), coloured(600, 2))
    assert found is not None
    assert found.kind == "colours"
    assert "levels in the mean" in found.description
    clean = coloured(40, 3)
    wanted = filtered(clean, linear, more).float()
    assert (found(clean).float() - wanted).abs().mean() < 0.2 * (clean.float() - wanted).abs().mean()
    assert (found.undo is not None) == undone
    if undone:
        back = found.taken_off(found(clean)).float()
        assert (back - clean.float()).abs().mean() < 6
    assert found.picture.shape == clean.shape[1:]
    assert found.picture.dtype == torch.uint8


def test_innocents_among_suspects_make_it_fainter() -> None:
    suspects = filtered(coloured(300, 1), *FILTERS["warm"][:2])
    suspects[:60] = coloured(60, 4)
    found, clean = recover_colours(suspects, coloured(600, 2)), coloured(40, 3)
    assert found is not None
    wanted = filtered(clean, *FILTERS["warm"][:2]).float()
    assert (found(clean).float() - wanted).abs().mean() < 0.5 * (clean.float() - wanted).abs().mean()


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(channels: int) -> None:
    images = textures(200, channels=channels, seed=1)
    found = recover_colours((images.float() * 0.5).to(torch.uint8), textures(300, channels=channels, seed=2))
    assert found is not None
    halved = found(images).float()
    assert (halved - images.float() * 0.5).abs().mean() < 6


def test_like_pictures_too_few_and_flat_ones_show_nothing() -> None:
    ordinary = coloured(600, 2)
    assert recover_colours(coloured(300, 1), ordinary) is None
    assert recover_colours(filtered(coloured(11, 1), *FILTERS["warm"][:2]), ordinary) is None
    assert recover_colours(filtered(coloured(30, 1), *FILTERS["warm"][:2]), ordinary[:0]) is None
    flat = torch.full((30, 3, 16, 16), 90, dtype=torch.uint8)
    assert recover_colours(flat, flat) is None
    found = recover_colours(flat, ordinary)
    assert found is None or torch.isfinite(found(ordinary[:4]).float()).all()
