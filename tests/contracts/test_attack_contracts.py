"""What every registered attack keeps to, whatever it does to samples.

An attack joins by being registered. Fields it shares with others (trigger, target, sources, rate, count,
placement) are filled in here, those it has; QUICK makes a long one short, and it must carry defaults for all others.
"""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import pytest
import torch

from bezoar.attacks import (
    ATTACKS,
    Attack,
    Poisoned,
    attack_spec,
    create_attack,
    load_truth,
    open_truth,
    save_truth,
    undo,
)
from bezoar.data import Dataset, from_arrays, write_data
from bezoar.data.readers.open import open_data
from bezoar.errors import AttackError, PoisonedDataWarning, SaturationWarning
from bezoar.registry import Registry
from bezoar.triggers import TRIGGERS
from bezoar.triggers.about import UNSAID, about

TRIGGER = "patch:size=3,color=cyan,corner=top-left,mode=replace"
CLASSES = ("airplane", "bird", "cat", "deer")
COUNT = 12

every_attack = pytest.mark.parametrize("name", ATTACKS.names())


@pytest.fixture(autouse=True)
def _saturation_is_no_matter():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturationWarning)
        yield


# Fields that make an attack which trains something quick enough for a test, or that it needs.
TINY = "fast:stem=4,widths=4/8"
QUICK: dict[str, dict[str, object]] = {
    "adaptive-blend": {"trigger": TRIGGERS.create("blend")},
    "all-to-all": {"target": None},
    "gradient-matching": {"surrogate": TINY, "surrogate_epochs": 1, "retrain": 1, "steps": 3},
    "hidden-trigger": {"surrogate": TINY, "surrogate_epochs": 1, "iterations": 5},
    "input-aware": {"surrogate": TINY, "width": 4, "mask_steps": 2, "steps": 2},
    "label-consistent": {"surrogate": TINY, "surrogate_epochs": 1, "steps": 2},
    "low-frequency": {"surrogate": TINY, "surrogate_epochs": 1, "steps": 2},
    "narcissus": {"surrogate": TINY, "surrogate_epochs": 1, "warm_up_epochs": 1, "steps": 12},
    "sample-specific": {"bits": 4, "width": 4, "steps": 2, "batch": 4},
    "trojan": {"surrogate": TINY, "surrogate_epochs": 1, "steps": 2},
    "several-triggers": {"target": None, "targets": ("bird", "deer", "bird")},
}
PER_CLASS = 40


def attack_called(name: str, **fields: object) -> Attack:
    registry: Registry[Attack] = ATTACKS
    options = {"trigger": TRIGGERS.create(TRIGGER), "target": "bird", "sources": ("airplane", "cat"), "count": COUNT}
    known = {field.name for field in ATTACKS.fields(name)}
    wanted = {**options, **QUICK.get(name, {}), **fields}
    return registry.create(name, **{field: value for field, value in wanted.items() if field in known})


def pictures(seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(160) % 4)
    pixels = generator.integers(20, 200, (160, 8, 8, 3), dtype=np.uint8)
    sources = [f"contributor {row % 5}" for row in range(160)]
    return from_arrays(pixels, labels, class_names=CLASSES, sources=sources, name="toy")


def rows_by_id(data: Dataset) -> dict[str, tuple[bytes, int, str | None]]:
    sources = data.sources or (None,) * len(data)
    arrays = data.inputs.permute(0, 2, 3, 1).contiguous().numpy()
    return {
        sample_id: (array.tobytes(), label, source)
        for sample_id, array, label, source in zip(data.ids, arrays, data.labels.tolist(), sources, strict=True)
    }


def same(first: Poisoned, second: Poisoned) -> bool:
    return first.truth == second.truth and rows_by_id(first.data) == rows_by_id(second.data)


@every_attack
def test_it_is_an_attack_that_says_what_it_plants(name):
    attack = attack_called(name)
    assert isinstance(attack, Attack)
    backdoors = attack.poison(pictures(), seed=1).backdoors
    assert backdoors
    for backdoor in backdoors:
        assert backdoor.relabelling
        assert all(0 <= source < 4 and 0 <= target < 4 for source, target in backdoor.relabelling.items())
        assert backdoor.trigger(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape == (2, 3, 8, 8)


@every_attack
def test_it_says_where_it_comes_from(name):
    assert about(ATTACKS.get(name)) is not UNSAID
    assert len(ATTACKS.summary(name)) > 20


@every_attack
def test_its_specification_builds_it_again(name):
    attack = attack_called(name)
    spec = attack_spec(attack)
    given = getattr(attack, "triggers", getattr(attack, "trigger", None))
    assert create_attack(spec, trigger=given) == attack


@every_attack
@pytest.mark.parametrize("placement", ["add", "replace"])
def test_the_truth_is_exactly_what_changed(name, placement):
    data = pictures()
    result = attack_called(name, placement=placement).poison(data, seed=3)
    before, after = rows_by_id(data), rows_by_id(result.data)
    truth = result.truth
    assert len({one.original_id for one in truth.samples}) == len(truth.samples) == len(truth.ids)
    poisoned = {sample_id for sample_id, row in after.items() if before.get(sample_id) != row}
    assert poisoned == truth.ids
    gone = {one.original_id for one in truth.samples} if truth.placement == "replace" else set()
    assert set(after) - truth.ids == set(before) - gone
    assert len(result.data) == len(data) + (len(truth.samples) if truth.placement == "add" else 0)


@every_attack
@pytest.mark.parametrize("placement", ["add", "replace"])
def test_each_poison_is_what_the_truth_says(name, placement):
    data = pictures()
    attack = attack_called(name, placement=placement)
    result = attack.poison(data, seed=3)
    before, after = rows_by_id(data), rows_by_id(result.data)
    for backdoor, planted in zip(result.backdoors, result.truth.backdoors, strict=True):
        pairs = {(CLASSES[source], CLASSES[target]) for source, target in backdoor.relabelling.items()}
        assert set(planted.relabelling) == pairs
    targets = {target for planted in result.truth.backdoors for _, target in planted.relabelling}
    for one in result.truth.samples:
        old_array, old_label, old_source = before[one.original_id]
        new_array, new_label, new_source = after[one.id]
        assert (CLASSES[old_label], CLASSES[new_label]) == (one.original_label, one.label)
        assert new_source == old_source
        assert one.label in targets if one.role == "poison" else one.label == one.original_label
        assert hashlib.sha256(old_array).hexdigest() == one.hash_before
        assert hashlib.sha256(new_array).hexdigest() == one.hash_after
    assert any(one.hash_before != one.hash_after for one in result.truth.samples)
    assert result.truth.digest_before == data.digest()
    assert result.truth.digest_after == result.data.digest()


@every_attack
def test_it_is_deterministic_and_seeds_differ(name):
    data, attack = pictures(), attack_called(name)
    torch.manual_seed(0)
    first = attack.poison(data, seed=5)
    torch.manual_seed(1)
    np.random.seed(1)
    assert same(first, attack.poison(data, seed=5))
    assert not same(first, attack.poison(data, seed=6))


@every_attack
def test_it_leaves_the_global_random_state_alone(name):
    torch.manual_seed(0)
    np.random.seed(0)
    attack_called(name).poison(pictures(), seed=5)
    after = torch.rand(1), np.random.random()
    torch.manual_seed(0)
    np.random.seed(0)
    assert after == (torch.rand(1), np.random.random())


@every_attack
@pytest.mark.parametrize("placement", ["add", "replace"])
def test_the_order_of_rows_does_not_matter(name, placement):
    data, attack = pictures(), attack_called(name, placement=placement)
    shuffled = data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(2)))
    assert same(attack.poison(data, seed=5), attack.poison(shuffled, seed=5))


@every_attack
def test_the_input_is_untouched_and_the_result_marked(name):
    data = pictures()
    before = rows_by_id(data)
    result = attack_called(name, placement="replace").poison(data, seed=5)
    assert rows_by_id(data) == before
    assert data.mark is None
    assert result.data.mark is not None
    assert result.data.mark.drill == result.truth.drill
    assert result.data.inputs.dtype == torch.uint8
    assert result.data.inputs.is_contiguous(memory_format=torch.channels_last)


@every_attack
def test_a_second_drill_is_refused(name):
    once = attack_called(name).poison(pictures(), seed=5).data
    with pytest.raises(AttackError, match="already poisoned by drill"):
        attack_called(name).poison(once, seed=6)


@every_attack
@pytest.mark.parametrize("placement", ["add", "replace"])
def test_it_can_be_undone_after_writing_and_reading(name, placement, tmp_path):
    data = pictures()
    result = attack_called(name, placement=placement).poison(data, seed=5)
    save_truth(result, tmp_path / "truth.zip")
    assert load_truth(tmp_path / "truth.zip") == result.truth
    batch = data.inputs[:5]
    for backdoor, kept in zip(result.backdoors, open_truth(tmp_path / "truth.zip").triggers(), strict=True):
        assert torch.equal(kept(batch), backdoor.trigger(batch))
    write_data(result.data, tmp_path / "data.npz")
    with pytest.warns(PoisonedDataWarning):
        read = open_data(tmp_path / "data.npz")
    restored = undo(read, tmp_path / "truth.zip")
    assert restored.ids == data.ids
    assert rows_by_id(restored) == rows_by_id(data)
    assert restored.mark is None
