"""`--reference-from`: the models a user trusts, asked what the model in question will be asked."""

from __future__ import annotations

from pathlib import Path

from bezoar.data import Dataset
from bezoar.inspection import Kind, References, gather_references
from bezoar.inspection.reference_cache import file_digest
from bezoar.inspection.samples import kind_of
from bezoar.inspection.settings import InspectionSettings
from bezoar.training.listening import Listener
from bezoar.training.opening import OpenedModel
from bezoar.training.saved import model_path

HELP = (
    "A folder of models that you trust, three at least, such as run folders of bezoar train: MODEL is compared with "
    "them in place of the cuts that come with bezoar."
)


def gathered(
    folder: Path | None,
    model: str,
    opened: OpenedModel,
    data: Dataset | None,
    settings: InspectionSettings,
    factory: str | None,
    listener: Listener,
) -> References | None:
    """What the references show; None where none are named. Raises ModelError where fewer than three are of use."""
    if folder is None:
        return None
    kind: Kind = kind_of(opened, data)
    return gather_references(
        folder, kind, data, settings, factory=factory, apart_from=_digest_of(model), listener=listener
    )


def _digest_of(model: str) -> str:
    """SHA-256 of the model's file; "" for a model that is none."""
    path = model_path(Path(model))
    return file_digest(path) if path.is_file() else ""
