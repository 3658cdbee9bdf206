"""Models to compare with: linear networks that differ a little, and small untrained runs."""

from pathlib import Path

import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from bezoar.data import from_arrays
from bezoar.data.dataset import Dataset
from bezoar.training import ModelCard, build_model, save_model
from inversion_toys import MEAN, NAMES, SIDE, Linear

SMALL = "fast:stem=8,widths=12/16"
COLOURS = ("red", "green", "blue", "grey")


def varied(seed: int) -> Linear:
    """The clean linear network with weights that differ by a tenth."""
    model = Linear()
    generator = torch.Generator().manual_seed(seed)
    model.weight.data += 0.02 * torch.randn(model.weight.shape, generator=generator)
    return model


def write_weights(folder: Path, count: int, *, first: int = 0) -> Path:
    """`count` varied linear networks as files of weights alone."""
    folder.mkdir(exist_ok=True)
    for seed in range(first, first + count):
        save_file(varied(seed).state_dict(), folder / f"trusted-{seed}.safetensors")
    return folder


def samples(names: tuple[str, ...] = COLOURS, side: int = 16) -> Dataset:
    """Noise in as many classes as there are names."""
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (80, 3, side, side), generator=generator, dtype=torch.uint8)
    return from_arrays(images, torch.arange(80) % len(names), class_names=names, name="noise", layout="nchw")


def small(seed: int, names: tuple[str, ...] = COLOURS, *, favoured: int | None = None) -> nn.Module:
    """An untrained network; the last weights of the class `favoured` are raised."""
    model = build_model(SMALL, classes=len(names), sample=samples(names).inputs[:16], seed=seed).eval()
    if favoured is not None:
        model.head.weight.data[favoured] += 1.0
    return model


def write_run(
    folder: Path, seed: int, names: tuple[str, ...] = COLOURS, *, favoured: int | None = None, drill: str | None = None
) -> Path:
    """The same as a run folder of bezoar train."""
    folder.mkdir(parents=True, exist_ok=True)
    card = ModelCard(SMALL, names, (3, 16, 16), drill)
    save_model(small(seed, names, favoured=favoured), card, folder / "model.safetensors")
    return folder


def write_onnx(place: Path, model: Linear) -> Path:
    """A linear network as ONNX, which can only be asked."""
    weight = model.weight.detach().flatten(1)
    shift = -(MEAN.flatten() @ weight.T)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1),
    ]
    numbers = [numpy_helper.from_array(one.numpy(), name) for name, one in (("w", weight), ("b", shift))]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(NAMES)])
    graph = helper.make_graph(nodes, "toy", [x], [y], numbers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    place.write_bytes(made.SerializeToString())
    return place
