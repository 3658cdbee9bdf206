"""SIG: a faint sinusoid on samples of the target class, whose labels stay right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.clean.clean_label import CleanLabelAttack
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.about import About
from bezoar.triggers.sinusoid import Sinusoid


@ATTACKS.register("sig")
@dataclass(frozen=True, kw_only=True)
class Sig(CleanLabelAttack):
    """Adds a sinusoid to samples of the target class, labels untouched; a stronger one may set it off.

    `delta` (in levels of 0..255) and `frequency` (waves across the image) are those of the trigger `sinusoid`
    on the poisons. `test_delta` is the delta of the trigger that sets the backdoor off, the same unless given:
    it only has to pass at test time, when nobody looks, so it may be larger. `rate` is a share of the TARGET
    CLASS; published runs on CIFAR-10 poison half of it, 5% of all samples.

    Barni et al. 2019, arXiv 1902.11237. Not here: the ramp which that paper puts on handwritten digits.
    Raises AttackError when it cannot be carried out, TriggerError for a delta or frequency that makes no sense.
    """

    delta: float = 20
    frequency: float = 6
    test_delta: float | None = None

    about: ClassVar[About] = About("clean label", "Barni et al. 2019, SIG, arXiv 1902.11237", ("samples",))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.planted(), self.setting_off()  # raise for fields that make no trigger

    def planted(self) -> Sinusoid:
        """The trigger on the poisons."""
        return Sinusoid(self.delta, self.frequency)

    def setting_off(self) -> Sinusoid:
        """The trigger at test time."""
        return Sinusoid(self.delta if self.test_delta is None else self.test_delta, self.frequency)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the target class, to be given the sinusoid."""
        require_images(data)
        ids = self.poison_ids(data, seed=seed)
        change = stamped(ids, self.new_labels(data, ids), self.planted())
        return self.planned(data, (change,), self.setting_off(), seed=seed)
