import torch
from confirm_toys import Rule, textures

from bezoar.confirm.recover.pieces import recover_pieces

SIDE = 24


def square_seen(images):
    """Logit of class 1: the strongest pure red 3 by 3 square anywhere."""
    red = images[:, 0] - images[:, 1:].amax(1)
    seen = torch.nn.functional.avg_pool2d(red[:, None], 3, 1).amax((1, 2, 3))
    return torch.stack([torch.full_like(seen, 0.8), seen], 1)


def with_squares(images, seed):
    """A red square at a place of its own in each image."""
    places = torch.randint(0, SIDE - 3, (len(images), 2), generator=torch.Generator().manual_seed(seed)).tolist()
    marked = images.clone()
    for image, (top, left) in zip(marked, places, strict=True):
        image[:, top : top + 3, left : left + 3] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    return marked


def test_pieces_hold_the_square_wherever_it_lies():
    suspects = with_squares(textures(40, side=SIDE, seed=1), 3)
    found = recover_pieces(Rule(square_seen), suspects, 1)
    assert found is not None
    assert found.kind == "pieces"
    assert len(found.change.pieces) == 20
    clean = textures(100, side=SIDE, seed=5)
    answers = square_seen(found(clean).float() / 255).argmax(1)
    assert float(answers.float().mean()) == 1.0
    # Of an image only one box changes.
    changed = (found(clean) != clean).any(1).flatten(1).sum(1)
    assert int(changed.max()) <= 8 * 8


def test_innocent_samples_have_pieces_that_do_nothing():
    found = recover_pieces(Rule(square_seen), textures(40, side=SIDE, seed=1), 1)
    clean = textures(100, side=SIDE, seed=5)
    assert found is None or not square_seen(found(clean).float() / 255).argmax(1).any()


def test_order_and_batches_change_nothing():
    found = recover_pieces(Rule(square_seen), with_squares(textures(40, side=SIDE, seed=1), 3), 1)
    clean = textures(30, side=SIDE, seed=5)
    assert torch.equal(found(clean)[10:15], found(clean[10:15]))
    assert torch.equal(found(clean.flip(0)).flip(0), found(clean))


def test_nothing_where_covering_changes_nothing_or_images_are_small_or_few():
    blind = Rule(lambda images: torch.ones(len(images), 2))
    assert recover_pieces(blind, textures(40, side=SIDE, seed=1), 1) is None
    assert recover_pieces(Rule(square_seen), textures(40, side=15, seed=1), 1) is None
    assert recover_pieces(Rule(square_seen), textures(11, side=SIDE, seed=1), 1) is None


def test_greyscale_and_transparency():
    for channels in (1, 4):
        sum_of_all = Rule(lambda images: torch.stack([images.mean((1, 2, 3)), images.amax((1, 2, 3))], 1))
        found = recover_pieces(sum_of_all, textures(40, channels=channels, side=SIDE, seed=1), 1)
        assert found is not None
        assert found.picture.shape == (channels, 4 * SIDE, 4 * SIDE)
