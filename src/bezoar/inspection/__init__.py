"""Inspection: is there a backdoor in this model, into which class, with what trigger."""

from bezoar.inspection.gathering import gather_references
from bezoar.inspection.inspect import Inspected, inspect_model
from bezoar.inspection.references import References
from bezoar.inspection.samples import Kind
from bezoar.inspection.settings import InspectionSettings

__all__ = ["Inspected", "InspectionSettings", "Kind", "References", "gather_references", "inspect_model"]
