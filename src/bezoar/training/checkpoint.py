"""A finished epoch kept whole: model, optimizer and history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from bezoar.errors import TrainingError
from bezoar.records import EpochRecord, from_json, to_json
from bezoar.training.optimizers import Scheduled
from bezoar.training.saved import load_tensors, save_tensors

FORMAT = "bezoar-checkpoint-1"


@dataclass(frozen=True)
class _History:
    epochs: tuple[EpochRecord, ...]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Copies of all that training changes, taken at the end of an epoch."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: tuple[EpochRecord, ...]

    @classmethod
    def take(cls, network: nn.Module, optimizer: Scheduled, history: tuple[EpochRecord, ...]) -> Snapshot:
        """Copy the present state."""
        return cls(
            {name: value.detach().clone() for name, value in network.state_dict().items()},
            {name: value.detach().clone() for name, value in optimizer.tensors().items()},
            history,
        )


def save_checkpoint(snapshot: Snapshot, identity: str, path: Path) -> None:
    """Write a snapshot whole or not at all. `identity` names the run it belongs to."""
    tensors = {f"model.{name}": value for name, value in snapshot.model.items()} | snapshot.optimizer
    metadata = {"format": FORMAT, "identity": identity, "history": to_json(_History(snapshot.history), indent=None)}
    save_tensors({name: value.cpu().contiguous() for name, value in tensors.items()}, metadata, path)


def load_checkpoint(path: Path, identity: str) -> Snapshot:
    """Read a snapshot. Raises TrainingError when it belongs to another model, recipe, seed or data."""
    tensors, metadata = load_tensors(path, FORMAT)
    if metadata.get("identity") != identity:
        raise TrainingError(
            f"{path} belongs to another training",
            expected=identity,
            found=str(metadata.get("identity")),
            remedy="Resume with the same data, model, recipe and seed, or train into a new folder",
        )
    return Snapshot(
        {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")},
        {name: value for name, value in tensors.items() if not name.startswith("model.")},
        from_json(_History, metadata["history"], origin=str(path)).epochs,
    )
