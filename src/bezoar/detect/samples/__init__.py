"""Detectors of suspicious samples, one a file. Each is a pure function of evidence."""

from bezoar.detect.samples import (  # noqa: F401  importing registers
    activation_clustering,
    asset,
    beatrix,
    confusion,
    contamination,
    disagreement,
    dynamics,
    hidden_pattern,
    layer_clustering,
    roni,
    shared_pixels,
    spectral,
    spectre,
    strip,
)
