"""Detectors of backdoored models, registered by name."""

from bezoar.detect.models import inversions, mm_bd  # noqa: F401  importing registers
