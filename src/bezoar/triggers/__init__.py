"""Triggers: pure functions on a batch, one file a family. Importing this room registers them all.

>>> import torch
>>> from bezoar.triggers import TRIGGERS
>>> trigger = TRIGGERS.create("patch:size=5,color=cyan,corner=top-left,mode=replace")
>>> trigger(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))[0, :, 0, 0].tolist()
[0, 255, 255]
"""

from bezoar.triggers.base import TRIGGERS, ImageTrigger, StampTrigger, Trigger, VaryingTrigger, check_batch
from bezoar.triggers.blend import Blend
from bezoar.triggers.callables import CallableTrigger
from bezoar.triggers.checkerboard import Checkerboard
from bezoar.triggers.corners import Corners
from bezoar.triggers.frequency import Frequency
from bezoar.triggers.input_aware import InputAware
from bezoar.triggers.insert import ImageInsert
from bezoar.triggers.learnt_patch import LearntPatch
from bezoar.triggers.low_frequency import LowFrequency
from bezoar.triggers.narcissus import NarcissusNoise
from bezoar.triggers.patch import Patch
from bezoar.triggers.pieces import Pieces
from bezoar.triggers.pixel import SinglePixel
from bezoar.triggers.quantise import Quantise
from bezoar.triggers.reflection import Reflection
from bezoar.triggers.sample_specific import SampleSpecific
from bezoar.triggers.saturation import saturation, warn_if_saturated
from bezoar.triggers.sinusoid import Sinusoid
from bezoar.triggers.stamp import Stamp, adding, blending
from bezoar.triggers.sticker import Sticker
from bezoar.triggers.together import Together, together
from bezoar.triggers.trojan import TrojanMark
from bezoar.triggers.warp import Warp
from bezoar.triggers.watermark import Watermark

__all__ = [
    "TRIGGERS",
    "Blend",
    "CallableTrigger",
    "Checkerboard",
    "Corners",
    "Frequency",
    "ImageInsert",
    "ImageTrigger",
    "InputAware",
    "LearntPatch",
    "LowFrequency",
    "NarcissusNoise",
    "Patch",
    "Pieces",
    "Quantise",
    "Reflection",
    "SampleSpecific",
    "SinglePixel",
    "Sinusoid",
    "Stamp",
    "StampTrigger",
    "Sticker",
    "Together",
    "Trigger",
    "TrojanMark",
    "VaryingTrigger",
    "Warp",
    "Watermark",
    "adding",
    "blending",
    "check_batch",
    "saturation",
    "together",
    "warn_if_saturated",
]
