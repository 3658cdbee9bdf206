"""Attacks: a data set in, a poisoned data set and its sealed truth out; and the way back.

>>> from bezoar.attacks import create_attack
>>> attack = create_attack("patch:size=5,color=cyan,corner=top-left,mode=replace", target="bird", rate=0.01)
>>> attack.relabelling(("airplane", "bird"))
{0: 1}
"""

from bezoar.attacks.base import ATTACKS, Attack, Originals, Poisoned, attack_spec, trigger_spec
from bezoar.attacks.compose import Plan, compose
from bezoar.attacks.dirty_label import DirtyLabel
from bezoar.attacks.sealed import SealedTruth, load_truth, open_truth
from bezoar.attacks.specs import create_attack
from bezoar.attacks.truth_file import default_truth_path, save_truth
from bezoar.attacks.undo import undo

__all__ = [
    "ATTACKS",
    "Attack",
    "DirtyLabel",
    "Originals",
    "Plan",
    "Poisoned",
    "SealedTruth",
    "attack_spec",
    "compose",
    "create_attack",
    "default_truth_path",
    "load_truth",
    "open_truth",
    "save_truth",
    "trigger_spec",
    "undo",
]
