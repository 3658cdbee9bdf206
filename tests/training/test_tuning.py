"""Fine-tuning some modules: they alone change, batch norm's statistics included, and the model is left able to learn."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_loop import TINY, toy
from torch import nn

from bezoar.errors import BezoarError, TrainingError, UsageError
from bezoar.training import build_model, default_recipe, train
from bezoar.training.tuning import training_mode, tuned

RECIPE = replace(default_recipe("fast"), epochs=2, batch_size=64)


def network() -> nn.Module:
    return build_model(TINY, classes=3, sample=toy().inputs, seed=0)


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    old, new = before.state_dict(), after.state_dict()
    return {name for name in old if not torch.equal(old[name], new[name])}


def test_only_what_is_tuned_changes_and_no_statistics_elsewhere() -> None:
    start = network()
    before = copy.deepcopy(start)
    trained = train(toy(), model=TINY, recipe=RECIPE, seed=1, start=start, tune=("stages.1.refine", "head"))
    names = changed(before, trained.model)
    assert names
    assert all(name.startswith(("stages.1.refine.", "head.")) for name in names)
    assert {"head.weight", "stages.1.refine.norm.running_mean"} <= names
    assert trained.record.tuned == ("stages.1.refine", "head")


def test_without_names_all_learn_and_what_was_frozen_stays_frozen() -> None:
    start = network()
    before = copy.deepcopy(start)
    trained = train(toy(), model=TINY, recipe=RECIPE, seed=1, start=start)
    assert {"stages.0.widen.conv.weight", "head.weight"} <= changed(before, trained.model)
    assert "stem.weight" not in changed(before, trained.model)
    assert [one.requires_grad for one in before.parameters()] == [one.requires_grad for one in start.parameters()]


def test_afterwards_the_model_can_learn_as_before() -> None:
    start = network()
    wanted = [one.requires_grad for one in start.parameters()]
    with tuned(start, ("head",)):
        assert [name for name, one in start.named_parameters() if one.requires_grad] == ["head.weight"]
    assert [one.requires_grad for one in start.parameters()] == wanted


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        (("haed",), UsageError, "no module 'haed' to tune.*'head'"),
        (("stem",), TrainingError, "nothing is left to train.*stages.0, .*head"),
        (("head", "nowhere"), UsageError, "no module 'nowhere'"),
    ],
)
def test_a_module_that_cannot_be_tuned(names: tuple[str, ...], kind: type[BezoarError], said: str) -> None:
    with pytest.raises(kind) as caught:
        train(toy(), model=TINY, recipe=RECIPE, seed=1, start=network(), tune=names)
    assert re.search(said, " ".join(str(caught.value).split()))


def test_batch_norms_keep_their_statistics_only_where_they_are_frozen() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2, affine=False), nn.BatchNorm1d(2), nn.Dropout())
    model[0].requires_grad_(False)
    training_mode(model.eval())
    assert [module.training for module in model] == [False, True, True, True]


def test_it_resumes_to_the_same_weights_and_not_with_other_modules(tmp_path: Path) -> None:
    def run(epochs: int, tune: tuple[str, ...], *, resume: bool, place: Path) -> nn.Module:
        recipe = replace(RECIPE, epochs=epochs)
        return train(
            toy(), model=TINY, recipe=recipe, seed=1, start=network(), tune=tune, checkpoint=place, resume=resume
        ).model

    whole = run(2, ("head",), resume=False, place=tmp_path / "whole")
    again = run(2, ("head",), resume=True, place=tmp_path / "whole")
    assert not changed(whole, again)
    with pytest.raises(TrainingError, match="another"):
        run(2, ("stages.1",), resume=True, place=tmp_path / "whole")
