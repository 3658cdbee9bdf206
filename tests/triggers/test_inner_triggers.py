"""Triggers made of triggers: random pieces of one, several together; hand-worked pixels, shares and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bezoar.attacks.composing.compose import trigger_saturation
from bezoar.errors import SpecError, TriggerError
from bezoar.records import Saturation, Skipped
from bezoar.triggers import TRIGGERS, Blend, Patch, Pieces, Together, together
from bezoar.triggers.inner import drawn_subset

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


def pictures(n=40, channels=3, height=16, width=12, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), dtype=np.uint8)
    return torch.from_numpy(pixels)


def four_corners(**fields):
    return together([Patch(size=3, corner=corner, color="red") for corner in CORNERS], **fields)


def corners_marked(images):
    """Which corners of each image are red, (n, 4)."""
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)
    found = images[:, :, (0, 0, -1, -1), (0, -1, 0, -1)]
    return (found == red[:, None]).all(dim=1)


@given(grid=st.integers(1, 6), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_exactly_the_share_of_pieces_is_drawn(grid, share, seed):
    wanted = int(share * grid**2 + 0.5)
    if wanted == 0:
        with pytest.raises(TriggerError, match="rounds to none"):
            Pieces(grid=grid, share=share)
        return
    trigger = Pieces(grid=grid, share=share, seed=seed)
    mask = trigger.mask(pictures(n=9, height=6 * grid, width=4 * grid))
    pieces = mask.reshape(9, grid, 6, grid, 4)
    assert torch.equal(pieces.all(dim=4).all(dim=2), pieces.any(dim=4).any(dim=2))
    assert pieces[:, :, 0, :, 0].sum(dim=(1, 2)).tolist() == [wanted] * 9


def test_a_piece_holds_the_trigger_and_the_rest_the_image_bit_for_bit():
    images, trigger = pictures(), Pieces("blend:ratio=0.3,seed=5")
    noise = torch.randint(256, (3, 16, 12), generator=torch.Generator().manual_seed(5)).double()
    blended = (0.7 * images.double() + 0.3 * noise).round()
    made, mask = trigger(images).double(), trigger.mask(images)[:, None]
    assert float(((made - blended) * mask).abs().max()) <= 1
    assert torch.equal(made * ~mask, images.double() * ~mask)
    assert int(mask.sum()) == 40 * 16 * 12 // 2


def test_pieces_of_sizes_that_do_not_divide_differ_by_a_pixel_and_cover_the_image():
    counts = [0] * 9
    for image in pictures(n=60, height=10, width=8).split(1):
        mask = Pieces(grid=3, share=1 / 9).mask(image)[0]
        rows, columns = mask.any(dim=1).nonzero().flatten(), mask.any(dim=0).nonzero().flatten()
        assert int(mask.sum()) == len(rows) * len(columns)
        assert (len(rows), len(columns)) in itertools.product((3, 4), (2, 3))
        counts[int(rows[0]) * 3 // 10 * 3 + int(columns[0]) * 3 // 8] += 1
    assert min(counts) > 0


def test_the_whole_share_is_the_trigger_itself():
    images = pictures()
    assert torch.equal(Pieces("blend:ratio=0.4", share=1)(images), Blend(ratio=0.4)(images))
    assert torch.equal(Pieces("patch:size=3", grid=1, share=0.5)(images), Patch(size=3)(images))


def test_seeds_and_images_draw_different_pieces():
    images = pictures()
    first, second = Pieces(seed=0).mask(images), Pieces(seed=1).mask(images)
    assert not torch.equal(first, second)
    assert len({tuple(mask.flatten().tolist()) for mask in first}) > 30
    assert torch.equal(first[:1].expand(5, -1, -1), Pieces(seed=0).mask(images[:1].expand(5, -1, -1, -1)))


def test_every_subset_is_about_equally_likely():
    chosen = drawn_subset(pictures(n=6000, height=4, width=4), 4, chosen=2, seed=3)
    found = [tuple(row) for row in chosen.int().tolist()]
    counts = [found.count(one) for one in set(found)]
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts)  # five standard deviations


@given(drawn=st.none() | st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_as_many_triggers_as_asked_stand_on_each_image(drawn, seed):
    marked = corners_marked(four_corners(drawn=drawn, seed=seed)(pictures(n=12)))
    assert marked.sum(dim=1).tolist() == [drawn or 4] * 12


def test_triggers_stand_together_as_one_after_the_other():
    images = pictures()
    first, second = Patch(size=3), Patch(size=4, corner="center", color="red")
    assert torch.equal(together([first, second])(images), second(first(images)))


def test_overlapping_triggers_are_rounded_once():
    half = Patch(size=2, mode="blend", color="white", opacity=0.5)
    pixel = torch.full((1, 1, 4, 4), 2, dtype=torch.uint8)
    # 2 goes to 128.5 and then to 191.75; rounded in between it would be 128 and 191.5.
    assert together([half, half])(pixel)[0, 0, 0].tolist() == [192, 192, 2, 2]


def test_a_later_trigger_covers_an_earlier_one():
    images = together([Patch(size=3, color="red"), Patch(size=3, color="blue")])(pictures(n=2))
    assert images[0, :, 1, 1].tolist() == [0, 0, 255]


def test_specifications_within_specifications_survive_commas_and_pluses(tmp_path):
    path = tmp_path / "a, b + c%2B.png"
    Image.fromarray(np.full((4, 4, 3), 9, dtype=np.uint8)).save(path)
    patch = Patch(shape="picture", picture=str(path), size=4)
    both = together([patch, Pieces(TRIGGERS.spec_of(Blend(picture=str(path))), share=0.25)], drawn=1)
    rebuilt = TRIGGERS.create(TRIGGERS.spec_of(both))
    assert rebuilt == both
    assert rebuilt.members[0] == patch
    nested = TRIGGERS.create(TRIGGERS.spec_of(together([both])))
    assert nested.members == (both,)


def test_a_pattern_that_differs_between_images_has_no_saturation():
    images = pictures()
    for varying in (Pieces(), four_corners(drawn=1)):
        assert isinstance(trigger_saturation(varying, images), Skipped)
    found = trigger_saturation(four_corners(), images)
    assert isinstance(found, Saturation)
    assert found.swallowed < 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pieces(grid=0), "grid is too small"),
        (lambda: Pieces(share=1.5), "share is out of range"),
        (lambda: Pieces(share=float("nan")), "share is out of range"),
        (lambda: Pieces(share=0.01), "rounds to none.*0.0312 to 1"),
        (lambda: Pieces(seed=-1), "seed is too small"),
        (lambda: Pieces("blend:ratio=7"), "ratio is out of range"),
        (lambda: Pieces(grid=9)(pictures(height=8)), "smaller than the grid.*9 rows.*8x12"),
        (lambda: Pieces("builtins:object"), "cannot be a part of another.*nothing to learn"),
        (lambda: Together("patch", drawn=2), "cannot be drawn.*1 to 1"),
        (lambda: Together("patch", drawn=0), "cannot be drawn"),
        (lambda: Together("patch+pixel", seed=-1), "seed is too small"),
        (lambda: Together("patch:size=20")(pictures()), "does not fit"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(TriggerError, match=message):
        make()


@pytest.mark.parametrize("spec", ["", "patch+", "path", "patch:sise=3"])
def test_an_unknown_member_is_refused(spec):
    with pytest.raises(SpecError):
        Together(spec)


@pytest.mark.parametrize("member", ["sticker", "patch:size=3,random=true", "reflection"])
def test_what_is_drawn_for_each_image_has_no_one_pattern_to_swallow(member):
    inside = Together(member)
    assert inside.varies
    assert isinstance(trigger_saturation(inside, pictures()), Skipped)
    assert isinstance(trigger_saturation(TRIGGERS.create(member), pictures()), Saturation)


def test_members_that_draw_their_places_draw_apart():
    twins = Together("patch:size=3,random=true,color=red+patch:size=3,random=true,color=lime")
    assert [member.seed for member in twins.members] == [0, 1]
    images = pictures(n=200, height=24, width=24)
    red = (twins(images) == torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]).all(1).sum((1, 2))
    # Two 3x3 squares on 22x22 places meet in one image of 20.
    assert float((red == 9).double().mean()) > 0.85
    named = Together("patch:random=true,seed=5+sticker:seed=5+patch:random=true,seed=6")
    assert [member.seed for member in named.members] == [5, 6, 7]
    assert Together("patch+patch:corner=bottom-right").members[1].seed == 0


def test_a_plain_class_of_ones_own_is_a_part_too(tmp_path, monkeypatch):
    (tmp_path / "striped.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Stripe:\n"
        "    row: int = 0\n"
        "    def __call__(self, batch):\n"
        "        batch[:, :, self.row] = 1 if batch.is_floating_point() else 255\n"
        "        return batch\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    images = pictures()
    before = images.clone()
    both = TRIGGERS.create("together:triggers=striped:Stripe:row=3+patch:size=3")
    assert torch.equal(
        both(images), TRIGGERS.create("patch:size=3")(TRIGGERS.create("striped:Stripe:row=3")(before.clone()))
    )
    half = TRIGGERS.create("pieces:trigger=striped:Stripe:row=3,share=1")
    assert torch.equal(half(images), TRIGGERS.create("striped:Stripe:row=3")(before.clone()))
    assert torch.equal(images, before)
    assert isinstance(trigger_saturation(both, images), Saturation)
