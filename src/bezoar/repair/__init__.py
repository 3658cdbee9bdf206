"""Repairs: a model and what a defender has in, a new model out. Nothing here knows the truth or an attack."""

from bezoar.repair import methods  # noqa: F401  importing registers
from bezoar.repair.base import REPAIRS, ModelRepair, Repair, Repaired, Used
from bezoar.repair.given import Given
from bezoar.repair.meter import Cost

__all__ = ["REPAIRS", "Cost", "Given", "ModelRepair", "Repair", "Repaired", "Used"]
