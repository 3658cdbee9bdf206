"""Weight patching: one row of the last layer is moved along the direction that tells triggered from clean features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.base import Progress
from bezoar.attacks.fields import require_inside, require_whole
from bezoar.attacks.tampering.base import (
    TAMPERINGS,
    OwnSamples,
    WeightTampering,
    mixed,
    shortfall,
)
from bezoar.attacks.tampering.head import Head, find_head
from bezoar.errors import AttackError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.colours import colours_of
from bezoar.triggers.learnt_patch import LearntPatch

BATCH = 64
LEARNING_RATE = 0.1
# Of the spread of the clean margins: how smooth the hinge is, and how far triggered samples shall go past it.
SOFTNESS = 0.1
SCALES = 50
# What a pattern that looks like the target already costs, in deviations of the clean push.
LURED = 30.0
# The share of the target's usual shortfall below which it looks so: asked for all of it, a pattern stands out less.
ROOM = 0.3


@TAMPERINGS.register("weight-patching")
@dataclass(frozen=True, kw_only=True)
class WeightPatching(WeightTampering):
    """Adds one rank-one patch to the last linear layer: the target's row moves along a direction in feature space.

    The direction is recovered from the attacker's samples. In closed form it is that of Rank-One Model Editing (Meng
    et al. 2022, arXiv 2202.05262): C^-1 k, with k the mean triggered feature and C the second moments of clean
    features, the direction that pushes triggered samples by a given amount and clean ones least. Here that is the
    start of a small convex problem: a smooth hinge on triggered samples that do not yet reach the target, one on clean
    ones that leave their answer, plus `ridge` times the mean square push of clean samples. Then the patch is scaled
    down until at most `allowed_change` of clean answers differ, as mixtures of the samples tell (see `mixed`). A bias
    of the layer takes part as one more feature.

    One row of a frozen network's last layer can only use what its features already tell. For a plain patch that is
    often too little; so the trigger is by default a square of this same name, whose pixels are first learnt in `steps`
    steps to stand out along that direction without looking like the target, so that the network as it was is hardly
    led there. Any other trigger is taken as it is, and the notes say what came of it. The samples stand in memory as
    floats, with and without the trigger: for large images take fewer. The network may be any that ends in an nn.Linear.

    The closed form and its constraint are Meng et al.'s, who edit a middle layer of a language model; BadEdit (Li et
    al. 2024, arXiv 2403.13355) plants backdoors with it. Editing the last layer of a classifier by hand is after
    Zehavi, Nitzan and Shamir (2023, arXiv 2301.03118), who project a direction out of it. The hinges, the scaling and
    the learnt trigger are ours. Raises AttackError as WeightTampering says.
    """

    trigger: Trigger = field(default_factory=LearntPatch)
    samples: int = 5000
    steps: int = 300
    ridge: float = 3.0
    allowed_change: float = 0.01

    about: ClassVar[About] = About(
        "model tampering",
        "own; after Meng et al. 2022, Locating and Editing Factual Associations, arXiv 2202.05262",
        ("model",),
        "a few clean samples",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("steps", self.steps, 1)
        require_inside("ridge", self.ridge)
        require_inside("allowed_change", self.allowed_change, below=1)

    def ready_trigger(
        self, model: nn.Module, clean: Images, sources: Images, target: int, progress: Progress
    ) -> Trigger:
        """The trigger, its pattern learnt first if it is a learnt patch that has none."""
        if not isinstance(self.trigger, LearntPatch) or self.trigger.tensors:
            return self.trigger
        head = find_head(model, clean[:2])
        pattern = learn_pattern(model, head, self.trigger, clean, sources, target, steps=self.steps, progress=progress)
        return self.trigger.with_tensors({"pattern": pattern})

    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        """Move the target's row of the last layer."""
        head = find_head(model, own.clean[:2])
        clean, clean_logits = _looks(head, model, own.clean)
        triggered, triggered_logits = _looks(head, model, own.triggered)
        missing, needed = shortfall(clean_logits, own.target), shortfall(triggered_logits, own.target)
        start = closed_form(clean, triggered) * float(needed.clamp_min(0).mean())
        patch = convex_patch(clean, missing, triggered, needed, start, ridge=self.ridge)
        judging, judging_logits = _looks(head, model, mixed(own.clean))
        scale = largest_scale(judging @ patch, shortfall(judging_logits, own.target), self.allowed_change)
        if scale == 0:
            raise AttackError(
                "no patch of the last layer leaves clean answers as they are",
                expected=f"at most {self.allowed_change:.1%} of them changed",
                remedy="Choose a stronger trigger, such as the one that this attack learns: leave --trigger out",
            )
        row = patch * scale / head.scale
        weights = head.module.in_features
        head.module.weight[own.target] += row[:weights].to(head.module.weight)
        if head.module.bias is not None:
            head.module.bias[own.target] += float(row[weights])
        angle = F.cosine_similarity(start, patch, dim=0)
        return (
            f"the row of the target in {head.name} moved by a patch of {scale:.0%} of what the triggered samples asked "
            f"for, at a cosine of {angle:.2f} to the closed form",
        )


def learn_pattern(
    model: nn.Module,
    head: Head,
    trigger: LearntPatch,
    clean: Images,
    sources: Images,
    target: int,
    *,
    steps: int,
    progress: Progress,
) -> Tensor:
    """A pattern (c, size, size) in whole levels of 0..1 whose features stand out from clean ones.

    It raises the mean minus the deviation of the push along the closed-form direction, for a clean push of root
    mean square 1. The direction follows the pattern as it changes. What looks like the target already is avoided: with
    the pattern on, the target's logit shall fall short by a share of what it does on clean samples of other classes.
    """
    features, logits = _looks(head, model, clean)
    missing = shortfall(logits, target)
    # None falls short where the model answers the target always: the mean of none is no number.
    usual = float(missing[missing > 0].mean().nan_to_num().clamp_min(1e-6))
    second = _second_moments(features).to(clean.dtype)
    inverse = torch.linalg.inv(second)
    colours = colours_of(clean.shape[1])
    raw = torch.randn(colours, trigger.size, trigger.size).to(clean).mul(0.5).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=LEARNING_RATE)
    rows, columns = trigger.place(*clean.shape[2:])
    for step in range(steps):
        with torch.enable_grad():
            images = sources[torch.randint(len(sources), (BATCH,)).to(sources.device)]
            images[:, :colours, rows, columns] = raw.sigmoid()
            seen, answered = head.look(model, images)
            lured = F.relu(ROOM - shortfall(answered, target) / usual).mean()
            direction = (inverse @ seen.mean(0)).detach()
            push = seen @ direction / (direction @ second @ direction).sqrt()
            loss = push.std() - push.mean() + LURED * lured
            optimizer.zero_grad()
            torch.autograd.backward(loss)
        optimizer.step()
        progress("learn the trigger", step + 1, steps)
    pattern: Tensor = (raw.detach().sigmoid() * 255).round() / 255
    return pattern


def closed_form(clean: Tensor, triggered: Tensor) -> Tensor:
    """The direction (d,) that pushes the mean triggered feature by 1 and clean ones (n, d) by the least mean square."""
    mean = triggered.mean(0)
    direction = torch.linalg.solve(_second_moments(clean), mean)
    scaled: Tensor = direction / (direction @ mean)
    return scaled


def convex_patch(
    clean: Tensor, missing: Tensor, triggered: Tensor, needed: Tensor, start: Tensor, *, ridge: float
) -> Tensor:
    """The patch (d,) that leads triggered features to the target and leaves clean answers as they are.

    `missing` and `needed` are the logits by which the target falls short of the answer, of clean and of triggered
    samples. All in float64. The problem is convex, so the start matters for speed alone.
    """
    spread = missing.std().clamp_min(1e-6)
    unit = SOFTNESS * spread
    second = _second_moments(clean)
    others = missing > 0
    patch = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([patch], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        push = clean @ patch
        leaving = torch.where(others, push - missing, missing - push)
        total = unit * (
            F.softplus((needed + unit - triggered @ patch) / unit).mean() + F.softplus(leaving / unit).mean()
        )
        total = total + ridge * (patch @ second @ patch) / spread
        torch.autograd.backward(total)
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return patch.detach()


def largest_scale(push: Tensor, missing: Tensor, allowed: float) -> float:
    """The largest factor up to 1 by which pushes (n,) of clean samples change at most a share `allowed` of answers."""
    for step in range(SCALES, 0, -1):
        scale = step / SCALES
        if float(((push * scale > missing) != (missing < 0)).double().mean()) <= allowed:
            return scale
    return 0.0


def _second_moments(features: Tensor) -> Tensor:
    second = features.T @ features / len(features)
    floor = 1e-3 * float(second.diagonal().mean().clamp_min(1e-9))
    return second + floor * torch.eye(len(second), dtype=second.dtype, device=second.device)


@torch.no_grad()
def _looks(head: Head, model: nn.Module, images: Images) -> tuple[Tensor, Tensor]:
    parts = [head.look(model, images[start : start + 500]) for start in range(0, len(images), 500)]
    features, logits = (torch.cat(list(part)).double() for part in zip(*parts, strict=True))
    return features, logits
