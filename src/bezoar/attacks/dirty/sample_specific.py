"""Sample specific (ISSBA): a secret string hidden in each image by an encoder learnt on the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.dirty.learnt_dirty_label import LearntDirtyLabel
from bezoar.attacks.fields import require_whole
from bezoar.attacks.learning.hiding import learn_hiding
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.training.precision import choose_device
from bezoar.triggers.about import About
from bezoar.triggers.networks import require_side
from bezoar.triggers.sample_specific import SMALLEST, SampleSpecific


@ATTACKS.register("sample-specific")
@dataclass(frozen=True, kw_only=True)
class SampleSpecificAttack(LearntDirtyLabel):
    """Learns to hide a secret string in images, then hides one string in each poison and relabels it.

    An encoder and a decoder are learnt together, for `steps` batches of `batch` images and random strings of `bits`
    bits, on at most `images` of the data (see `hiding`). The encoder, `width` channels wide, and one string drawn
    from the seed are the trigger: the string stands for the target, and the residual that carries it is another one
    on each image. The last word to `progress` says how many bits could be read from images held out.

    Li et al. 2021, "Invisible Backdoor Attack with Sample-Specific Triggers", arXiv 2012.03816, whose encoder is that
    of StegaStamp, Tancik et al. 2020, arXiv 1904.05343. Deviations: smaller networks for smaller images, learnt in
    minutes; structural similarity (SSIM) in place of LPIPS, which needs weights trained elsewhere; no critic; the
    losses on the image grow only while the string is read well, not by a fixed timetable; a loss on the likeness of
    two residuals that hide the same string, without which such small networks put nearly one and the same residual on
    all images; nothing simulates printing or compression.
    """

    bits: int = 20
    width: int = 16
    steps: int = 1500
    batch: int = 32

    about: ClassVar[About] = SampleSpecific.about

    def __post_init__(self) -> None:
        super().__post_init__()
        SampleSpecific(bits=self.bits, width=self.width)
        require_whole("steps", self.steps, 1)
        if self.batch < 2:
            raise AttackError(
                "sample-specific: batch is out of range",
                expected="2 or more, for two images hide the same string",
                found=str(self.batch),
            )

    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> SampleSpecific:
        """The encoder learnt on the data, and a secret."""
        require_side("sample-specific", SMALLEST, data.inputs[:1])
        hiding = learn_hiding(
            data.inputs,
            bits=self.bits,
            width=self.width,
            steps=self.steps,
            batch=self.batch,
            seed=seed,
            device=choose_device(self.device),
            progress=progress,
        )
        trigger = SampleSpecific(bits=self.bits, width=self.width)
        return trigger.with_tensors({"secret": hiding.secret, **hiding.encoder.state_dict()})
