"""Networks that are asked about held-out samples: once as they are, and changed as often as there are triggers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.coarse import CoarseSight
from bezoar.confirm.flips import Carriers, Change, Flags, Flips, flips
from bezoar.confirm.networks import Networks
from bezoar.training import predict_logits


@dataclass(frozen=True, eq=False)
class Witness:
    """A network, its answers (n,) to the carriers as they are, and how sure it is of each."""

    model: nn.Module
    carriers: Carriers
    answers: NDArray[np.int64]
    certainty: NDArray[np.float64]

    @staticmethod
    def of(model: nn.Module, carriers: Carriers) -> Witness:
        """Ask it once."""
        if not len(carriers.labels):
            return Witness(model, carriers, np.zeros(0, dtype=np.int64), np.zeros(0))
        logits = predict_logits(model, carriers.inputs).double()
        return Witness(model, carriers, logits.argmax(1).numpy(), torch.softmax(logits, 1).amax(1).numpy())

    @property
    def right(self) -> Flags:
        """Which carriers (n,) it knows."""
        known: Flags = self.answers == self.carriers.labels
        return known

    def flips(self, change: Change, target: int) -> Flips:
        """Which of the carriers that it knows go over to the target under `change`."""
        return flips(self.model, self.carriers, change, target, self.right)

    def first(self, count: int) -> Witness:
        """The same before the first carriers alone, which are held out in random order."""
        chosen = np.arange(len(self.answers)) < count
        return self._among(chosen, self.carriers.part(chosen))

    def _among(self, chosen: Flags, carriers: Carriers) -> Witness:
        return Witness(self.model, carriers, self.answers[chosen], self.certainty[chosen])


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The networks of a causal test before the same carriers; `coarse` sees no details, None where there are none."""

    blind: Witness
    exposed: Witness
    placebo: Witness
    coarse: CoarseSight | None = None

    @staticmethod
    def of(networks: Networks, blind: Witness) -> Witnesses:
        """The blind network's testimony, and that of the two others on the same carriers."""
        exposed = Witness.of(networks.exposed, blind.carriers)
        same = networks.placebo is networks.blind
        placebo = blind if same else Witness.of(networks.placebo, blind.carriers)
        return Witnesses(blind, exposed, placebo, networks.coarse)

    @property
    def carriers(self) -> Carriers:
        """What they were asked about."""
        return self.blind.carriers

    @property
    def turned(self) -> Witnesses:
        """The exposed network in the blind one's place, and the blind one in the exposed one's."""
        return Witnesses(self.exposed, self.blind, self.exposed, self.coarse)

    def part(self, chosen: Flags) -> Witnesses:
        """The same before the chosen carriers alone."""
        carriers = self.carriers.part(chosen)
        blind, exposed = (one._among(chosen, carriers) for one in (self.blind, self.exposed))
        same = self.placebo is self.blind
        placebo = blind if same else self.placebo._among(chosen, carriers)
        return Witnesses(blind, exposed, placebo, self.coarse)
