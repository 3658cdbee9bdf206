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
MORE = 1.1
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

    def goes_beyond(self, earlier: Turned | None) -> bool:
        """Whether they are a tenth more than those of an earlier repair, which is worth another."""
        return earlier is None or len(self.moved | earlier.moved) > MORE * len(earlier.moved)

    def beside(self, earlier: Turned | None) -> Turned:
        """These and those of an earlier repair under the same label."""
        if earlier is None or earlier.likely.target != self.likely.target:
            return self
        ids = tuple(dict.fromkeys((*earlier.likely.ids, *self.likely.ids)))
        of = max(earlier.likely.of, self.likely.of)
        return Turned(replace(self.likely, of=of, ids=ids), self.moved | earlier.moved)

    def among(self, given: Given) -> Given:
        """What was given, with all that moved among the suspects."""
        return replace(given, suspects=given.suspects | self.moved)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows of training samples of which nobody is suspected and that the model answers by their label, as it was given.

    Among them are all such under the labels `targets`, of which one may be a backdoor's target.
    """

    training: Dataset
    targets: tuple[int, ...]
    rows: Whole
    device: str

    def turned_by(self, repaired: nn.Module) -> Turned | None:
        """What `repaired` gives its label no chance, of the target of which this is the largest share.

        None where so much would be turned in sound data, too.
        """
        same, chances = _answers(repaired, self.training, self.rows, self.device)
        found = [self._turned(target, same, chances) for target in self.targets]
        return max((one for one in found if one is not None), key=lambda one: one.likely.share, default=None)

    def _turned(self, target: int, same: Tensor, chances: Tensor) -> Turned | None:
        under = self.training.labels[self.rows] == target
        own, others = chances[under], chances[~under]
        if not len(own) or not len(others):
            return None
        surely, elsewhere = float((own < SURELY).float().mean()), float((others < SURELY).float().mean())
        away = self.rows[under & (chances < TURNED)].tolist()
        if len(away) < FEWEST_TURNED or surely < max(LEAST_SHARE, TIMES * elsewhere):
            return None
        ids, name = self.training.ids, self.training.class_names[target]
        share = float((others < TURNED).float().mean())
        moved = frozenset(ids[row] for row in self.rows[under & (~same | (chances < TURNED))].tolist())
        return Turned(TurnedSamples(name, len(own), share, tuple(ids[row] for row in away)), moved)


def labelled(model: nn.Module, given: Given, *, seed: int, device: str) -> Labelled | None:
    """The samples that a repair of `model` may turn; None without training data.

    A repaired model answers what bears the trigger by what else it shows, where the label says the target. That finds
    poisons of which nobody knew: the trigger that was found need only be like the true one. Where no target is known
    every class may be one: a repair that unlearnt whatever the model may follow turns a like share of every class in
    sound data, and all that bears the trigger of a backdoor's target.
    """
    if given.training is None:
        return None
    free, labels = ~given.is_suspect(given.training), given.training.labels
    targets = tuple(range(len(given.training.class_names))) if given.target is None else (given.target,)
    under = torch.isin(labels, torch.tensor(targets))
    own, others = (free & under).nonzero().flatten(), (free & ~under).nonzero().flatten()
    rows = torch.cat([own, others[drawn_rows(len(others), COMPARED, seed)]])
    return Labelled(given.training, targets, rows[_answers(model, given.training, rows, device)[0]], device)


def _answers(model: nn.Module, data: Dataset, rows: Whole, device: str) -> tuple[Tensor, Tensor]:
    """Whether the model answers these samples by their labels (m,), and the probabilities that it gives these (m,)."""
    if not len(rows):
        return torch.zeros(0, dtype=torch.bool), torch.zeros(0)
    with computing_on(model, device):
        chances = predict_logits(model, data.inputs[rows]).softmax(1)
    labels = data.labels[rows]
    return chances.argmax(1) == labels, chances.gather(1, labels[:, None])[:, 0]
