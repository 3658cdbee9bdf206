"""Attacks: a data set in, a poisoned data set and its sealed truth out; and the way back.

>>> from bezoar.attacks import create_attack
>>> attack = create_attack("patch:size=5,color=cyan,corner=top-left,mode=replace", target="bird", rate=0.01)
>>> attack.rate
0.01
"""

from bezoar.attacks.adaptive_blend import AdaptiveBlend
from bezoar.attacks.adaptive_patch import AdaptivePatch
from bezoar.attacks.all_to_all import AllToAll
from bezoar.attacks.base import ATTACKS, Attack, Backdoor, Originals, Poisoned, Progress, attack_spec, trigger_spec
from bezoar.attacks.bpp import Bpp
from bezoar.attacks.change import Change, Plan, prepared, stamped
from bezoar.attacks.clean_label import CleanLabel, CleanLabelAttack
from bezoar.attacks.compose import compose, trigger_saturation
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.dirty_label import DirtyLabel
from bezoar.attacks.feature_matching import FeatureMatching
from bezoar.attacks.gradient_matching import GradientMatching
from bezoar.attacks.hidden_trigger import HiddenTrigger
from bezoar.attacks.input_aware import InputAwareAttack
from bezoar.attacks.label_consistent import LabelConsistent
from bezoar.attacks.low_frequency import LowFrequencyAttack
from bezoar.attacks.narcissus import Narcissus
from bezoar.attacks.sample_specific import SampleSpecificAttack
from bezoar.attacks.sealed import SealedTruth, load_truth, open_truth
from bezoar.attacks.several_triggers import SeveralTriggers
from bezoar.attacks.sig import Sig
from bezoar.attacks.source_specific import SourceSpecific
from bezoar.attacks.specs import create_attack
from bezoar.attacks.truth_file import default_truth_path, save_truth
from bezoar.attacks.undo import undo
from bezoar.attacks.wanet import WaNet

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
    "WaNet",
    "attack_spec",
    "compose",
    "create_attack",
    "default_truth_path",
    "load_truth",
    "open_truth",
    "prepared",
    "save_truth",
    "stamped",
    "trigger_saturation",
    "trigger_spec",
    "undo",
]
