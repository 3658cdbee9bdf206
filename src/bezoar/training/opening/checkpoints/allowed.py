"""What the pickle of a state dict may name, and nothing else.

Much narrower than what torch itself allows with weights_only: no classes that take memory when called, no codecs, no
tensor subclasses. Names are "module name", as pickle writes them.
"""

from __future__ import annotations

import torch

ORDERED_DICT = "collections OrderedDict"
COUNTER = "collections Counter"
REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
REBUILD_OLD_TENSOR = "torch._utils _rebuild_tensor"
REBUILD_PARAMETER = "torch._utils _rebuild_parameter"
SIZE = "torch Size"
DEVICE = "torch device"

CALLED = (ORDERED_DICT, COUNTER, REBUILD_TENSOR, REBUILD_OLD_TENSOR, REBUILD_PARAMETER, SIZE, DEVICE)

STORAGES = {
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
"""Kinds of storage by the name in the pickle, and the numbers in them."""

NUMBER_FORMATS = tuple(str(kind).replace(".", " ") for kind in STORAGES.values())

ALLOWED = frozenset((*CALLED, *STORAGES, *NUMBER_FORMATS))


def is_of_a_module(name: str) -> bool:
    """Whether a global shows that a whole network was pickled: a layer, or a class of the author's own script."""
    return name.startswith(("torch.nn.modules.", "__main__ "))
