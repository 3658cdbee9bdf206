"""Duplicates: planted groups, brute force over all pairs, and copies under another label."""

from itertools import combinations

import numpy as np
import pytest
import torch
from honest_toys import changed, counter_ids, pictures

from bezoar.errors import DataError
from bezoar.evidence.samples.fingerprints import fingerprints
from bezoar.scan.honest import duplicate_remarks, find_duplicates
from bezoar.scan.honest.pairs import SIMILARITY, correlation, joined, similar_pairs, usual_similarity

NAMES = ("cat", "dog", "ship")


def planted(by: str):
    """120 pictures, of which the first 30 come again, changed."""
    originals = pictures(120)
    images = torch.cat([originals, changed(originals[:30], by)])
    return images, counter_ids(150), np.arange(150) % 2


@pytest.mark.parametrize("by", ["patch", "blend", "brighter", "noise"])
def test_planted_pairs_are_the_pairs_found(by):
    images, ids, _ = planted(by)
    pairs, similar = similar_pairs(fingerprints(images, ids), np.zeros(150, np.int64))
    found = {tuple(pair) for pair in pairs.tolist()}
    assert found <= {(row, row + 120) for row in range(30)}
    assert len(found) >= 28
    assert (similar >= SIMILARITY[0]).all()
    assert (similar <= 1 + 1e-6).all()


def test_hashing_finds_what_brute_force_finds():
    images, ids, _ = planted("noise")
    prints = fingerprints(images, ids)
    everything = np.array(list(combinations(range(150), 2)))
    rows = prints.coefficients.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    brute = {tuple(pair) for pair in everything[(rows @ rows.T)[tuple(everything.T)] >= SIMILARITY[0]].tolist()}
    assert brute == {(row, row + 120) for row in range(30)}
    assert {tuple(pair) for pair in similar_pairs(prints, np.zeros(150, np.int64))[0].tolist()} == brute
    np.testing.assert_allclose(
        correlation(prints.coefficients, everything), (rows @ rows.T)[tuple(everything.T)], atol=1e-5
    )


def test_images_that_all_look_alike_must_look_more_alike():
    """As faces brought to one place: every picture has much of one of its class's ten."""
    unlike, base = pictures(200), pictures(10, seed=5).float()
    alike = (0.7 * base.repeat(20, 1, 1, 1) + 0.3 * unlike.float()).round().to(torch.uint8)
    labels = np.arange(200) % 10
    strict = usual_similarity(fingerprints(alike, counter_ids(200)).coefficients, labels)
    assert usual_similarity(fingerprints(unlike, counter_ids(200)).coefficients, labels) == SIMILARITY[0]
    assert strict == SIMILARITY[1]
    images = torch.cat([alike, changed(alike[:20], "noise")])
    found = find_duplicates(counter_ids(220), np.arange(220) % 10, fingerprints(images, counter_ids(220)))
    assert {group.ids for group in found.groups} <= {(f"{row:016x}#0", f"{row + 200:016x}#0") for row in range(20)}
    assert len(found.groups) >= 15


@pytest.mark.parametrize(
    ("change", "are_copies"),
    [
        (lambda images: images[:, [1, 2, 0]], False),  # the same drawing in other colours
        (lambda images: (images.float() * 0.85).round().to(torch.uint8), True),
        (lambda images: images.float().mean(1, keepdim=True).round().to(torch.uint8).expand(-1, 3, -1, -1), True),
    ],
)
def test_pictures_of_other_colours_are_no_copies(change, are_copies):
    tint = torch.tensor([45.0, 0.0, -45.0])[None, :, None, None]
    images = (pictures(60).float() + tint).clamp(0, 255).round().to(torch.uint8)
    ids = counter_ids(120)
    both = torch.cat([images, change(images)])
    found = find_duplicates(ids, np.zeros(120, np.int64), fingerprints(both, ids))
    assert len(found.groups) >= 57 if are_copies else not found.groups


def test_many_copies_of_one_are_one_group():
    """More copies than neighbours looked at: they are joined through one another."""
    shaken = pictures(1, seed=8) + torch.randint(0, 4, (25, 3, 32, 32), generator=torch.Generator().manual_seed(2))
    images = torch.cat([pictures(100), shaken.clamp(0, 255).to(torch.uint8)])
    found = find_duplicates(counter_ids(125), np.zeros(125, np.int64), fingerprints(images, counter_ids(125)))
    assert [group.ids for group in found.groups] == [counter_ids(125)[100:]]
    assert not found.groups[0].exact
    assert found.copies == ()


def test_exact_groups_by_the_hash_in_the_ids():
    ids = (
        "00000000000000aa#0",
        "00000000000000aa#1",
        "00000000000000bb:x/1.png",
        "00000000000000bb:y/2.png",
        "own",
        "own2",
    )
    found = find_duplicates(ids, np.array([0, 0, 1, 2, 0, 0]))
    assert [(group.ids, group.exact, group.similarity) for group in found.groups] == [
        (ids[:2], True, 1),
        (ids[2:4], True, 1),
    ]
    assert [group.conflicting for group in found.groups] == [False, True]
    (copy,) = found.copies
    assert (copy.first, copy.second, copy.first_label, copy.second_label, copy.similarity) == (ids[2], ids[3], 1, 2, 1)


def test_identical_pictures_of_unlike_ids_are_near():
    images = torch.cat([pictures(30), pictures(30)[:1]])
    (group,) = find_duplicates(counter_ids(31), np.zeros(31, np.int64), fingerprints(images, counter_ids(31))).groups
    assert not group.exact
    assert group.similarity == pytest.approx(1, abs=1e-6)


def test_stamped_copies_beside_their_originals_point_at_the_target():
    images, ids, _ = planted("patch")
    labels = np.r_[np.arange(120) % 3, np.full(30, 2)]
    found = find_duplicates(ids, labels, fingerprints(images, ids))
    expected = {(ids[row], ids[row + 120]) for row in range(30) if row % 3 != 2}
    told = {(copy.first, copy.second) for copy in found.copies}
    assert told <= expected
    assert len(told) >= 19
    assert len(found.copies_of(2)) == len(found.copies)
    assert {copy.second_label for copy in found.copies} == {2}
    assert len(found.copies_of(0)) < len(found.copies)
    remark = duplicate_remarks(found, NAMES)[-1]
    assert "different labels" in remark.sentence
    assert "involve ship" in remark.sentence
    assert remark.count == 2 * len(told)  # samples concerned


def test_the_answer_follows_the_ids():
    images, ids, labels = planted("blend")
    turned = np.random.default_rng(1).permutation(150)
    mixed = [ids[row] for row in turned]
    straight = find_duplicates(ids, labels, fingerprints(images, ids))
    assert find_duplicates(mixed, labels[turned], fingerprints(images[torch.from_numpy(turned)], mixed)) == straight


def test_nothing_alike_nothing_told():
    found = find_duplicates(counter_ids(200), np.arange(200) % 3, fingerprints(pictures(200), counter_ids(200)))
    assert found.groups == ()
    assert duplicate_remarks(found, NAMES) == ()


def test_remarks_count_groups_and_superfluous_copies():
    ids = tuple(f"{number // 3:016x}#{number % 3}" for number in range(12))
    (remark,) = duplicate_remarks(find_duplicates(ids, np.zeros(12, np.int64)), NAMES)
    assert remark.kind == "near-duplicates"
    assert remark.count == 12  # samples concerned
    assert remark.sentence.startswith("8 copies in 4 groups")
    assert remark.examples[0] == ids[:3]


def test_groups_are_connected_components():
    """Against a breadth-first search."""
    pairs = np.random.default_rng(3).integers(0, 60, (35, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    neighbours = {row: set() for row in range(60)}
    for one, other in pairs.tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    left, expected = {row for row in range(60) if neighbours[row]}, []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = set().union(*(neighbours[row] for row in edge)) - group
        left -= group
        expected.append(sorted(group))
    assert [group.tolist() for group in joined(pairs, 60)] == expected


def test_one_sample_and_none_alike():
    assert find_duplicates(("x",), np.zeros(1, np.int64), fingerprints(pictures(1), ("x",))).groups == ()


def test_what_does_not_belong_together_is_refused():
    prints = fingerprints(pictures(3), counter_ids(3))
    with pytest.raises(DataError):
        find_duplicates(counter_ids(4)[1:], np.zeros(3, np.int64), prints)
    with pytest.raises(DataError):
        find_duplicates(counter_ids(3), np.zeros(2, np.int64), prints)
