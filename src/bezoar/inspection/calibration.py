"""What statistics are high: cuts for each detector, chosen on models of the zoo that were named for choosing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bezoar.records import from_json
from bezoar.registry import split_spec


@dataclass(frozen=True)
class Cut:
    """Above `suspicious` a class is nominated; None for a detector that is told and nominates nobody."""

    detector: str
    suspicious: float | None


@dataclass(frozen=True)
class ModelCalibration:
    """Cuts, and how many clean models they were tried on afterwards, of which so many have a class above one."""

    cuts: tuple[Cut, ...]
    clean_models: int
    alarms: int
    networks: str

    def cut(self, detector: str) -> float | None:
        """The cut of a detector, None where it has none."""
        name = split_spec(detector, frozenset(one.detector for one in self.cuts))[0]
        return next((one.suspicious for one in self.cuts if one.detector == name), None)

    @property
    def sentence(self) -> str:
        """How often models without a backdoor are suspected, on what that rests."""
        return (
            f"{self.alarms} of {self.clean_models} models without a backdoor ({self.networks}) that had no part in "
            "choosing the cuts got a finding"
        )


@cache
def model_calibration() -> ModelCalibration:
    """The calibration that comes with bezoar."""
    text = files("bezoar.inspection").joinpath("calibration.json").read_text(encoding="utf-8")
    return from_json(ModelCalibration, text, origin="calibration.json")
