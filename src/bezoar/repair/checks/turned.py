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

TURNED, SURELY = 0.1, 0.05
"""A repaired model gives the label of a turned sample a probability below that, of a surely turned one below this.

Of a sound model whose class was unlearnt for nothing 3.1% of the samples were surely turned at most, and of five with a
backdoor 5 to 40% (LOG.md): merely hard ones move a little, those that bear the trigger have nothing of the target.
"""
LEAST_SHARE, TIMES, FEWEST_TURNED = 0.04, 3.0, 10
"""This share of the target's samples must surely be turned, so many times that of others, and so many samples."""
COMPARED = 5_000
"""Of other classes so many samples are asked at most."""


@dataclass(frozen=True, eq=False)
class Turned:
    """Samples that very likely bear the trigger, and all that a repair answers otherwise.

    The next repair is made without all of the latter: a poison among what it keeps teaches the backdoor anew, where a
    sound sample among those that it does without costs little.
    """

    likely: TurnedSamples
    moved: frozenset[str]

    def among(self, given: Given) -> Given:
        """What was given, with all that moved among the suspects."""
        return replace(given, suspects=given.suspects | self.moved)


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

    def turned_by(self, repaired: nn.Module) -> Turned | None:
        """What `repaired` gives its label no chance; None where so much would be turned in sound data, too."""
        if not len(self.own) or not len(self.others):
            return None
        same, own = _answers(repaired, self.training, self.own, self.device)
        _, others = _answers(repaired, self.training, self.others, self.device)
        surely, elsewhere = float((own < SURELY).float().mean()), float((others < SURELY).float().mean())
        away = self.own[own < TURNED].tolist()
        if len(away) < FEWEST_TURNED or surely < max(LEAST_SHARE, TIMES * elsewhere):
            return None
        ids, name = self.training.ids, self.training.class_names[self.target]
        share = float((others < TURNED).float().mean())
        moved = frozenset(ids[row] for row in self.own[~same | (own < TURNED)].tolist())
        return Turned(TurnedSamples(name, len(self.own), share, tuple(ids[row] for row in away)), moved)


def labelled(model: nn.Module, given: Given, *, seed: int, device: str) -> Labelled | None:
    """The samples that a repair of `model` may turn; None without training data, or without a trigger and its target.

    A repaired model answers what bears the trigger by what else it shows, where the label says the target. That finds
    poisons of which nobody knew: the trigger that was found need only be like the true one.
    """
    if given.training is None or given.trigger is None or given.target is None:
        return None
    free = ~given.is_suspect(given.training)
    under = given.training.labels == given.target
    own, others = (free & under).nonzero().flatten(), (free & ~under).nonzero().flatten()
    others = others[drawn_rows(len(others), COMPARED, seed)]
    own, others = (rows[_answers(model, given.training, rows, device)[0]] for rows in (own, others))
    return Labelled(given.training, given.target, own, others, device)


def _answers(model: nn.Module, data: Dataset, rows: Whole, device: str) -> tuple[Tensor, Tensor]:
    """Whether the model answers these samples by their labels (m,), and the probabilities that it gives these (m,)."""
    if not len(rows):
        return torch.zeros(0, dtype=torch.bool), torch.zeros(0)
    with computing_on(model, device):
        chances = predict_logits(model, data.inputs[rows]).softmax(1)
    labels = data.labels[rows]
    return chances.argmax(1) == labels, chances.gather(1, labels[:, None])[:, 0]
