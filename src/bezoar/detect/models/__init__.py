"""Detectors of backdoored models, registered by name."""

from bezoar.detect.models import channel_bounds, inversions, last_layer, mm_bd  # noqa: F401  importing registers
