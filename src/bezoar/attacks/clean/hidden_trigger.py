"""Hidden trigger: poisons that look like the target class, labels right, with no trigger in any training image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, prepared
from bezoar.attacks.choose import samples_of
from bezoar.attacks.clean.clean_label import CleanLabelAttack
from bezoar.attacks.fields import derived_seed, require_whole
from bezoar.attacks.fit import require_images, require_trigger_fits
from bezoar.attacks.learning.feature_matching import FeatureMatching
from bezoar.attacks.learning.surrogate import surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger


@ATTACKS.register("hidden-trigger")
@dataclass(frozen=True, kw_only=True)
class HiddenTrigger(FeatureMatching, CleanLabelAttack):
    """Hides the trigger: target-class images whose features are those of triggered source images; labels stay right.

    The trigger itself is in no training image. A network whose last layers are trained on the poisons, on the
    features of the `surrogate` or of one much like it, takes triggered images of the `sources` for the target.
    Training from scratch learns other features and is hardly affected: there use another clean-label attack.

    `surrogate` is a run folder of `bezoar train`, a trained module of your own as `package.module:name` (in a script
    `__main__:name`), or an architecture, trained here for `surrogate_epochs`. `layer` is the name of any of its
    modules, or an index into the innermost ones such as #3 (#-1 is the last; a bare number is an index where no
    module is called so); the input of the last linear layer unless given. `device` is auto, cpu or cuda.
    The other fields say how features are matched; in Python `FeatureMatching(...).match(model, ...)` takes a module
    itself.

    Saha et al. 2019, arXiv 1910.00033. Deviations: poisons and sources are paired as well as can be (Hungarian
    method), not greedily; the gradient is scaled for each image, so that one learning rate suits features of any
    size, and far fewer rounds are enough; sources are drawn once for each batch (`redraw=1` draws them in every
    round, as in the paper, and succeeds less often here); a random place belongs to the image and is not drawn anew.
    Raises AttackError when there is no such layer (naming those there are), no source sample, or numbers are out of
    range.
    """

    trigger: Trigger
    surrogate: str = "fast"
    surrogate_epochs: int = 8
    device: str = "auto"

    about: ClassVar[About] = About(
        "clean label",
        "Saha et al. 2019, Hidden trigger, arXiv 1910.00033",
        ("samples",),
        "the network that is fine-tuned, or one like it",
    )

    def __post_init__(self) -> None:
        CleanLabelAttack.__post_init__(self)
        FeatureMatching.__post_init__(self)
        require_whole("surrogate_epochs", self.surrogate_epochs, 1)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the target class, and match their features with triggered samples of the sources."""
        require_images(data, self.trigger)
        require_trigger_fits(data, self.trigger)
        ids = self.poison_ids(data, seed=seed)
        model = surrogate_of(self, data, seed=derived_seed(seed, 10), progress=progress)
        sources = samples_of(data, self.relabelling(data.class_names))
        if not sources:
            raise AttackError(f"{data.name} has no sample of the source classes")
        targets, others = (data.inputs[data.positions(some)] for some in (ids, sources))
        matched = self.match(model, targets, others, self.trigger, seed=seed, progress=progress)
        change = prepared(ids, self.new_labels(data, ids), matched.poisons)
        return self.planned(data, (change,), self.trigger, seed=seed)
