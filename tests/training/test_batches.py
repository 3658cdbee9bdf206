"""Batches: every sample once, augmentation does what it says, resumable order."""

from __future__ import annotations

import pytest
import torch

from bezoar.training.batches import Augmentation, augment, epoch_batches, epoch_order


def images(n: int = 60) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 8, 8), generator=generator, dtype=torch.uint8)


def test_every_sample_comes_once_an_epoch() -> None:
    labels = torch.arange(60)
    seen = [y for _, y in epoch_batches(images(), labels, batch_size=16, augmentation=Augmentation(), seed=3, epoch=1)]
    assert sorted(torch.cat(seen).tolist()) == list(range(60))


def test_ranks_share_a_batch_without_overlap() -> None:
    labels = torch.arange(60)
    parts = [
        torch.cat(
            [
                y
                for _, y in epoch_batches(
                    images(), labels, batch_size=16, augmentation=Augmentation(), seed=3, epoch=1, rank=rank, ranks=2
                )
            ]
        ).tolist()
        for rank in (0, 1)
    ]
    assert sorted(parts[0] + parts[1]) == list(range(60))


def test_order_depends_on_seed_and_epoch_only() -> None:
    assert torch.equal(epoch_order(50, seed=1, epoch=2), epoch_order(50, seed=1, epoch=2))
    assert not torch.equal(epoch_order(50, seed=1, epoch=2), epoch_order(50, seed=1, epoch=3))
    assert not torch.equal(epoch_order(50, seed=1, epoch=2), epoch_order(50, seed=2, epoch=2))


def test_a_shift_moves_the_image_and_mirrors_its_edge() -> None:
    image = torch.arange(4, dtype=torch.uint8).repeat(4, 1)[None, None]
    batch = image.repeat(9, 1, 1, 1)
    shifted = augment(batch, torch.arange(9), Augmentation(shift=1), epoch=0)
    rows = {tuple(row[0, 0].tolist()) for row in shifted}
    assert rows == {(1, 0, 1, 2), (0, 1, 2, 3), (1, 2, 3, 2)}
    columns = augment(batch.transpose(2, 3), torch.arange(9), Augmentation(shift=1), epoch=0)
    assert {tuple(column[0, :, 0].tolist()) for column in columns} == rows


def test_flips_only_when_asked_for_and_both_views_in_two_epochs() -> None:
    batch, rows = images(), torch.arange(60)
    assert torch.equal(augment(batch, rows, Augmentation(), epoch=0), batch)
    first = augment(batch, rows, Augmentation(flips=True), epoch=0)
    second = augment(batch, rows, Augmentation(flips=True), epoch=1)
    mirrored = (first == batch.flip(3)).flatten(1).all(1)
    assert 10 < mirrored.sum() < 50
    assert torch.equal(torch.where(mirrored[:, None, None, None], second, first), batch)


def test_input_is_not_changed() -> None:
    batch = images()
    before = batch.clone()
    augment(batch, torch.arange(60), Augmentation(shift=2, flips=True), epoch=0)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("shape", [(3, 1, 5, 9), (2, 3, 2, 2)])
def test_odd_shapes_survive_large_shifts(shape: tuple[int, ...]) -> None:
    batch = torch.randint(0, 256, shape, dtype=torch.uint8)
    assert augment(batch, torch.arange(shape[0]), Augmentation(shift=4), epoch=0).shape == shape
