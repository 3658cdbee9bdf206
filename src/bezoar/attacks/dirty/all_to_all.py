"""All to all: every class leads to the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from bezoar.attacks.base import ATTACKS
from bezoar.attacks.choose import Relabel
from bezoar.attacks.dirty.dirty_label import DirtyLabel
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.patch import Patch

TEXTBOOK = Patch()


@ATTACKS.register("all-to-all")
@dataclass(frozen=True, kw_only=True)
class AllToAll(DirtyLabel):
    """Stamps samples of all classes and labels each as the next class, the last one as the first.

    No class is the target, which blinds defences that look for one. It is dirty-label with relabel=all-to-all:
    any trigger, and `sources` may limit the classes. Harder to learn than one target, so it needs a
    larger rate. Gu et al. 2017, BadNets, arXiv 1708.06733. Raises AttackError for a target.
    """

    trigger: Trigger = TEXTBOOK
    relabel: Relabel = field(default="all-to-all", init=False)

    about: ClassVar[About] = About("evasive", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target is not None:
            raise AttackError(
                "an all-to-all attack has no single target",
                found=f"target {self.target!r}",
                remedy="Leave the target out, or use dirty-label",
            )
