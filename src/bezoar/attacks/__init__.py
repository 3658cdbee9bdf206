"""Attacks: a data set in, a poisoned data set and its sealed truth out; and the way back.

>>> from bezoar.attacks import create_attack
>>> attack = create_attack("patch:size=5,color=cyan,corner=top-left,mode=replace", target="bird", rate=0.01)
>>> attack.rate
0.01
"""

from bezoar.attacks.base import ATTACKS, Attack, Backdoor, Originals, Poisoned, Progress, attack_spec, trigger_spec
from bezoar.attacks.change import Change, Plan, prepared, stamped
from bezoar.attacks.clean.clean_label import CleanLabel, CleanLabelAttack
from bezoar.attacks.clean.gradient_matching import GradientMatching
from bezoar.attacks.clean.hidden_trigger import HiddenTrigger
from bezoar.attacks.clean.label_consistent import LabelConsistent
from bezoar.attacks.clean.narcissus import Narcissus
from bezoar.attacks.clean.sig import Sig
from bezoar.attacks.composing.compose import compose, trigger_saturation
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.dirty.all_to_all import AllToAll
from bezoar.attacks.dirty.bpp import Bpp
from bezoar.attacks.dirty.dirty_label import DirtyLabel
from bezoar.attacks.dirty.input_aware import InputAwareAttack
from bezoar.attacks.dirty.low_frequency import LowFrequencyAttack
from bezoar.attacks.dirty.sample_specific import SampleSpecificAttack
from bezoar.attacks.dirty.trojan import TrojanAttack
from bezoar.attacks.dirty.wanet import WaNet
from bezoar.attacks.evasive.adaptive_blend import AdaptiveBlend
from bezoar.attacks.evasive.adaptive_patch import AdaptivePatch
from bezoar.attacks.evasive.several_triggers import SeveralTriggers
from bezoar.attacks.evasive.source_specific import SourceSpecific
from bezoar.attacks.learning.feature_matching import FeatureMatching
from bezoar.attacks.sealing.sealed import SealedTruth, load_truth, open_truth
from bezoar.attacks.sealing.truth_file import default_truth_path, require_truth_place, save_truth
from bezoar.attacks.sealing.undo import undo
from bezoar.attacks.specs import create_attack

__all__ = [
    "ATTACKS",
    "AdaptiveBlend",
    "AdaptivePatch",
    "AllToAll",
    "Attack",
    "Backdoor",
    "Bpp",
    "Change",
    "CleanLabel",
    "CleanLabelAttack",
    "DataAttack",
    "DirtyLabel",
    "FeatureMatching",
    "GradientMatching",
    "HiddenTrigger",
    "InputAwareAttack",
    "LabelConsistent",
    "LowFrequencyAttack",
    "Narcissus",
    "Originals",
    "Plan",
    "Poisoned",
    "Progress",
    "SampleSpecificAttack",
    "SealedTruth",
    "SeveralTriggers",
    "Sig",
    "SourceSpecific",
    "TrojanAttack",
    "WaNet",
    "attack_spec",
    "compose",
    "create_attack",
    "default_truth_path",
    "load_truth",
    "open_truth",
    "prepared",
    "require_truth_place",
    "save_truth",
    "stamped",
    "trigger_saturation",
    "trigger_spec",
    "undo",
]
