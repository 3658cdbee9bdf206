"""Adversarial training: the trigger is shown under the labels that samples really have."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import FEWEST, Given, can_keep, kept_samples
from bezoar.repair.lessons import as_before
from bezoar.repair.loop import Tuning, tune


@REPAIRS.register("adversarial-training")
@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Tuning, ModelRepair):
    """Fine-tune on trusted and unflagged samples, a share of them a second time with the trigger, labels as given.

    Needs a trigger, recovered or supposed, and 10 samples: the trusted ones, and of the training data without the
    suspects as many as make `samples`. The suspects themselves are left out. Where nobody is suspected the training
    data are not used, for the poisons would be among them. Assumes that the trigger is near enough to the real one.

    No paper of its own: it is the defence that retraining with triggered samples under their true labels is known as.
    Shares and epochs are those of this project's feasibility study. With the trigger a sample shall be answered as the
    model answers it without, mixed with its label.
    """

    epochs: int = 2
    least_steps: int = 40
    learning_rate: float = 0.02
    distillation: float = 0.9
    samples: int = 10_000
    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require("adversarial-training", samples=(self.samples, FEWEST, float("inf")), share=(self.share, 0.01, 1.0))

    def lacks(self, given: Given) -> str:
        """A trigger, and samples to put it on."""
        if not given.triggers:
            return "no trigger was given, recovered or supposed"
        if not can_keep(given):
            return f"there are not {FEWEST} samples that are trusted, or left of the training data without suspects"
        return ""

    def mend(self, work: Work) -> Mended:
        """Put the trigger on a share and fine-tune on both."""
        kept, triggers = kept_samples(work.given, self.samples, work.seed), work.given.triggers_in_shares
        assert kept is not None
        plain = as_before(work, kept.data, self.distillation)
        again = plain.in_spite_of(triggers, self.share, work.seed + 1)
        lesson = plain + again
        epochs = tune(work, lesson.data, self, stage="adversarial-training", goals=lesson.goals)
        one = len(work.given.triggers) == 1
        said = (
            f"fine-tuned {epochs} epochs on {kept.trusted:,} trusted and {kept.unflagged:,} unflagged samples",
            f"{'the trigger was' if one else 'triggers were'} put on {len(again.data):,} of them under "
            "their own labels",
        )
        suspects = len(work.given.suspects) if kept.unflagged else 0
        return Mended(Used(kept.trusted, kept.unflagged, suspects, trigger=True), said)
