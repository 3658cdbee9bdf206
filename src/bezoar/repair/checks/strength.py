"""How strong a trigger should be that a repair learns from and is judged by."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.forms import FORMS
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.checks.turning import Turning
from bezoar.training.elsewhere import computing_on

STRENGTHS, MOST_ASKED = (1.0, 1.5, 2.0), 500
AS_MANY = 0.01
"""A trigger that turns so little less is taken for as good, if it is weaker: strong ones cost accuracy."""


def as_strong(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> Suspected:
    """The same, with every inverted trigger as strong, of once to twice what was found, as turns most samples.

    An inversion makes its triggers just as strong as most images need. What planted the backdoor was stronger, and a
    model that unlearnt the weak one still follows it: with 100 samples of CIFAR-10 attack success was 60% afterwards,
    and is 2%. Too strong is not better: a warp then leads elsewhere, and a pattern costs accuracy.
    """
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        first, *further = (_as_strong(turning, data.shape, one) for one in (found, *found.further))
    return replace(first, further=tuple(further))


def _as_strong(turning: Turning, shape: tuple[int, ...], one: Suspected) -> Suspected:
    own = kept(one.trigger.recovered) if isinstance(one.trigger, Worn) else None
    if own is None:
        return one
    name, parameters = own
    tried = [rebuilt(name, FORMS[name].scaled(parameters, torch.tensor([by])), shape) for by in STRENGTHS]
    shares = [turning.share(trigger, one.target) for trigger in tried]
    trigger = next(each for each, share in zip(tried, shares, strict=True) if share >= max(shares) - AS_MANY)
    return replace(one, trigger=Worn(trigger), description=trigger.description, picture=trigger.picture)
