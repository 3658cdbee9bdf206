"""Data sets: opening, making and writing them."""

from bezoar.data.dataset import Dataset, EncodedSamples, SkippedSample
from bezoar.data.mark import DrillMark
from bezoar.data.memory import allocate
from bezoar.data.readers.arrays import from_arrays
from bezoar.data.readers.open import open_data
from bezoar.data.readers.torch_sets import from_torch_dataset
from bezoar.data.writers.write import require_free, write_data, write_folder, write_npz, write_parquet

__all__ = [
    "Dataset",
    "DrillMark",
    "EncodedSamples",
    "SkippedSample",
    "allocate",
    "from_arrays",
    "from_torch_dataset",
    "open_data",
    "require_free",
    "write_data",
    "write_folder",
    "write_npz",
    "write_parquet",
]
