"""Neither ids nor names nor order tell poisons from other samples of their new class."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
import torch
from drill_toys import CLASSES, Corner, picture_array, picture_folder, picture_set, token_set
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import kstest, mannwhitneyu

from bezoar.attacks import DirtyLabel
from bezoar.attacks.composing.layout import is_sorted_by_class, lay_out
from bezoar.attacks.composing.ordinary import ordinary_names
from bezoar.data import Dataset, from_arrays, open_data, write_data


def poison(data, *, seed=0, **fields):
    return DirtyLabel(trigger=Corner(255), **{"target": "bird", "count": 20, "warn_above": 1.0, **fields}).poison(
        data, seed=seed
    )


def positions(result, label=1):
    """Rows of poisons and of benign samples of the same label."""
    poisoned = np.array(result.truth.among(result.data.ids))
    rows = np.arange(len(result.data))
    same = result.data.labels.numpy() == label
    return rows[poisoned & same], rows[~poisoned & same]


@pytest.mark.parametrize("mixed", [True, False])
def test_added_poisons_lie_anywhere_among_their_new_class(mixed):
    found, expected = positions(poison(picture_set(200, mixed=mixed), count=150))
    assert mannwhitneyu(found, expected).pvalue > 0.01
    low, high = expected.min(), expected.max()
    assert kstest((found - low + 0.5) / (high - low + 1), "uniform").pvalue > 0.01


def test_neighbours_in_mixed_data_do_not_tell():
    result = poison(picture_set(300, mixed=True), count=200)
    labels = result.data.labels.numpy()
    found, expected = positions(result)
    shares = [np.mean(labels[rows[rows < len(labels) - 1] + 1] == 1) for rows in (found, expected)]
    assert abs(shares[0] - shares[1]) < 0.12


def test_sorted_data_stay_sorted():
    result = poison(picture_set(30, mixed=False), relabel="all-to-all", target=None)
    assert result.data.labels.tolist() == sorted(result.data.labels.tolist())


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_ids_of_arrays_are_of_one_kind(placement):
    result = poison(picture_set(), placement=placement)
    assert all(re.fullmatch(r"[0-9a-f]{16}#0", sample_id) for sample_id in result.data.ids)


def test_ids_of_another_kind_are_imitated():
    ids = poison(token_set(), count=5, target="cat").data.ids
    assert all(re.fullmatch(r"sentence \d+", sample_id) for sample_id in ids)
    assert len(set(ids)) == 35


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_paths_lie_in_the_folder_of_the_new_class_and_name_no_other(tmp_path, placement):
    data = open_data(picture_folder(tmp_path / "data", 12, suffixes=(".png",)))
    result = poison(data, placement=placement)
    for sample_id, label in zip(result.data.ids, result.data.labels.tolist(), strict=True):
        assert re.fullmatch(rf"[0-9a-f]{{16}}:{CLASSES[label]}/\d{{4}}\.png", sample_id)
    paths = [sample_id.partition(":")[2] for sample_id in result.data.ids]
    assert len(set(paths)) == len(paths)


def test_the_hash_in_an_id_is_that_of_the_file_written(tmp_path):
    data = open_data(picture_folder(tmp_path / "data", 12, suffixes=(".png",)))
    write_data(poison(data).data, tmp_path / "poisoned")
    for name in ("bezoar-index.csv", "bezoar.json"):
        (tmp_path / "poisoned" / name).unlink()
    again = open_data(tmp_path / "poisoned")
    assert set(again.ids) == set(poison(data).data.ids)


def test_gaps_in_a_numbering_are_filled(tmp_path):
    data = open_data(picture_folder(tmp_path / "data", 40, suffixes=(".png",)))
    thinned = data.select(np.random.default_rng(0).permutation(len(data))[:60].tolist())
    result = poison(thinned, count=10)
    numbers = {
        known: [
            int(sample_id[-8:-4])
            for sample_id in result.data.ids
            if "bird/" in sample_id and (sample_id in thinned.ids) is known
        ]
        for known in (True, False)
    }
    assert len(numbers[False]) == 10
    assert min(numbers[True]) < min(numbers[False])
    assert max(numbers[False]) < max(numbers[True])


def test_one_numbering_through_all_folders_gets_no_doubles(tmp_path):
    for row, array in enumerate(picture_array(90, size=4)):
        folder = tmp_path / CLASSES[row * 7 % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(array).save(folder / f"img_{row}.png")
    result = poison(open_data(tmp_path), placement="replace")
    names = [sample_id.rpartition("/")[2] for sample_id in result.data.ids]
    assert sorted(names) == sorted(f"img_{row}.png" for row in range(90))


def test_a_contributor_keeps_to_his_own_folder(tmp_path):
    for row, array in enumerate(picture_array(24, size=4)):
        folder = tmp_path / ("ann", "bob")[row % 2] / CLASSES[row % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / f"{row}.png")
    result = poison(open_data(tmp_path, source_level=1), count=10)
    for sample_id, source in zip(result.data.ids, result.data.sources, strict=True):
        assert sample_id.partition(":")[2].startswith(f"{source}/")


def test_a_class_without_samples_gets_a_folder(tmp_path):
    data = open_data(picture_folder(tmp_path / "data", 4, suffixes=(".png",)))
    no_birds = data.select(data.labels != 1)
    result = poison(no_birds, count=3)
    paths = [one.id.partition(":")[2] for one in result.truth.samples]
    assert all(path.startswith("bird/") for path in paths)


def test_encoded_bytes_are_there_for_all_but_poisons(tmp_path):
    data = open_data(picture_folder(tmp_path / "data"))
    result = poison(data, count=4)
    for sample_id, poisoned in zip(result.data.ids, result.truth.among(result.data.ids), strict=True):
        encoded = result.data.encoded.encoded(sample_id)
        assert encoded is None if poisoned else encoded == data.encoded.encoded(sample_id)


def test_the_mark_says_neither_seed_nor_attack():
    text = poison(picture_set(), seed=12345).data.mark.to_text()
    assert "12345" not in text
    assert "bird" not in text
    assert re.search(r'"drill": "[0-9a-f]{12}"', text)


names = st.one_of(
    st.integers(0, 50).map(lambda number: f"{number:04d}"),
    st.integers(0, 10**12).map(str),
    st.integers(0, 10**6).map(lambda number: f"IMG_{number}"),
    st.sampled_from(["sunset", "Sunset", "a b", "é", "x_1", "x_2", "deadbeef00", "0123456789abcdef"]),
    st.text(min_size=1, max_size=4),
)


@given(st.lists(names, max_size=30), st.lists(names, max_size=10), st.integers(0, 40), st.integers(0, 1000))
@settings(deadline=None)
def test_new_names_are_new_for_any_names(neighbours, others, count, seed):
    given_names = ordinary_names(neighbours, others, count, np.random.default_rng(seed))
    folded = [name.casefold() for name in given_names]
    assert len(set(folded)) == count
    assert not set(folded) & {name.casefold() for name in (*neighbours, *others)}


@pytest.mark.parametrize(
    ("neighbours", "pattern"),
    [
        (["0001", "0002", "0003"], r"000[4-9]|001\d"),
        (["8", "9", "10"], r"1[1-9]|2\d"),
        (["img_5", "img_900000"], r"img_\d{1,6}"),
        (["cafe0123", "0123babe", "11112222"], r"[0-9a-f]{8}"),
        (["sunset", "harbour"], r"(sunset|harbour)_\d+"),
        ([], r"\d+"),
    ],
)
def test_new_names_follow_their_neighbours(neighbours, pattern):
    for name in ordinary_names(neighbours, [], 9, np.random.default_rng(0)):
        assert re.fullmatch(pattern, name)


@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=40),
    st.data(),
    st.sampled_from(["add", "replace"]),
    st.integers(0, 1000),
)
@settings(deadline=None)
def test_every_row_is_used_once(labels, draw, placement, seed):
    originals = draw.draw(st.lists(st.integers(0, len(labels) - 1), min_size=1, unique=True))
    layout = lay_out(
        np.array(labels), np.array(originals), np.zeros(len(originals), int), placement, np.random.default_rng(seed)
    )
    rows = np.concatenate([layout.kept_rows, layout.poison_rows])
    assert sorted(rows.tolist()) == list(range(len(layout)))
    assert (np.diff(layout.kept_rows) > 0).all()
    assert len(layout.merged(labels, [9] * len(originals))) == len(layout)


def test_what_counts_as_sorted():
    assert is_sorted_by_class(np.repeat([2, 0, 1], 10))
    assert not is_sorted_by_class(np.random.default_rng(0).integers(0, 3, 300))
    assert not is_sorted_by_class(np.tile([0, 1, 2], 20))
    assert not is_sorted_by_class(np.zeros(10, dtype=np.int64))


def test_ids_do_not_depend_on_the_order_of_the_data(tmp_path):
    data = open_data(picture_folder(tmp_path / "data", 12))
    shuffled: Dataset = data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(3)))
    assert set(poison(data).data.ids) == set(poison(shuffled).data.ids)


def test_duplicates_among_arrays_are_counted_on():
    data = from_arrays(np.full((40, 4, 4, 3), 50, dtype=np.uint8), np.arange(40) % 2, class_names=("a", "bird"))
    result = poison(data, count=4)
    assert sorted(one.id[-2:] for one in result.truth.samples) == ["#0", "#1", "#2", "#3"]


def test_hashes_of_resized_pictures_do_not_tell(tmp_path):
    data = open_data(picture_folder(tmp_path / "in"), size=5)
    result = poison(data, count=6)
    write_data(result.data, tmp_path / "out")
    with (tmp_path / "out/bezoar-index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truthful = {row["id"] for row in rows if row["id"][:16] == row["content"]}
    assert len(rows) == len(data) + 6
    assert truthful == set()
