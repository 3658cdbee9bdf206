"""Plain fine-tuning, the measure of all others."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work
from bezoar.repair.given import Given
from bezoar.repair.loop import Tuning, tune
from bezoar.repair.trusted import too_few_trusted, trusted_of


@REPAIRS.register("fine-tune")
@dataclass(frozen=True, kw_only=True)
class FineTune(Tuning, ModelRepair):
    """Train the model further on the trusted samples.

    Needs 10 trusted samples. Known to leave strong backdoors in place, above all those of low poison rates: clean
    samples give the network no reason to forget a trigger that they never show. `epochs` 10 unless given.
    """

    epochs: int = 10

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended:
        """Descend the cross-entropy of the trusted samples."""
        trusted = trusted_of(work)
        epochs = tune(work, trusted, self, stage="fine-tune")
        return Mended(Used(trusted=len(trusted)), (f"fine-tuned {epochs} epochs on {len(trusted):,} trusted samples",))
