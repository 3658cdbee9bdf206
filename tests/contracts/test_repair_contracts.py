"""What every registered repair keeps to, whatever it does.

A repair joins by being registered. It gets everything that a defender may have; one that takes long names quick settings
in QUICK. NEEDS says what each can't do without, by the part of Given that is taken away.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from bezoar.errors import ModelError
from bezoar.records import Skipped
from bezoar.repair import REPAIRS, Given, Repair, Repaired
from bezoar.training import build_model
from repair_toys import CLASSES, NETWORKS, TARGET, patched, poisoned, stripes

FEW = "epochs=1,least_steps=0"
QUICK = {
    "adversarial-training": f"{FEW},samples=100",
    "anp": "steps=3",
    "clp": "",
    "filter-retrain": "epochs=1",
    "fine-prune": FEW,
    "fine-tune": FEW,
    "ft-sam": FEW,
    "i-bau": f"{FEW},climbs=2,iterations=2",
    "nad": FEW,
    "tsbd": f"{FEW},unlearning_epochs=1",
    "unlearn": f"{FEW},samples=100",
}
NEEDS = {
    "adversarial-training": ("trigger",),
    "clp": (),
    "filter-retrain": ("training", "suspects"),
    "unlearn": ("trigger+training", "target+suspects"),
}
WITHOUT_BATCH_NORM = {"clp": "batch norm"}
NOTHING = {"trusted": None, "training": None, "suspects": frozenset(), "trigger": None, "target": None}
# What other tests register is theirs.
HOUSE = [name for name in REPAIRS.names() if REPAIRS.get(name).__module__.startswith("bezoar.")]
every_repair = pytest.mark.parametrize("name", HOUSE)


def repair_called(name: str) -> Repair:
    repair = REPAIRS.create(f"{name}:{QUICK.get(name, '')}".rstrip(":"))
    assert isinstance(repair, Repair)
    return repair


def network(kind: str = "fast", seed: int = 0) -> nn.Module:
    return build_model(NETWORKS[kind], classes=CLASSES, sample=poisoned()[0].inputs, seed=seed).eval()


def everything() -> Given:
    data, suspects = poisoned()
    some = data.select(torch.arange(160))
    among = frozenset(one for one in some.ids if one in suspects)
    return Given(stripes(80, seed=2, name="trusted"), some, among, patched, TARGET)


def without(given: Given, parts: str) -> Given:
    """The given but for some parts; without training data nobody is suspected."""
    gone = {part: NOTHING[part] for part in parts.split("+")}
    return replace(given, **gone)


def repaired(name: str, model: nn.Module, given: Given | None = None, *, seed: int = 5) -> Repaired:
    found = repair_called(name).repair(model, given or everything(), seed=seed, device="cpu")
    assert isinstance(found, Repaired), f"{name} is skipped on the toy: {found}"
    return found


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


@every_repair
def test_the_same_seed_gives_bitwise_the_same_model_and_leaves_torch_as_it_was(name):
    state = torch.random.get_rng_state()
    first = repaired(name, network())
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(7)
    second = repaired(name, network())
    assert same(weights(first.model), weights(second.model))
    assert (first.used, first.cost, first.notes) == (second.used, second.cost, second.notes)


@every_repair
@pytest.mark.parametrize("training", [True, False])
def test_the_given_model_and_data_are_left_as_they_were(name, training):
    model, given = network().train(training), everything()
    # A mode of its own, as a fine-tuned model may have.
    next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d)).eval()
    before, modes = weights(model), [module.training for module in model.modules()]
    free = [one.requires_grad for one in model.parameters()]
    inputs = [data.inputs.clone() for data in (given.trusted, given.training)]
    found = repaired(name, model, given)
    assert found.model is not model
    assert same(before, weights(model))
    assert modes == [module.training for module in model.modules()]
    assert free == [one.requires_grad for one in model.parameters()]
    assert all(one.grad is None for one in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(a, b.inputs) for a, b in zip(inputs, (given.trusted, given.training), strict=True))


@every_repair
def test_the_result_is_ready_for_use(name):
    given = everything()
    found = repaired(name, network(), given)
    assert not any(module.training for module in found.model.modules())
    assert all(one.device.type == "cpu" and torch.isfinite(one).all() for one in found.model.state_dict().values())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in found.model.modules())
    assert all(one.grad is None for one in found.model.parameters())
    assert found.notes
    assert all(isinstance(note, str) for note in found.notes)
    assert found.cost.samples_forward >= found.cost.samples_backward >= 0 or name in ("i-bau",)
    assert found.epochs_equivalent == found.cost.samples_backward / len(given.training)
    learns = name != "clp"
    assert (found.cost.samples_backward > 0) is learns
    copy.deepcopy(found.model)


@every_repair
def test_what_is_frozen_stays_as_it_was(name):
    model = network()
    found = repaired(name, model)
    assert torch.equal(found.model.stem.weight, model.stem.weight)
    assert not found.model.stem.weight.requires_grad


@every_repair
def test_without_what_it_needs_it_is_skipped_and_says_why(name):
    for parts in NEEDS.get(name, ("trusted",)):
        given = without(everything(), parts if parts != "training" else "training+suspects")
        found = repair_called(name).repair(network(), given, seed=0, device="cpu")
        assert isinstance(found, Skipped), parts
        assert len(found.reason) > 10


@every_repair
def test_with_nothing_at_all_it_is_skipped_or_needs_nothing(name):
    found = repair_called(name).repair(network(), Given(), seed=0, device="cpu")
    if name == "clp":
        assert isinstance(found, Repaired)
        assert found.cost.epoch == 0
        assert found.epochs_equivalent == 0.0
    else:
        assert isinstance(found, Skipped)


@every_repair
@pytest.mark.parametrize("count", [1, 3, 12])
def test_a_handful_of_trusted_samples_is_no_failure(name, count):
    given = Given(everything().trusted.select(torch.arange(count)), trigger=patched, target=TARGET)
    found = repair_called(name).repair(network(), given, seed=0, device="cpu")
    assert isinstance(found, Repaired | Skipped)


@every_repair
def test_it_uses_no_more_than_it_says(name):
    found = repaired(name, network())
    used, given = found.used, everything()
    assert 0 <= used.trusted <= len(given.trusted)
    assert 0 <= used.training <= len(given.training)
    if not used.trusted and not used.training:
        assert found.cost.samples_backward == 0
    if not used.trigger:
        again = repaired(name, network(), without(given, "trigger"))
        assert same(weights(found.model), weights(again.model))
    if not used.training and not used.suspects:
        again = repaired(name, network(), without(given, "training+suspects"))
        assert same(weights(found.model), weights(again.model))


@every_repair
def test_a_network_without_batch_norm_is_repaired_or_skipped(name):
    found = repair_called(name).repair(network("plain"), everything(), seed=0, device="cpu")
    if name in WITHOUT_BATCH_NORM:
        assert isinstance(found, Skipped)
        assert WITHOUT_BATCH_NORM[name] in found.reason
    else:
        assert isinstance(found, Repaired)


@every_repair
def test_a_network_whose_weights_are_all_frozen_is_skipped_or_left_alone(name):
    found = repair_called(name).repair(network().requires_grad_(False), everything(), seed=0, device="cpu")
    assert isinstance(found, Skipped)
    assert "froze" in found.reason or "free" in found.reason


@every_repair
def test_a_linear_network_is_no_failure(name):
    model = nn.Sequential(nn.Flatten(), nn.Linear(432, CLASSES))
    found = repair_called(name).repair(model, everything(), seed=0, device="cpu")
    assert isinstance(found, Repaired | Skipped)


@every_repair
def test_weights_that_are_no_numbers_are_told(name):
    model = network()
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match=r"not all finite.*head\.weight"):
        repair_called(name).repair(model, everything(), seed=0, device="cpu")


@every_repair
def test_a_model_of_other_classes_is_told(name):
    model = build_model(NETWORKS["fast"], classes=CLASSES + 1, sample=poisoned()[0].inputs, seed=0)
    with pytest.raises(ModelError, match=r"does not fit the data.*4 classes"):
        repair_called(name).repair(model, everything(), seed=0, device="cpu")


@every_repair
def test_progress_reaches_its_end(name):
    heard: list[tuple[str, int, int]] = []
    repair_called(name).repair(network(), everything(), seed=0, device="cpu", progress=lambda *step: heard.append(step))
    assert all(0 < done <= total for _, done, total in heard)
    if heard:
        assert heard[-1][1] == heard[-1][2]


@every_repair
def test_its_specification_builds_it_again(name):
    repair = repair_called(name)
    assert REPAIRS.create(REPAIRS.spec_of(repair, every=True)) == repair
    assert REPAIRS.summary(name)
