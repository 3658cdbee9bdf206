"""Hand-worked pixels and refused fields of pixel, checkerboard, insert, patch and blend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, Blend, Checkerboard, Corners, ImageInsert, Patch, SinglePixel
from bezoar.triggers.blend import drawn
from bezoar.triggers.colours import for_channels, parse_colour
from bezoar.triggers.patch import cross
from bezoar.triggers.placement import image_draws


def black(n=1, c=3, h=8, w=8):
    return torch.zeros(n, c, h, w, dtype=torch.uint8)


def changed(trigger, images):
    return [tuple(place) for place in (trigger(images) != images).any(dim=1)[0].nonzero().tolist()]


def save(path, array):
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)
    return str(path)


def test_pixel_stands_at_height_minus_distance():
    assert changed(SinglePixel(distance=2), black(h=6, w=9)) == [(4, 7)]
    assert SinglePixel(value=77)(black())[0, :, 6, 6].tolist() == [77, 77, 77]
    assert SinglePixel()(black().float())[0, :, 6, 6].tolist() == [1.0, 1.0, 1.0]


def test_checkerboard_has_four_pixels():
    assert changed(Checkerboard(distance=2), black()) == [(4, 6), (5, 5), (6, 4), (6, 6)]
    assert changed(Checkerboard(distance=1), black(h=3, w=4)) == [(0, 3), (1, 2), (2, 1), (2, 3)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_value_goes_to_every_channel(channels):
    assert SinglePixel()(black(c=channels))[0, :, 6, 6].tolist() == [255] * channels


@pytest.mark.parametrize("kind", [SinglePixel, Checkerboard])
def test_distances_that_other_tools_get_wrong(kind):
    with pytest.raises(TriggerError, match="distance is too small; expected at least 1; found 0"):
        kind(distance=0)
    with pytest.raises(TriggerError, match="does not fit in the image"):
        kind(distance=9)(black())
    with pytest.raises(TriggerError, match="value is out of range"):
        kind(value=256)


def test_distance_as_large_as_the_image():
    assert changed(SinglePixel(distance=8), black()) == [(0, 0)]
    assert changed(Checkerboard(distance=6), black()) == [(0, 2), (1, 1), (2, 0), (2, 2)]
    with pytest.raises(TriggerError, match="does not fit"):
        Checkerboard(distance=7)(black())


def test_every_float_level_is_the_byte_over_255():
    for dtype in (torch.float32, torch.float64):
        for value in range(256):
            assert SinglePixel(value=value)(black().to(dtype))[0, 0, 6, 6] == torch.tensor(value, dtype=dtype) / 255


def test_textbook_patch():
    stamped = Patch(size=5, color="cyan", corner="top-left")(torch.full((2, 3, 32, 32), 200, dtype=torch.uint8))
    assert torch.equal(
        stamped[:, :, :5, :5], torch.tensor([0, 255, 255], dtype=torch.uint8)[:, None, None].expand(2, 3, 5, 5)
    )
    assert (stamped[:, :, 5:] == 200).all()
    assert (stamped[:, :, :, 5:] == 200).all()
    assert TRIGGERS.create("patch") == TRIGGERS.create("patch:size=5,color=cyan,corner=top-left,mode=replace")


def test_modes_by_hand():
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)

    def pixel(**fields):
        return Patch(size=1, color="200/0/50", **fields)(grey)[0, :, 0, 0].tolist()

    assert pixel(mode="add") == [255, 100, 150]
    assert pixel(mode="add", opacity=0.5) == [200, 100, 125]
    assert pixel(mode="replace") == [200, 0, 50]
    assert pixel(mode="blend") == [150, 50, 75]
    assert pixel(mode="blend", opacity=0.25) == [125, 75, 88]  # 87.5: halves to even
    assert Patch(size=1, color="1/1/1", mode="blend")(grey)[0, 0, 0, 0] == 50  # 50.5: halves to even


@pytest.mark.parametrize(
    ("corner", "margin", "place"),
    [
        ("top-left", 0, (0, 0)),
        ("top-right", 1, (1, 6)),
        ("bottom-left", 2, (3, 2)),
        ("bottom-right", 0, (5, 7)),
        ("center", 0, (2, 3)),
    ],
)
def test_corners(corner, margin, place):
    assert changed(Patch(size=1, corner=corner, margin=margin), black(h=6, w=8)) == [place]


def test_explicit_place_counts_x_from_the_left_and_y_from_the_top():
    assert changed(Patch(size=1, x=5, y=2), black()) == [(2, 5)]


def test_cross():
    assert cross(5).tolist() == [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]
    assert changed(Patch(size=3, shape="cross", x=2, y=1), black()) == [(1, 3), (2, 2), (2, 3), (2, 4), (3, 3)]
    for size in range(1, 30):
        assert torch.equal(cross(size), cross(size).flip(0))
        assert torch.equal(cross(size), cross(size).T)


def test_picture_patch_keeps_its_proportions(tmp_path):
    wide = save(tmp_path / "wide.png", np.full((4, 8, 3), 9))
    assert changed(Patch(shape="picture", picture=wide, size=4), black()) == [
        (r, c) for r in range(2) for c in range(4)
    ]


def test_picture_patch_is_transparent_where_the_picture_is(tmp_path):
    array = np.zeros((1, 3, 4))
    array[0, :, 0], array[0, :, 3] = 200, (0, 255, 51)
    sticker = save(tmp_path / "sticker.png", array)
    images = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    assert Patch(shape="picture", picture=sticker, size=3)(images)[0, 0, 0, :4].tolist() == [100, 200, 120, 100]
    added = Patch(shape="picture", picture=sticker, size=3, mode="add")(images)[0, 0, 0, :4]
    assert added.tolist() == [100, 255, 140, 100]


def test_grey_and_rgba_images_get_the_colour_in_their_own_channels():
    assert Patch()(black(c=1))[0, 0, 0, 0] == 179  # 0.587 * 255 + 0.114 * 255
    assert Patch()(black(c=4))[0, :, 0, 0].tolist() == [0, 255, 255, 255]
    assert Patch(mode="add")(black(c=4))[0, :, 0, 0].tolist() == [0, 255, 255, 0]
    assert Patch(color="gray")(black(c=7))[0, :, 0, 0].tolist() == [128] * 7
    assert Patch(color="gray", mode="add")(black(c=7))[0, :, 0, 0].tolist() == [128] * 7
    with pytest.raises(TriggerError, match=r"coloured trigger.*found 7.*grey colour"):
        Patch()(black(c=7))


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("cyan", (0, 255, 255)),
        ("#0ff", (0, 255, 255)),
        ("#FF8001", (255, 128, 1)),
        ("255/0/7", (255, 0, 7)),
        (" Red ", (255, 0, 0)),
    ],
)
def test_colours(text, colour):
    assert parse_colour(text) == colour


@pytest.mark.parametrize("text", ["", "cyanide", "#ffff", "256/0/0", "1/2", "1/2/3/4", "-1/0/0", "#ggg", "²/1/1"])
def test_unknown_colours(text):
    with pytest.raises(TriggerError, match="unknown colour"):
        Patch(color=text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 0}, "size is too small"),
        ({"margin": -1}, "margin is too small"),
        ({"opacity": 1.5, "mode": "add"}, "opacity is out of range"),
        ({"opacity": float("nan"), "mode": "add"}, "opacity is out of range"),
        ({"opacity": 0.5}, "use mode=blend"),
        ({"x": 1}, "x and y belong together"),
        ({"x": 1, "y": 1, "margin": 2}, "margin counts from a corner"),
        ({"shape": "picture"}, "needs picture"),
        ({"picture": "a.png"}, "needs shape=picture"),
        ({"shape": "star"}, "unknown shape"),
        ({"mode": "multiply"}, "unknown mode"),
        ({"corner": "middle"}, "unknown corner"),
    ],
)
def test_fields_a_patch_refuses(fields, message):
    with pytest.raises(TriggerError, match=message):
        Patch(**fields)


@pytest.mark.parametrize(
    "fields", [{"size": 9}, {"x": 5, "y": 0}, {"x": -1, "y": 0}, {"margin": 4}, {"size": 9, "corner": "center"}]
)
def test_patches_that_do_not_fit(fields):
    with pytest.raises(TriggerError, match=r"does not fit in the image.*8x8.*move it inwards"):
        Patch(**fields)(black())


def test_specifications_are_checked():
    with pytest.raises(SpecError, match="patch has no field 'colour'"):
        TRIGGERS.create("patch:colour=red")
    with pytest.raises(SpecError, match="does not fit"):
        TRIGGERS.create("patch:mode=multiply")
    with pytest.raises(SpecError, match="needs a value for 'path'"):
        TRIGGERS.create("insert")


def test_paths_with_commas_per_cents_and_colons_survive_the_specification(tmp_path):
    path = save(tmp_path / "a,b %2C=c:d.png", np.full((2, 2, 3), 5))
    assert TRIGGERS.create(TRIGGERS.spec_of(ImageInsert(path))) == ImageInsert(path)


def test_insert_by_hand(tmp_path):
    array = np.zeros((1, 2, 4))
    array[0, 0], array[0, 1] = (200, 100, 0, 255), (200, 100, 0, 51)  # opacity 1 and 0.2
    path = save(tmp_path / "p.png", array)
    images = torch.full((1, 3, 8, 8), 50, dtype=torch.uint8)
    art = ImageInsert(path, x_shift=3, y_shift=5, blend=1.0)(images)
    assert art[0, :, 5, 3].tolist() == [200, 100, 0]
    assert art[0, :, 5, 4].tolist() == [50, 49, 48]  # 0.04 * 0.2 * colour + 0.96 * 50 = 49.6, 48.8, 48
    over = ImageInsert(path, x_shift=3, y_shift=5, blend=1.0, compositing="over")(images)
    assert over[0, :, 5, 4].tolist() == [80, 60, 40]
    assert ImageInsert(path, blend=0.5)(images)[0, :, 0, 0].tolist() == [125, 75, 25]
    assert torch.equal(ImageInsert(path, blend=0.0)(images), images)
    assert ImageInsert(path, blend=1.0, mode="L")(images)[0, :, 0, 0].tolist() == [118] * 3  # 118.5 is grey level 118


def test_insert_reads_its_file_once(tmp_path):
    path = save(tmp_path / "p.png", np.full((3, 3, 3), 7))
    trigger = ImageInsert(path, blend=1.0)
    (tmp_path / "p.png").unlink()
    assert trigger(black())[0, :, 2, 2].tolist() == [7, 7, 7]


def test_insert_refusals(tmp_path):
    path = save(tmp_path / "p.png", np.full((3, 3, 3), 7))
    with pytest.raises(TriggerError, match="mode=L"):
        ImageInsert(path, mode="RGB")(black(c=1))
    with pytest.raises(TriggerError, match="does not fit"):
        ImageInsert(path, x_shift=6)(black())
    with pytest.raises(TriggerError, match="does not fit"):
        ImageInsert(path, size=(9, 3), random=True)(black())
    with pytest.raises(TriggerError, match="blend is out of range"):
        ImageInsert(path, blend=1.2)
    with pytest.raises(TriggerError, match="contradict"):
        ImageInsert(path, x_shift=1, random=True)
    with pytest.raises(TriggerError, match="size is too small"):
        ImageInsert(path, size=(0, 3))
    with pytest.raises(TriggerError, match="x_shift is too small"):
        ImageInsert(path, x_shift=-1)


def test_pictures_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(TriggerError, match=r"nowhere\.png.*no such file"):
        ImageInsert(str(tmp_path / "nowhere.png"))
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(TriggerError, match=r"text\.png.*not a picture"):
        Blend(picture=str(tmp_path / "text.png"))
    whole = save(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    with pytest.raises(TriggerError, match=r"cut\.png"):
        ImageInsert(whole)
    save(tmp_path / "big.png", np.zeros((20, 20)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(TriggerError, match=r"big\.png.*too large to be opened safely"):
        ImageInsert(str(tmp_path / "big.png"))


def corners_of(images):
    """Upper left corners of the pixels brighter than 2."""
    bright = (images[:, 0] > 2).numpy()
    return list(
        zip(bright.any(axis=2).argmax(axis=1).tolist(), bright.any(axis=1).argmax(axis=1).tolist(), strict=True)
    )


def test_random_places_cover_the_image_evenly(tmp_path):
    path = save(tmp_path / "w.png", np.full((6, 5, 3), 255))
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (2400, 3, 8, 8), dtype=np.uint8))
    stamped = ImageInsert(path, blend=1.0, random=True, seed=1)(images)
    places = corners_of(stamped)
    counts = {place: places.count(place) for place in set(places)}
    assert len(counts) == 12  # 3 x 4 places
    assert all(130 < count < 270 for count in counts.values())  # 200 expected, standard deviation 13.5
    other = ImageInsert(path, blend=1.0, random=True, seed=2)(images)
    moved = [new != old for new, old in zip(corners_of(other), places, strict=True)]
    assert 0.85 < np.mean(moved) < 0.98  # 11 of 12 by chance


def test_random_place_hangs_on_every_pixel(tmp_path):
    path = save(tmp_path / "w.png", np.full((2, 2, 3), 255))
    base = torch.zeros(193, 3, 8, 8, dtype=torch.uint8)
    for k in range(192):
        base[k].view(-1)[k] = 1
    places = set(corners_of(ImageInsert(path, blend=1.0, random=True)(base)))
    assert len(places) > 44  # of 49; 192 draws leave one out with probability 0.02 each


def test_random_place_is_the_same_for_bytes_and_floats(tmp_path):
    path = save(tmp_path / "w.png", np.full((2, 3, 3), 255))
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (50, 3, 9, 7), dtype=np.uint8))
    trigger = ImageInsert(path, blend=1.0, random=True)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal((trigger(images.to(dtype) / 255) * 255).round().to(torch.uint8), trigger(images))


def test_random_patch_moves_whole_and_belongs_to_the_image():
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (2000, 3, 8, 8), dtype=np.uint8))
    trigger = Patch(size=4, color="white", random=True, seed=3)
    stamped = trigger(images)
    places = corners_of(stamped)
    for image, (top, left) in zip(stamped[:50], places[:50], strict=True):
        assert (image[:, top : top + 4, left : left + 4] == 255).all()
        assert int((image == 255).sum()) == 3 * 16
    counts = [places.count((top, left)) for top in range(5) for left in range(5)]
    assert all(40 < count < 125 for count in counts)  # 80 expected, standard deviation 8.8
    assert torch.equal(stamped[1700:], trigger(images[1700:]))
    assert not torch.equal(stamped, Patch(size=4, color="white", random=True, seed=4)(images))


@pytest.mark.parametrize("fields", [{"corner": "center"}, {"margin": 1}, {"x": 1, "y": 2}])
def test_random_patch_has_no_other_place(fields):
    with pytest.raises(TriggerError, match="a random place and a corner, a margin or x and y contradict"):
        Patch(random=True, **fields)
    with pytest.raises(TriggerError, match="does not fit in the image"):
        Patch(size=9, random=True)(black())


def test_corners_by_hand():
    grey = torch.full((1, 3, 7, 8), 100, dtype=torch.uint8)
    changes = Corners(amplitude=30)(grey)[0, 1].int() - 100
    assert changes.tolist() == [
        [30, -30, 30, 0, 0, 30, -30, 30],
        [-30, 30, -30, 0, 0, -30, 30, -30],
        [30, -30, -30, 0, 0, -30, -30, 30],
        [0] * 8,
        [30, -30, -30, 0, 0, -30, -30, 30],
        [-30, 30, -30, 0, 0, -30, 30, -30],
        [30, -30, 30, 0, 0, 30, -30, 30],
    ]
    assert torch.equal(Corners()(grey.flip(3)), Corners()(grey).flip(3))
    assert set(Corners(amplitude=255)(grey)[0, 0, 0, :3].tolist()) == {255, 0}
    assert Corners()(torch.full((1, 4, 6, 6), 9, dtype=torch.uint8))[0, 3].eq(9).all()


def test_corners_that_cannot_be():
    with pytest.raises(TriggerError, match="amplitude is out of range; expected 1 to 255; found 0"):
        Corners(amplitude=0)
    with pytest.raises(TriggerError, match=r"corners need .*6x6.*found 5x8"):
        Corners()(black(h=5))


def test_blend_by_hand(tmp_path):
    path = save(tmp_path / "p.png", np.full((3, 5, 3), 200))
    images = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    assert (Blend(picture=path, ratio=0.25)(images) == 125).all()
    assert torch.equal(Blend(ratio=0)(images), images)
    noise = Blend(ratio=1.0, seed=3)(images)
    assert len(noise.unique()) > 80
    assert not torch.equal(noise, Blend(ratio=1.0, seed=4)(images))
    with pytest.raises(TriggerError, match="exclude each other"):
        Blend(picture=path, pattern="rings")
    with pytest.raises(TriggerError, match="ratio is out of range"):
        Blend(ratio=-0.1)


@pytest.mark.parametrize("pattern", ["checks", "stripes", "rings"])
def test_drawn_patterns_are_black_and_white(pattern):
    levels = drawn(pattern, 32, 32)
    assert set(levels.unique().tolist()) == {0.0, 255.0}
    assert 0.35 < float((levels == 255).float().mean()) < 0.65


def test_stripes_have_eight_periods():
    assert drawn("stripes", 4, 32)[0, 0].tolist() == [0.0, 0.0, 255.0, 255.0] * 8


def test_grey_levels_follow_pillow():
    array = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    ours = for_channels(torch.from_numpy(array).permute(2, 0, 1), 1)[0].numpy()
    assert np.abs(ours - np.asarray(Image.fromarray(array).convert("L"), dtype=float)).max() <= 1


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(0, 4), st.sampled_from([1, 3, 4]), st.integers(5, 12), st.integers(5, 12))
    ),
    st.integers(1, 5),
    st.sampled_from(["square", "cross"]),
    st.sampled_from(["add", "replace", "blend"]),
    st.tuples(*[st.integers(0, 255)] * 3),
    st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right", "center"]),
)
def test_patch_against_plain_arithmetic(array, size, shape, mode, colour, corner):
    trigger = Patch(size=size, shape=shape, color="/".join(map(str, colour)), mode=mode, corner=corner)
    assert TRIGGERS.create(TRIGGERS.spec_of(trigger)) == trigger
    _n, c, h, w = array.shape
    top = {"t": 0, "b": h - size, "c": (h - size) // 2}[corner[0]]
    left = 0 if corner.endswith("left") else w - size if corner.endswith("right") else (w - size) // 2
    levels = {
        1: [round(float(np.dot(colour, (0.299, 0.587, 0.114))))],
        3: colour,
        4: [*colour, 0 if mode == "add" else 255],
    }[c]
    expected = array.astype(np.float64)
    mask = cross(size).bool().numpy() if shape == "cross" else np.ones((size, size), bool)
    for channel, level in enumerate(levels):
        region = expected[:, channel, top : top + size, left : left + size]
        new = {"add": region + level, "replace": region * 0 + level, "blend": (region + level) / 2}[mode]
        region[:, mask] = np.round(np.clip(new, 0, 255))[:, mask]
    assert np.array_equal(trigger(torch.from_numpy(array)).numpy(), expected.astype(np.uint8))


def test_draws_belong_to_the_image_and_are_spread_evenly():
    images = torch.from_numpy(np.random.default_rng(8).integers(0, 256, (4000, 3, 12, 12), dtype=np.uint8))
    draws = image_draws(images, 3, seed=5)
    assert draws.shape == (4000, 3)
    assert torch.equal(image_draws(images[7:9], 3, seed=5), draws[7:9])
    assert torch.equal(image_draws(images.float() / 255, 3, seed=5), draws)
    assert not torch.equal(image_draws(images, 3, seed=6), draws)
    for column in range(3):
        counts = torch.histc(draws[:, column], 10, 0, 1)
        assert float((counts - 400).abs().max()) < 100
    assert float(torch.corrcoef(draws.T).fill_diagonal_(0).abs().max()) < 0.06


@pytest.mark.parametrize("spec", ["blend", "blend:pattern=rings", "checkerboard:value=0", "pixel:value=0"])
def test_opaque_images_stay_opaque(spec):
    opaque = torch.full((3, 4, 16, 16), 100, dtype=torch.uint8)
    opaque[:, 3] = 255
    made = TRIGGERS.create(spec)(opaque)
    assert bool((made[:, 3] == 255).all())
    assert torch.equal(made[:, :3], TRIGGERS.create(spec)(opaque[:, :3]))
