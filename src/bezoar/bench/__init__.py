"""A drill multiplied: attacks and seeds, resumable, as a table."""

from bezoar.bench.config import BenchConfig, Cell, read_config
from bezoar.bench.grid import run_grid
from bezoar.bench.results import CellResult
from bezoar.bench.table import markdown_table

__all__ = ["BenchConfig", "Cell", "CellResult", "markdown_table", "read_config", "run_grid"]
