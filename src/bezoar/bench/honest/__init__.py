"""Data without a backdoor, on which a scan must stay silent: the false-alarm suite, one honest oddity a case."""

from bezoar.bench.honest.case import CALIBRATION_KINDS, HonestCase
from bezoar.bench.honest.suite import HONEST_CASES, honest_case

__all__ = ["CALIBRATION_KINDS", "HONEST_CASES", "HonestCase", "honest_case"]
