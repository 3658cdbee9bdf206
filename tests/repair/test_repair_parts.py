"""The parts that repairs share: what is given, the meter, the loop, channels, pruning, weights drawn anew."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from bezoar.errors import DataError, LabelError, TrainingError, TriggerError, UsageError
from bezoar.records import Skipped
from bezoar.repair import REPAIRS, Given, Repaired
from bezoar.repair.anew import draw_anew
from bezoar.repair.base import Mended, ModelRepair, Used, Work, unheard
from bezoar.repair.channels import layers_of, silence, silent
from bezoar.repair.given import Aimed, can_keep, kept_samples, with_trigger
from bezoar.repair.loop import Tuning, tune
from bezoar.repair.meter import Meter
from bezoar.repair.methods.fine_prune import activity
from bezoar.repair.methods.nad import stages_of
from bezoar.repair.methods.tsbd import neuron_layers
from bezoar.repair.pruning import accuracy, divided, prune_while_accurate
from bezoar.training import build_model
from bezoar.training.batches import to_unit_range
from repair_toys import (
    CLASSES,
    NETWORKS,
    RECIPES,
    TARGET,
    attack_success,
    clean_accuracy,
    patched,
    poisoned,
    stripes,
    victim,
)


def network(kind="fast"):
    return build_model(NETWORKS[kind], classes=CLASSES, sample=poisoned()[0].inputs, seed=0).eval()


def work_on(model, given=None):
    return Work(model, given or Given(), 0, torch.device("cpu"), Meter(), unheard)


# What is given


def test_parts_that_do_not_belong_together_are_told():
    data, _ = poisoned()
    with pytest.raises(DataError, match=r"1 suspects are not among the training data.*nobody"):
        Given(training=data, suspects=frozenset({"nobody"}))
    with pytest.raises(DataError, match="different classes"):
        Given(replace(stripes(8, seed=0, name="t"), class_names=("a", "b", "c", "d")), data)
    with pytest.raises(LabelError, match=r"target.*0\.\.3.*4"):
        Given(data, target=4)


def test_kept_are_trusted_samples_and_unflagged_ones_but_no_suspect_and_none_twice():
    data, suspects = poisoned()
    rest = [row for row, one in enumerate(data.ids) if one not in suspects]
    trusted = data.select(rest[:20])
    given = Given(trusted, data, suspects)
    kept = kept_samples(given, 100, 3)
    assert (kept.trusted, kept.unflagged, len(kept.data)) == (20, 80, 100)
    assert not suspects & set(kept.data.ids)
    assert kept_samples(given, 100, 3).data.ids == kept.data.ids
    assert kept_samples(given, 100, 4).data.ids != kept.data.ids
    assert kept_samples(given, 10, 3).data.ids == trusted.ids


def test_where_nobody_is_suspected_training_data_are_not_kept():
    data, _ = poisoned()
    given = Given(stripes(5, seed=0, name="t"), data)
    assert given.unflagged() is None
    assert kept_samples(given, 100, 0) is None
    assert not can_keep(given)


def test_a_trigger_that_makes_something_else_is_told():
    data = stripes(4, seed=0, name="t")
    assert with_trigger(data, patched).labels.equal(data.labels)
    with pytest.raises(TriggerError, match="something else"):
        with_trigger(data, lambda batch: batch[:, :1])


# Counting


def test_the_meter_counts_passes_and_copies_and_leaves_no_hook():
    model, meter = nn.Linear(3, 2), Meter()
    with meter.watching(model):
        other = copy.deepcopy(model)
        model(torch.zeros(5, 3)).sum().backward()
        with torch.no_grad():
            other(torch.zeros(7, 3))
    model(torch.zeros(9, 3)).sum().backward()
    assert (meter.forward, meter.backward) == (12, 5)
    assert not model._forward_hooks


def test_costs_of_fine_tuning_and_of_sharpness():
    given = Given(stripes(40, seed=2, name="t"))
    costs = {}
    for name in ("fine-tune", "ft-sam"):
        found = REPAIRS.create(f"{name}:epochs=3,least_steps=0").repair(network(), given, seed=0, device="cpu")
        costs[name] = found.cost
    # The check that model and data fit comes before the counting begins.
    assert (costs["fine-tune"].samples_forward, costs["fine-tune"].samples_backward) == (120, 120)
    assert costs["ft-sam"].samples_backward == 240
    assert costs["ft-sam"].epochs_equivalent == 6.0


# The loop


@pytest.mark.parametrize(
    ("samples", "size", "epochs"), [(2500, 125, 5), (100, 25, 25), (129, 26, 20), (10, 10, 100), (1000, 125, 13)]
)
def test_few_samples_come_up_more_often_in_even_batches(samples, size, epochs):
    recipe = Tuning().recipe(samples)
    assert (recipe.batch_size, recipe.epochs) == (size, epochs)
    assert samples % size != 1


def test_a_field_out_of_range_is_told():
    with pytest.raises(UsageError, match=r"FineTune: epochs"):
        REPAIRS.create("fine-tune:epochs=0")
    with pytest.raises(UsageError, match="anp: hold_out"):
        REPAIRS.create("anp:hold_out=1")


def test_a_loss_that_is_no_number_stops_the_loop():
    with pytest.raises(TrainingError, match=r"diverged.*Lower the learning rate"):
        tune(
            work_on(network()),
            stripes(40, seed=2, name="t"),
            Tuning(),
            stage="",
            gradients=lambda *_: torch.tensor(torch.nan),
        )


def test_steady_learning_keeps_statistics_and_held_weights_stay_zero():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    layer = layers_of(model, Given())[-1]
    silence(model, layer, 3, bias=True)
    held = silent(model, [(layer, 3)], bias=True)
    settings = Tuning(epochs=2, least_steps=0)
    tune(work_on(model), stripes(40, seed=2, name="t"), settings, stage="", steady=True, held=held)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)
    carrier = model.get_submodule(layer.carrier)
    assert (float(carrier.weight[3].detach()), float(carrier.bias[3].detach())) == (0.0, 0.0)
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_learning_can_be_ended_before_an_epoch():
    asked = []
    epochs = tune(
        work_on(network()),
        stripes(20, seed=2, name="t"),
        Tuning(epochs=9, least_steps=0),
        stage="",
        go_on=lambda epoch: asked.append(epoch) or epoch < 2,
    )
    assert (epochs, asked) == (2, [0, 1, 2])


# Channels and pruning


def test_layers_of_the_networks_of_the_house():
    given = Given(stripes(4, seed=0, name="t"))
    fast = layers_of(network(), given)
    assert fast[0].conv == "stages.0.widen.conv", "the fixed stem is left alone"
    assert all(layer.norm == layer.conv.replace("conv", "norm") for layer in fast)
    plain = layers_of(network("plain"), given)
    assert [layer.norm for layer in plain] == [None] * 4
    resnet = build_model("preact-resnet18:width=4", classes=CLASSES, sample=given.trusted.inputs, seed=0).eval()
    names = {layer.conv: layer.norm for layer in layers_of(resnet, given)}
    assert names["stem"] == "blocks.0.norm1"
    assert names["blocks.7.conv2"] == "norm"
    assert names["blocks.2.shortcut"] is None


def test_stages_end_with_the_last_layer_of_a_map_size():
    given = Given(stripes(4, seed=0, name="t"))
    model = network()
    assert stages_of(model, layers_of(model, given), given.trusted.inputs[:2]) == (
        "stages.0.refine.norm",
        "stages.1.refine.norm",
    )
    assert not model.stages[0].refine.norm._forward_hooks


def test_activity_against_a_pass_by_hand():
    model, data = network(), stripes(300, seed=4, name="t")
    layer = layers_of(model, Given(data))[0]
    with torch.no_grad():
        block = model.stages[0].widen
        stem = torch.relu(model.stem(model.normalise(to_unit_range(data.inputs))))
        maps = torch.relu(block.norm(nn.functional.max_pool2d(block.conv(stem), 2)))
    torch.testing.assert_close(activity(model, layer, data), maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


class Sum(nn.Module):
    """Answers right by channel 0 alone; channel 1 says nothing."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0] = 1.0
            self.conv.bias.zero_()

    def forward(self, images):
        level = self.conv(images).mean((2, 3))
        return torch.stack([1.0 - level[:, 0], level[:, 0]], 1)


def test_pruning_stops_before_what_harms_and_undoes_it():
    images = torch.zeros(40, 3, 4, 4, dtype=torch.uint8)
    images[20:] = 255
    data = replace(stripes(40, seed=0, name="t"), inputs=images, labels=(torch.arange(40) >= 20).long())
    model = Sum()
    layer = layers_of(model, Given(data))[0]
    assert accuracy(model, data) == 1.0
    order = [(layer, 1), (layer, 0), (layer, 2)]
    assert prune_while_accurate(model, order, data, tolerance=0.1, bias=True) == 1
    assert accuracy(model, data) == 1.0
    assert model.conv.weight[0].detach().flatten().tolist() == [1.0] * 3
    assert prune_while_accurate(model, order, data, tolerance=0.5, bias=True) == 3


def test_held_out_samples_are_others_and_enough():
    trusted = stripes(60, seed=0, name="t")
    parts = divided(trusted, 0.2, 1)
    assert (len(parts.learnt), len(parts.held_out)) == (48, 12)
    assert set(parts.learnt.ids) | set(parts.held_out.ids) == set(trusted.ids)
    assert divided(trusted.select(range(45)), 0.2, 1) is None


def test_neurons_are_all_but_those_of_the_last_layer_and_what_is_frozen():
    assert neuron_layers(network())[0] == "stages.0.widen.conv.weight"
    assert neuron_layers(network("plain"))[-1] == "hidden.weight"


# Anew


def test_weights_are_drawn_anew_but_for_frozen_ones():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.stages[0].widen.norm.running_mean += 3
    assert draw_anew(model) == ""
    after = model.state_dict()
    assert torch.equal(before["stem.weight"], after["stem.weight"])
    assert torch.equal(before["normalise.mean"], after["normalise.mean"])
    assert not torch.equal(before["stages.0.widen.conv.weight"], after["stages.0.widen.conv.weight"])
    assert not after["stages.0.widen.norm.running_mean"].any()


class OwnWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(CLASSES))
        self.inner = network()

    def forward(self, images):
        return self.inner(images) * self.factor


def test_a_network_that_cannot_be_drawn_anew_needs_a_fresh_one():
    data, suspects = poisoned()
    given = Given(training=data, suspects=suspects)
    method = REPAIRS.create("filter-retrain:epochs=1")
    found = method.repair(OwnWeight(), given, seed=0, device="cpu")
    assert isinstance(found, Skipped)
    assert "OwnWeight" in found.reason
    assert "fresh" in found.reason
    found = method.repair(OwnWeight(), replace(given, fresh=OwnWeight), seed=0, device="cpu")
    assert isinstance(found, Repaired)
    assert found.cost.samples_backward == len(data) - len(suspects)
    assert not found.model._forward_hooks


def test_it_is_trained_as_it_was_where_that_is_known():
    data, suspects = poisoned()
    recipe = RECIPES["fast"].with_changes(epochs=2)
    given = Given(training=data, suspects=suspects, recipe=recipe)
    for spec, epochs in (("filter-retrain", 2), ("filter-retrain:epochs=3", 3), ("filter-retrain:recipe=own", 15)):
        found = REPAIRS.create(spec).repair(network(), given, seed=0, device="cpu")
        assert f"trained {epochs} epochs" in found.notes[1]


def test_a_class_that_is_all_suspects_cannot_be_learnt_again():
    data, _ = poisoned()
    every = frozenset(one for one, label in zip(data.ids, data.labels.tolist(), strict=True) if label == 0)
    found = REPAIRS.create("filter-retrain").repair(network(), Given(None, data, every), seed=0, device="cpu")
    assert found == Skipped("without the suspects no sample of way0 is left")


# A repair of one's own


@dataclass(frozen=True)
class Doubled(ModelRepair):
    factor: float = 2.0

    def lacks(self, given):
        return ""

    def mend(self, work):
        with torch.no_grad():
            work.model.head.weight.mul_(self.factor)
        return Mended(Used(), ("doubled",))


def test_an_author_writes_two_hooks_and_a_ruined_model_is_no_result():
    model = network()
    found = Doubled().repair(model, Given(), seed=0, device="cpu")
    torch.testing.assert_close(found.model.head.weight, 2 * model.head.weight)
    with pytest.raises(TrainingError, match=r"diverged.*head\.weight"):
        Doubled(float("inf")).repair(model, Given(), seed=0, device="cpu")


def test_samples_that_are_no_images_are_skipped():
    rows = replace(stripes(20, seed=0, name="t"), inputs=torch.randn(20, 5))
    model = nn.Linear(5, CLASSES)
    assert isinstance(REPAIRS.create("fine-tune").repair(model, Given(rows), seed=0, device="cpu"), Skipped)


def test_the_trigger_takes_the_place_of_suspects_only_where_there_are_any():
    one = victim("fast")
    alone = REPAIRS.create("unlearn:of=trigger-alone")
    assert alone.lacks(one.given) == ""
    for lacking in ({"suspects": frozenset()}, {"training": None, "suspects": frozenset()}, {"trigger": None}):
        assert "take their place" in alone.lacks(replace(one.given, **lacking))
    # In data whose suspects are what their label says, those are left as they are.
    training = one.given.training
    rows = (training.labels == TARGET).nonzero().flatten()[:150]
    honest = replace(one.given, suspects=frozenset(training.ids[row] for row in rows.tolist()))
    kept = alone.repair(one.model, honest, seed=0, device="cpu").model
    assert attack_success(kept) < 0.1
    assert clean_accuracy(kept) > clean_accuracy(one.model) - 0.03


def test_more_triggers_take_more_steps():
    one = victim("fast")
    few = Given(one.given.trusted, trigger=patched, target=TARGET)
    many = replace(few, supposed=(Aimed(patched, TARGET),) * 20)
    first, second = (REPAIRS.create("unlearn").repair(one.model, given, seed=0, device="cpu") for given in (few, many))
    assert second.cost.samples_backward > 1.5 * first.cost.samples_backward
