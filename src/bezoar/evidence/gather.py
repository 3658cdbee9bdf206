"""Gather evidence about every sample once and keep it: a second scan of the same data only hashes them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data import Dataset
from bezoar.data.memory import chunks, scratch_folder
from bezoar.evidence.blocks import block_names
from bezoar.evidence.evidence import Evidence, History
from bezoar.evidence.layers import layer_features
from bezoar.evidence.probe import Probe, ProbeRecipe, architecture, train_probe, training_recipe
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.sheets import Sheet, Writer
from bezoar.evidence.store import Entry, Make, Store
from bezoar.training import Progress, build_model
from bezoar.training.allocator import recycled_memory
from bezoar.training.precision import choose_device, choose_precision
from bezoar.training.predict import differing_classes

PROBE_VERSION = 1
LAYERS_VERSION = 1
_LAYER = "layer "


@dataclass(frozen=True, eq=False)
class Gathered:
    """Evidence and the model it is from. `seconds` is what its training took when it was made, 0 for a user's own.

    `found` says that everything was in the store already.
    """

    evidence: Evidence
    model: nn.Module
    seconds: float
    found: bool


def gather_samples(data: Dataset, store: Store | None, gatherers: Iterable[SampleGatherer]) -> Evidence:
    """Evidence of the samples alone: float16 (n, width) for each gatherer that applies, memory-mapped.

    Kept in `store` by content, see `data_key`; without one in a scratch file that has no name any more (where a system
    keeps files that are open, it stays in the scratch folder). Raises what gatherers and `Store.get_or_make` raise.
    """
    key = data_key(data)
    inputs: dict[str, NDArray[np.floating]] = {}
    for gatherer in (one for one in gatherers if one.applies(data)):
        parts = {**key, "kind": "samples", "gatherer": gatherer.name, "version": gatherer.version}
        inputs[gatherer.name] = _kept(store, parts, _filled(gatherer, data))[gatherer.name]
    return _evidence(data, inputs=MappingProxyType(inputs))


def gather_probe(
    data: Dataset,
    *,
    recipe: ProbeRecipe | None = None,
    store: Store | None,
    seed: int,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Gathered:
    """Layers, logits and history of a probe trained on `data`, and the probe itself in evaluation mode on the CPU.

    Floats are kept as float16, those beyond its range clipped to it; the weights as float32. The key holds the data,
    recipe, seed and number format; not the device, nor the number of threads, which change no more than rounding, nor
    the version of torch: what another made of the same data is as good. `progress` hears of training alone.
    Raises as `train_probe` and `layer_features`.
    """
    recipe = recipe or ProbeRecipe()
    spec = architecture(recipe, data)
    made: list[Probe] = []

    def make(writer: Writer) -> None:
        probe = train_probe(data, recipe=recipe, seed=seed, device=device, progress=progress)
        made.append(probe)
        _write_layers(writer, probe.model, data, device)
        writer.allocate("loss", probe.history.loss.shape)[:] = probe.history.loss
        writer.allocate("correct", probe.history.correct.shape, bool)[:] = probe.history.correct
        flat = _flattened(probe.model)
        writer.allocate("weights", flat.shape, np.float32)[:] = flat
        writer.allocate("seconds", (1,), np.float64)[:] = [probe.seconds]

    parts = {
        **data_key(data),
        "kind": "probe",
        "version": [PROBE_VERSION, LAYERS_VERSION],
        "recipe": {**asdict(recipe), "model": spec, "training": repr(training_recipe(recipe, data))},
        "seed": seed,
        "precision": str(choose_precision(choose_device(device))),
    }
    entry = _kept(store, parts, make)
    model = made[0].model.to("cpu") if made else _rebuilt(spec, data, entry["weights"])
    return Gathered(_with_layers(data, entry), model, float(entry["seconds"][0]), not entry.made)


def gather_model(data: Dataset, model: nn.Module, *, name: str, store: Store | None, device: str = "auto") -> Gathered:
    """Layers and logits of a user's own trained model, called `name`; no history. Its mode and device are put back.

    Kept by its name, its class and printed form, and a hash of its weights and buffers. Computed in bfloat16 where
    training would be. Raises ModelError when it fails, or has not one logit for each class.
    """
    parts = {
        **data_key(data),
        "kind": "model",
        "version": LAYERS_VERSION,
        "name": name,
        "model": [type(model).__qualname__, hashlib.sha256(repr(model).encode()).hexdigest(), weights_digest(model)],
        "precision": str(choose_precision(choose_device(device))),
    }
    entry = _kept(store, parts, lambda writer: _write_layers(writer, model, data, device))
    return Gathered(_with_layers(data, entry), model, 0.0, not entry.made)


def data_key(data: Dataset) -> dict[str, object]:
    """What tells data apart: classes, ids, labels, order of rows, and every byte of the samples.

    Ids alone would not do: they name the file that was read, not how it was read or resized.
    """
    order, content = hashlib.sha256(), hashlib.sha256()
    for sample_id in data.ids:
        order.update(f"{sample_id}\n".encode())
    # In the order of memory, so that images are hashed where they lie.
    inputs = data.inputs.permute(0, 2, 3, 1) if data.is_images else data.inputs
    for rows in chunks(len(data), inputs[0].nbytes):
        content.update(_bytes(inputs[rows]))
    return {
        "data": data.digest(),
        "order": order.hexdigest(),
        "content": content.hexdigest(),
        "shape": list(data.shape),
        "dtype": str(data.inputs.dtype),
    }


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of a model's parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\n".encode())
            digest.update(_bytes(tensor.detach().cpu()))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _kept(store: Store | None, parts: Mapping[str, object], make: Make) -> Entry:
    """The entry of the store, or one of a scratch folder that is removed at once: its maps live on."""
    if store is not None:
        return store.get_or_make(parts, make)
    with tempfile.TemporaryDirectory(
        prefix="bezoar-evidence-", dir=scratch_folder(), ignore_cleanup_errors=True
    ) as folder:
        return Store(Path(folder)).get_or_make(parts, make)


def _filled(gatherer: SampleGatherer, data: Dataset) -> Make:
    def make(writer: Writer) -> None:
        sheet = writer.allocate(gatherer.name, (len(data), gatherer.width(data)))
        for rows, values in gatherer.blocks(data):
            sheet[rows] = values

    return make


def _write_layers(writer: Writer, model: nn.Module, data: Dataset, device: str) -> None:
    names = block_names(model, data.inputs)
    sheets: dict[str, Sheet] = {}
    with recycled_memory():
        for rows, features, logits in layer_features(model, data.inputs, names=names, device=device):
            if logits.shape[1] != len(data.class_names):
                raise differing_classes("the model", logits.shape[1], data.class_names, data.name)
            blocks = {**{_LAYER + name: block for name, block in features.items()}, "logits": logits}
            for name, block in blocks.items():
                if name not in sheets:
                    sheets[name] = writer.allocate(name, (len(data), block.shape[1]))
                sheets[name][rows] = block


def _with_layers(data: Dataset, entry: Entry) -> Evidence:
    layers = {name.removeprefix(_LAYER): entry[name] for name in entry if name.startswith(_LAYER)}
    history = History(entry["loss"], entry["correct"]) if "loss" in entry else None
    return _evidence(data, layers=MappingProxyType(layers), logits=entry["logits"], history=history)


def _evidence(
    data: Dataset,
    *,
    inputs: Mapping[str, NDArray[np.floating]] = MappingProxyType({}),
    layers: Mapping[str, NDArray[np.floating]] = MappingProxyType({}),
    logits: NDArray[np.floating] | None = None,
    history: History | None = None,
) -> Evidence:
    labels = data.labels.numpy().copy()
    return Evidence(data.ids, labels, data.class_names, inputs, layers, logits, history, data.sources)


def _flattened(model: nn.Module) -> NDArray[np.float32]:
    """All parameters and buffers one after another; a count of batches is exact up to 16.8 million."""
    parts = [tensor.detach().cpu().to(torch.float32).reshape(-1) for tensor in model.state_dict().values()]
    flat: NDArray[np.float32] = torch.cat(parts).numpy()
    return flat


def _rebuilt(spec: str, data: Dataset, flat: NDArray[np.float32]) -> nn.Module:
    """The probe of these weights, in evaluation mode."""
    blank = torch.zeros((2, *data.shape), dtype=data.inputs.dtype)
    model = build_model(spec, classes=len(data.class_names), sample=blank, seed=0)
    state, at, values = model.state_dict(), 0, torch.from_numpy(np.array(flat))
    for name, tensor in state.items():
        state[name] = values[at : at + tensor.numel()].reshape(tensor.shape)
        at += tensor.numel()
    model.load_state_dict(state)
    return model.eval()
