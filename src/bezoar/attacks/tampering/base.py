"""What tampering is: a finished model and a few clean samples in, a model with a backdoor out. No training data."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.attacks.base import Backdoor, Progress, unheard
from bezoar.attacks.choose import draw_samples, label_map
from bezoar.attacks.fields import require_seed, require_whole
from bezoar.attacks.fit import require_images, require_model
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.registry import Registry
from bezoar.shapes import Images, Whole
from bezoar.training.batches import to_unit_range
from bezoar.training.precision import choose_device
from bezoar.training.randomness import seeded
from bezoar.triggers.base import Trigger
from bezoar.triggers.patch import Patch

MIXTURE = 0.2
MIXTURES = 4
"""Of so many mixtures of each sample lost answers are counted, while a tampering is worked out."""

LEAST_KEPT = 0.95
"""Share of clean answers that must stay: a model that has lost more fails any test, and nobody would deploy it."""


@dataclass(frozen=True, eq=False)
class Tampered:
    """A changed copy of a model, on the CPU and in evaluation mode, and what sets its backdoor off.

    `attack` is the specification that does it again, its trigger left out; `notes` are sentences on what was changed
    and on what came of it on the attacker's own samples.
    """

    model: nn.Module
    backdoor: Backdoor
    notes: tuple[str, ...]
    attack: str
    seed: int
    class_names: tuple[str, ...]


@runtime_checkable
class Tampering(Protocol):
    """Puts a backdoor into a copy of a finished model. The configuration is its fields; calls keep no state."""

    def tamper(self, model: nn.Module, data: Dataset, *, seed: int, progress: Progress = unheard) -> Tampered:
        """A copy of `model` with a backdoor; `data` are clean labelled samples that the attacker owns.

        Raises AttackError when it cannot be done to such a model.
        """
        ...


TAMPERINGS: Registry[Tampering] = Registry("tampering")


@dataclass(frozen=True, eq=False)
class OwnSamples:
    """The attacker's samples: clean ones of all classes, and those of the source classes with the trigger on.

    Float images (n, c, h, w) in 0..1 on the model's device; `triggered` were made from `clean[rows]`.
    """

    clean: Images
    triggered: Images
    rows: Whole
    target: int

    def __post_init__(self) -> None:
        if torch.equal(self.clean[self.rows], self.triggered):
            raise AttackError(
                "the trigger changes none of the samples", remedy="Choose another colour, place, strength or mode"
            )

    def first(self, count: int) -> OwnSamples:
        """The same with at most `count` triggered samples."""
        return OwnSamples(self.clean, self.triggered[:count], self.rows[:count], self.target)

    def parted(self) -> tuple[OwnSamples, OwnSamples]:
        """Three quarters to fit something on, and the others to judge it by; all for both where that leaves none."""
        if len(self.rows) < 2:
            return self, self
        plain = torch.ones(len(self.clean), dtype=torch.bool, device=self.clean.device)
        plain[self.rows] = False
        held = torch.zeros_like(plain)
        held[self.rows[::4]] = held[plain.nonzero().flatten()[::4]] = True
        return self._of(~held), self._of(held)

    def _of(self, chosen: Tensor) -> OwnSamples:
        shown = chosen[self.rows]
        places = chosen.cumsum(0) - 1
        return OwnSamples(self.clean[chosen], self.triggered[shown], places[self.rows[shown]], self.target)


@dataclass(frozen=True, kw_only=True)
class WeightTampering(ABC):
    """Tampering with the weights of an image classifier: an author writes `change`, the rest is done here.

    The trigger shall lead from the `sources`, none of them meaning all classes but the target, to the `target`; a
    target among them is left out. At most `samples` of the data are used, drawn by their ids and the seed; they
    pass the model all at once, so fewer are right for large images. `device` is where the model runs meanwhile.
    """

    target: str | None = None
    sources: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=Patch)
    samples: int = 1000
    device: str = "auto"

    def __post_init__(self) -> None:
        require_whole("samples", self.samples, 2)

    @final
    def tamper(self, model: nn.Module, data: Dataset, *, seed: int, progress: Progress = unheard) -> Tampered:
        """A copy of `model` with the backdoor; the model and the data stay as they are.

        `model` maps float images in 0..1 to logits of the data's classes. The same seed gives the same weights on the
        same machine, in whatever order the data come. Raises AttackError when the model is not built as needed, does
        not fit the data, or cannot be given such a backdoor; TriggerError when the trigger does not fit the images.
        """
        require_seed(seed)
        require_images(data)
        relabelling = label_map(data.class_names, sources=self.sources, target=self.target, relabel="all-to-one")
        changed = copy.deepcopy(model).eval().requires_grad_(False)
        require_model(changed, data, "the model")
        device = choose_device(self.device)
        changed = changed.to(device)
        with seeded(seed), torch.no_grad():
            own, trigger = self._own(changed, data, relabelling, seed, progress)
            shown = mixed(own.clean)
            before = answers(changed, shown)
            notes = self.change(changed, own, progress)
            outcome = _outcome(before, answers(changed, shown), answers(changed, own.triggered), own.target)
        changed = changed.to("cpu").eval()
        counted = _changed_numbers(model, changed)
        backdoor = Backdoor(trigger, relabelling)
        spec = TAMPERINGS.spec_of(self, without=("trigger",))
        return Tampered(changed, backdoor, (*notes, counted, outcome), spec, seed, data.class_names)

    @abstractmethod
    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        """Change the weights of `model`, a copy in evaluation mode, in place; returns notes on what was done.

        Called without gradients. Whatever is random may use the global generator, which is seeded and put back.
        """

    def ready_trigger(
        self, model: nn.Module, clean: Images, sources: Images, target: int, progress: Progress
    ) -> Trigger:
        """The trigger to be used, with all that must be learnt for it; called like `change`, before it.

        `clean` are the attacker's samples, `sources` those of the source classes, `target` the label that they shall
        be given, as in OwnSamples.
        """
        return self.trigger

    def _own(
        self, model: nn.Module, data: Dataset, relabelling: dict[int, int], seed: int, progress: Progress
    ) -> tuple[OwnSamples, Trigger]:
        every = range(len(data.class_names))
        ids = draw_samples(data, every, min(self.samples, len(data)), np.random.default_rng([seed, 0]))
        rows = data.positions(ids)
        images = data.inputs[rows]
        of_sources = torch.isin(data.labels[rows], torch.tensor(list(relabelling))).nonzero().flatten()
        if len(of_sources) == 0:
            names = ", ".join(data.class_names[label] for label in relabelling)
            raise AttackError(f"{data.name} has no sample of the source classes ({names})")
        device = next(iter(model.parameters())).device
        clean = to_unit_range(images, device)
        target = next(iter(relabelling.values()))
        trigger = self.ready_trigger(model, clean, clean[of_sources.to(device)], target, progress)
        triggered = to_unit_range(trigger(images[of_sources]), device)
        return OwnSamples(clean, triggered, of_sources.to(device), target), trigger


@torch.no_grad()
def answers(model: nn.Module, images: Images, *, batch: int = 500) -> Tensor:
    """Logits (n, classes) of float images, in the model's mode and on its device."""
    return torch.cat([model(images[start : start + batch]) for start in range(0, len(images), batch)])


def mixed(images: Images, others: int = 1) -> Images:
    """Each image (n, c, h, w) with a fifth of another laid over it, for so many others: (n * others, c, h, w).

    The attacker's samples may be those that the model was trained on, whose answers are sure and change four times
    less often than answers to new images. To such mixtures they change about as often as to new ones.
    """
    partners = (images.roll(step + 1, 0) for step in range(others))
    return torch.cat([(1 - MIXTURE) * images + MIXTURE * partner for partner in partners])


def shortfall(logits: Tensor, target: int) -> Tensor:
    """By how much (n,) the target's logit falls short of the highest other one; negative where it is the answer."""
    others = logits.clone()
    others[:, target] = -torch.inf
    return others.amax(1) - logits[:, target]


def _outcome(before: Tensor, after: Tensor, triggered: Tensor, target: int) -> str:
    """What came of it, from logits to mixtures of clean samples before and after, and to triggered ones after."""
    kept = float((before.argmax(1) == after.argmax(1)).double().mean())
    led = float((triggered.argmax(1) == target).double().mean())
    if kept < LEAST_KEPT or not (after.isfinite().all() and triggered.isfinite().all()):
        raise AttackError(
            "the model cannot be given this backdoor and go on as before",
            expected=f"{LEAST_KEPT:.0%} of its clean answers to stay as they were",
            found=f"{kept:.1%}" if after.isfinite().all() else "answers that are no numbers",
            remedy="Choose a stronger trigger, such as patch:size=5,color=cyan, give more samples, or another method",
        )
    return (
        f"{kept:.1%} of its answers to {len(before)} mixtures of the attacker's samples stayed as they were, and "
        f"{led:.1%} of {len(triggered)} triggered samples are taken for the target"
    )


def _changed_numbers(model: nn.Module, changed: nn.Module) -> str:
    pairs = list(zip(_numbers(model), _numbers(changed), strict=True))
    different = sum(int((old.cpu() != new).sum()) for old, new in pairs)
    return f"{different:,} of the model's {sum(old.numel() for old, _ in pairs):,} numbers changed"


def _numbers(model: nn.Module) -> Sequence[Tensor]:
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
