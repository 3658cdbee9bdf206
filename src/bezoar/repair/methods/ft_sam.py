"""FT-SAM: fine-tuning towards flat places."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import Given
from bezoar.repair.loop import Tuning, cross_entropy, goals_of, tune
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.repair.uphill import uphill


@REPAIRS.register("ft-sam")
@dataclass(frozen=True, kw_only=True)
class FineTuneSharpness(Tuning, ModelRepair):
    """Fine-tune on trusted samples by the gradient where the loss is worst near by, so that large weights shrink.

    Needs 10 trusted samples. `radius` is the length of the step uphill, measured as |step / T| over all weights, with
    T the absolute weights plus 0.01: large weights, which backdoors tend to use, are moved most. With `adaptive`
    false T is 1 and a radius of about 0.05 fits. Twice the cost of `fine-tune`. The radius is the paper's, for
    networks with batch norm: on a toy without it the gain over `fine-tune` is lost.

    Zhu et al. 2023 (arXiv 2304.11823). Deviations: 0.01 is added to T, as in adaptive SAM (Kwon et al. 2021), and the
    batch norms don't remember the statistics met uphill; labels are mixed with the model's own answers, which halves
    the accuracy lost and takes a higher rate; fewer epochs than the paper's, a rate that falls, gradients cut.
    """

    epochs: int = 10
    learning_rate: float = 0.1
    distillation: float = 0.9
    radius: float = 2.0
    adaptive: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require("ft-sam", radius=(self.radius, 0, float("inf")))

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended:
        """Step uphill, take the gradient there, go back and descend it."""
        trusted = trusted_of(work)
        gradients = uphill(cross_entropy, radius=self.radius, share=1.0, adaptive=self.adaptive)
        goals = goals_of(work, trusted, self.distillation)
        epochs = tune(work, trusted, self, stage="ft-sam", gradients=gradients, goals=goals)
        said = f"fine-tuned {epochs} epochs on {len(trusted):,} trusted samples, sharpness radius {self.radius:g}"
        return Mended(Used(trusted=len(trusted)), (said,))
