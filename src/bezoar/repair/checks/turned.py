"""Training samples that a repair turns away from their label: those that bear the trigger that it took out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.records.repairing import TurnedSamples
from bezoar.repair.given import Given, drawn_rows
from bezoar.shapes import Whole
from bezoar.training.elsewhere import computing_on
from bezoar.training.predict import predict_logits

TIMES, FEWEST_TURNED = 3.0, 10
"""So many times as large a share as of other classes must be turned, and so many samples."""
COMPARED = 5_000
"""Of other classes so many samples are asked at most."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """The training samples of which nobody is suspected and that the model answers by their label, as it was given.

    `own` are rows under the target's label, `others` some rows under other labels.
    """

    training: Dataset
    target: int
    own: Whole
    others: Whole
    device: str

    def turned_by(self, repaired: nn.Module) -> TurnedSamples | None:
        """What `repaired` no longer answers by its label; None where that is no more than what happens elsewhere."""
        if not len(self.own) or not len(self.others):
            return None
        away = self.own[~_as_labelled(repaired, self.training, self.own, self.device)]
        elsewhere = 1 - float(_as_labelled(repaired, self.training, self.others, self.device).float().mean())
        if len(away) < FEWEST_TURNED or len(away) / len(self.own) < TIMES * elsewhere:
            return None
        ids, name = self.training.ids, self.training.class_names[self.target]
        return TurnedSamples(name, len(self.own), elsewhere, tuple(ids[row] for row in away.tolist()))


def labelled(model: nn.Module, given: Given, *, seed: int, device: str) -> Labelled | None:
    """The samples that a repair of `model` may turn; None without training data, or without a trigger and its target.

    A repaired model answers what bears the trigger by what else it shows, where the label says the target. That finds
    poisons of which nobody knew: the trigger that was found need only be like the true one.
    """
    if given.training is None or given.trigger is None or given.target is None:
        return None
    free = torch.tensor([one not in given.suspects for one in given.training.ids])
    under = given.training.labels == given.target
    own, others = (free & under).nonzero().flatten(), (free & ~under).nonzero().flatten()
    others = others[drawn_rows(len(others), COMPARED, seed)]
    own, others = (rows[_as_labelled(model, given.training, rows, device)] for rows in (own, others))
    return Labelled(given.training, given.target, own, others, device)


def with_turned(given: Given, turned: TurnedSamples) -> Given:
    """What was given, with the turned samples among the suspects."""
    return replace(given, suspects=given.suspects | frozenset(turned.ids))


def _as_labelled(model: nn.Module, data: Dataset, rows: Whole, device: str) -> Tensor:
    if not len(rows):
        return torch.zeros(0, dtype=torch.bool)
    with computing_on(model, device):
        return predict_logits(model, data.inputs[rows]).argmax(1) == data.labels[rows]
