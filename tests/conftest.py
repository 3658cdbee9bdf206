"""Shape and type annotations are checked while testing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

# Before anything of these rooms is imported: shapes in signatures are checked at every call.
install_import_hook(["bezoar.triggers", "bezoar.metrics", "bezoar.training"], "shape_check.check")


@pytest.fixture(autouse=True)
def _one_thread():
    # Two threads wait for each other by spinning, which on a busy machine makes the suite many times slower.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data named by BEZOAR_DATA; the test skips without it."""
    folder = os.environ.get("BEZOAR_DATA")
    if not folder:
        pytest.skip("BEZOAR_DATA is not set")
    return Path(folder).resolve()
