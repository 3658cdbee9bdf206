"""By which detectors repairs search, and what counts as a trigger that stands out: what an inspection goes by."""

from __future__ import annotations

from bezoar.inspection.calibration import model_calibration
from bezoar.inspection.settings import PANEL
from bezoar.repair.checks import Bar


def calibrated_bars() -> tuple[Bar, ...]:
    """The detectors of an inspection that may nominate a class, each with its calibrated cut."""
    calibration = model_calibration()
    return tuple(Bar(one, cut) for one in PANEL if (cut := calibration.cut(one)) is not None)
