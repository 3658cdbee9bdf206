"""Repairs measured: models with known backdoors, repaired by one method after another that are told nothing of them."""

from bezoar.bench.repairs.config import is_repairs_config, read_repairs, repair_cases, twin_of
from bezoar.bench.repairs.run import repaired_cases, run_repairs
from bezoar.bench.repairs.table import repairs_table

__all__ = [
    "is_repairs_config",
    "read_repairs",
    "repair_cases",
    "repaired_cases",
    "repairs_table",
    "run_repairs",
    "twin_of",
]
