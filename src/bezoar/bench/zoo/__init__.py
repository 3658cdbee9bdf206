"""The zoo: models with and without a backdoor, trained once, on which model inspection and repair are measured."""

from bezoar.bench.zoo.build import build_zoo, built_subjects
from bezoar.bench.zoo.config import is_zoo_config, read_zoo, subjects
from bezoar.bench.zoo.inspecting import inspect_zoo, inspected
from bezoar.bench.zoo.table import zoo_table

__all__ = [
    "build_zoo",
    "built_subjects",
    "inspect_zoo",
    "inspected",
    "is_zoo_config",
    "read_zoo",
    "subjects",
    "zoo_table",
]
