"""Detectors of backdoored models, registered by name."""

from bezoar.detect.models import channel_bounds, inversions, last_layer, mm_bd, stamp_probing  # noqa: F401  importing registers
