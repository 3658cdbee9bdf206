"""Data-parallel training under `torchrun`: who am I, and the group I train with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Group:
    """One process among those that train together."""

    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the group; the model itself when alone."""
        return DistributedDataParallel(model) if self.ranks > 1 else model

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over the group."""
        if self.ranks > 1:
            dist.all_reduce(values)
        return values


def is_first_process() -> bool:
    """Whether this process writes files: it runs alone, or is the first of those torchrun started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def training_group(device: torch.device) -> Iterator[Group]:
    """The group that `torchrun` describes in the environment, or this process alone."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks <= 1:
        yield Group()
        return
    already = dist.is_initialized()
    if not already:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), ranks)
    finally:
        if not already:
            dist.destroy_process_group()
