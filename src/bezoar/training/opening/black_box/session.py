"""An ONNX model as a black box: images in, logits out, no gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.errors import MissingExtraError, ModelError
from bezoar.training.opening.black_box.inventory import LARGEST_ONNX, weights_beside
from bezoar.training.opening.opened import GET_ANEW, Known, OpenedModel, printable, refusal, require_file

FATAL = 4
CHANNELS = (1, 3, 4)
"""Counts of channels by which the axis of an image's channels is known."""

REMEDY = "Export it with one input of float32 images, (n, c, h, w) or (n, h, w, c), and one output of logits"


class _NoGradient(torch.autograd.Function):
    """Logits that remember where they came from, so that asking for a gradient fails instead of giving zeros."""

    @staticmethod
    def forward(_: Any, _images: Tensor, logits: Tensor) -> Tensor:
        return logits.view_as(logits)

    @staticmethod
    def backward(_: Any, *__: Any) -> NoReturn:
        raise ModelError(
            "no gradient goes through an ONNX model",
            remedy="Use a method that only asks the model, or open it as weights with a factory",
        )


class BlackBox(nn.Module):
    """Float images (n, c, h, w) in 0..1 to logits (n, classes), by ONNX Runtime.

    `sample_shape` is (c, h, w) where the file says it. A gradient raises ModelError.
    """

    def __init__(self, session: Any, *, channels_last: bool, batch: int | None, name: str) -> None:
        super().__init__()
        self.session, self.channels_last, self.batch, self.name = session, channels_last, batch, name
        sides = session.get_inputs()[0].shape[1:]
        sides = (sides[-1], *sides[:-1]) if channels_last else tuple(sides)
        self.sample_shape: tuple[int, ...] | None = sides if all(type(side) is int for side in sides) else None

    def forward(self, images: Tensor) -> Tensor:
        """Logits of float images; batches of a fixed size are filled up and cut again."""
        numbers = images.detach().to("cpu", torch.float32)
        numbers = (numbers.permute(0, 2, 3, 1) if self.channels_last else numbers).contiguous()
        size = self.batch or max(1, len(numbers))
        parts = [self._answer(numbers[start : start + size]) for start in range(0, max(1, len(numbers)), size)]
        logits = torch.cat(parts).to(images.device)
        if torch.is_grad_enabled() and images.requires_grad:
            logits = _NoGradient.apply(images, logits)  # type: ignore[no-untyped-call]
        return logits

    def _answer(self, images: Tensor) -> Tensor:
        lacking = 0 if self.batch is None else self.batch - len(images)
        whole = torch.cat([images, images.new_zeros((lacking, *images.shape[1:]))]) if lacking else images
        answer = self.session.run(None, {self.session.get_inputs()[0].name: whole.numpy()})[0]
        if not isinstance(answer, np.ndarray) or answer.ndim != 2 or len(answer) != len(whole):
            raise ModelError(
                f"{self.name} gives no logits",
                expected="an answer of shape (n, classes)",
                found=str(getattr(answer, "shape", type(answer).__name__)),
                remedy=REMEDY,
            )
        return torch.from_numpy(answer[: len(images)].astype(np.float32))


def runtime() -> Any:
    """The onnxruntime package. Raises MissingExtraError without it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("ONNX models need onnxruntime", extra="onnx") from error
    return onnxruntime


def open_onnx(path: Path, known: Known) -> OpenedModel:
    """An ONNX model as a black box on one thread of the processor.

    Files that it keeps weights in are read here and handed over, so that the runtime opens none by itself. Raises
    ModelError where the file is refused or damaged, or its input and output are not those of an image classifier.
    """
    require_file(path)
    size = path.stat().st_size
    if size > LARGEST_ONNX:
        raise refusal(
            path,
            "is too large to be opened",
            expected=f"at most {LARGEST_ONNX:,} bytes",
            found=f"{size:,}",
            remedy="Export a smaller model, or open it as weights with a factory",
        )
    model = path.read_bytes()
    session = _session(model, weights_beside(model, path), path)
    box = _box(session, path, known.shape)
    notes = ("it is a black box: its answers can be asked for, gradients not",)
    return OpenedModel(path.name, box.eval(), "onnx", differentiable=False, notes=notes)


def _session(model: bytes, beside: dict[str, bytes], path: Path) -> Any:
    package = runtime()
    options = package.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # By what the bytes hold it would choose a format of its own that was not looked through.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if beside:
        sizes = [len(content) for content in beside.values()]
        options.add_external_initializers_from_files_in_memory(list(beside), list(beside.values()), sizes)
    try:
        return package.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise refusal(
            path, "is no ONNX model that can be run", found=str(error).replace("\n", " "), remedy=GET_ANEW
        ) from error


def _box(session: Any, path: Path, shape: tuple[int, ...] | None) -> BlackBox:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = f"inputs {_told(inputs)}; outputs {_told(outputs)}"
    fits = len(inputs) == len(outputs) == 1 and inputs[0].type == outputs[0].type == "tensor(float)"
    layouts = _layouts(inputs[0].shape, shape) if fits else []
    if not layouts:
        expected = "one input of float32 images and one output of logits"
        told = expected if shape is None else f"{expected}, for images of shape {tuple(shape)}"
        raise refusal(path, "is no classifier of such images", expected=told, found=found, remedy=REMEDY)
    batch = inputs[0].shape[0]
    fixed = batch if type(batch) is int and batch > 0 else None
    return BlackBox(session, channels_last=layouts[0], batch=fixed, name=path.name)


def _told(ends: list[Any]) -> str:
    return ", ".join(f"{printable(one.name, 40)} {one.type} {printable(str(one.shape), 80)}" for one in ends) or "none"


def _layouts(sides: list[Any], shape: tuple[int, ...] | None) -> list[bool]:
    """Whether channels come last, for each reading of the input's shape that is possible; the likeliest first."""
    if len(sides) != 4:
        return []
    readings = {False: sides[1:], True: [sides[3], sides[1], sides[2]]}
    likely = sorted(readings, key=lambda last: readings[last][0] not in CHANNELS)
    if shape is None:
        return likely
    return [
        last
        for last in likely
        if all(type(have) is not int or have == want for have, want in zip(readings[last], shape, strict=False))
        and len(shape) == 3
    ]
