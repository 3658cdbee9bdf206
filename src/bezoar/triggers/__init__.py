"""Triggers: pure functions on a batch, one file a family. Importing this room registers them all.

>>> import torch
>>> from bezoar.triggers import TRIGGERS
>>> trigger = TRIGGERS.create("patch:size=5,color=cyan,corner=top-left,mode=replace")
>>> trigger(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))[0, :, 0, 0].tolist()
[0, 255, 255]
"""

from bezoar.triggers.base import TRIGGERS, ImageTrigger, StampTrigger, Trigger, check_batch
from bezoar.triggers.blend import Blend
from bezoar.triggers.callables import CallableTrigger
from bezoar.triggers.checkerboard import Checkerboard
from bezoar.triggers.insert import ImageInsert
from bezoar.triggers.learnt_patch import LearntPatch
from bezoar.triggers.patch import Patch
from bezoar.triggers.pixel import SinglePixel
from bezoar.triggers.saturation import saturation, warn_if_saturated
from bezoar.triggers.stamp import Stamp, adding, blending

__all__ = [
    "TRIGGERS",
    "Blend",
    "CallableTrigger",
    "Checkerboard",
    "ImageInsert",
    "ImageTrigger",
    "LearntPatch",
    "Patch",
    "SinglePixel",
    "Stamp",
    "StampTrigger",
    "Trigger",
    "adding",
    "blending",
    "check_batch",
    "saturation",
    "warn_if_saturated",
]
