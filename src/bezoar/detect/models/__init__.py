"""Detectors of backdoored models, registered by name."""

from bezoar.detect.models import (  # noqa: F401  importing registers
    bti_dbf,
    channel_bounds,
    colour_inversion,
    feature_re,
    inversions,
    last_layer,
    lone_weight,
    mm_bd,
    quiet_weights,
    stamp_probing,
    wave_probing,
)
