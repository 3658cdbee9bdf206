"""A drill multiplied: attacks and seeds, resumable, as a table."""

from bezoar.bench.config import BenchConfig, Cell, cells, read_config
from bezoar.bench.grid import finished, run_grid
from bezoar.bench.results import CellResult
from bezoar.bench.table import into_page, markdown_table

__all__ = [
    "BenchConfig",
    "Cell",
    "CellResult",
    "cells",
    "finished",
    "into_page",
    "markdown_table",
    "read_config",
    "run_grid",
]
