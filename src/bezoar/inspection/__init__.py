"""Inspection: is there a backdoor in this model, into which class, with what trigger."""

from bezoar.inspection.inspect import Inspected, inspect_model
from bezoar.inspection.settings import InspectionSettings

__all__ = ["Inspected", "InspectionSettings", "inspect_model"]
