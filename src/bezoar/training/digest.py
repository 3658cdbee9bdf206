"""A digest of a model's weights, by which a record says of which model it is."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over names, kinds, shapes and bytes of all parameters and buffers; "" of a model that shows none.

    The same weights under the same names give the same digest, whatever file they came from.
    """
    digest, any_seen = hashlib.sha256(), False
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):
            continue
        any_seen = True
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes() if len(flat) else b"")
    return digest.hexdigest() if any_seen else ""
