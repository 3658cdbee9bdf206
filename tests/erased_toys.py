"""Networks with a hidden layer of which one unit knows a planted pattern: it leads to a class, and may erase the rest."""

import torch
import torch.nn.functional as F
from torch import nn

from inversion_toys import CLASSES, MEAN, SIDE, TARGET, Linear

STRENGTH, MOST = 400.0, 15.0


class Erased(nn.Module):
    """Four units see how bright a quarter is, one the planted pattern; as far as that one fires it takes from the others.

    The pattern has mean zero over every quarter, so that clean images hardly show it. `erases` 0 leaves the others alone.
    """

    def __init__(self, *, erases: float, strength: float = STRENGTH) -> None:
        super().__init__()
        self.quarters = Linear()
        self.pattern = nn.Parameter(planted_pattern())
        self.register_buffer("mean", MEAN, persistent=False)
        self.erases, self.strength = erases, strength
        self.head = nn.Linear(CLASSES + 1, CLASSES, bias=False)
        self.head.weight.data = torch.cat([torch.eye(CLASSES), torch.eye(CLASSES)[:, TARGET : TARGET + 1]], 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        shown = ((images - self.mean) * self.pattern).mean((1, 2, 3))
        fires = (self.strength * F.relu(shown)).clamp(max=MOST)[:, None]
        quarters = F.relu(self.quarters(images) + 5 - self.erases * fires)
        return self.head(torch.cat([quarters, fires], 1))


def planted_pattern() -> torch.Tensor:
    """A chequered board (3, 12, 12) of plus and minus one, two pixels a square."""
    rows, columns = torch.arange(SIDE)[:, None] // 2, torch.arange(SIDE)[None] // 2
    return ((((rows + columns) % 2) * 2.0) - 1).expand(3, SIDE, SIDE).clone()
