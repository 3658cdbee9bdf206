"""A drill multiplied: attacks and seeds, resumable, as a table; and scans of poisoned and honest sets likewise."""

from bezoar.bench.config import BenchConfig, Cell, cells, read_config
from bezoar.bench.grid import finished, run_grid
from bezoar.bench.results import CellResult
from bezoar.bench.scan_config import ScanBenchConfig, ScanCell, is_scan_config, read_scan_config
from bezoar.bench.scan_grid import all_cells, chosen_cells, finished_scans, run_scans
from bezoar.bench.scan_results import ScanResult
from bezoar.bench.scan_table import scan_tables
from bezoar.bench.table import into_page, markdown_table

__all__ = [
    "BenchConfig",
    "Cell",
    "CellResult",
    "ScanBenchConfig",
    "ScanCell",
    "ScanResult",
    "all_cells",
    "cells",
    "chosen_cells",
    "finished",
    "finished_scans",
    "into_page",
    "is_scan_config",
    "markdown_table",
    "read_config",
    "read_scan_config",
    "run_grid",
    "run_scans",
    "scan_tables",
]
