"""Tampering: a finished model and a few clean samples in, a copy of the model with a backdoor out. No data touched.

>>> from bezoar.attacks.tampering import TAMPERINGS
>>> TAMPERINGS.names()
('handcrafted', 'subnet-replacement', 'weight-patching')
"""

from bezoar.attacks.tampering.base import TAMPERINGS, Tampered, Tampering, WeightTampering
from bezoar.attacks.tampering.handcrafted import Handcrafted
from bezoar.attacks.tampering.specs import create_tampering, is_tampering
from bezoar.attacks.tampering.subnet_replacement import SubnetReplacement
from bezoar.attacks.tampering.truth import save_tampering_truth, tampering_truth
from bezoar.attacks.tampering.weight_patching import WeightPatching

__all__ = [
    "TAMPERINGS",
    "Handcrafted",
    "SubnetReplacement",
    "Tampered",
    "Tampering",
    "WeightPatching",
    "WeightTampering",
    "create_tampering",
    "is_tampering",
    "save_tampering_truth",
    "tampering_truth",
]
