"""Triggers that an inversion found in a model, as recovered triggers; made as small as another; kept as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.confirm.recover.recovered import Kind, Recovered
from bezoar.detect.inversion.form import Form, Parameters, of_one
from bezoar.detect.inversion.forms import FORMS
from bezoar.detect.inversion.invert import Inverted
from bezoar.detect.models.base import Proposal
from bezoar.errors import RecordError
from bezoar.shapes import FloatImages

GREY = 0.5
KINDS: dict[str, Kind] = {"patch": "patch", "additive": "additive", "warp": "warp", "colours": "colours"}
WORDS = {"additive": "a pattern that is added", "warp": "a warp", "colours": "a change of colours"}
SHOWN = 0.5
"""A pixel is counted as one of the patch's where more than half of it is replaced."""


def recovered(found: Inverted, place: int, shape: tuple[int, ...]) -> Recovered:
    """The trigger of one hypothesis for images of `shape` (c, h, w)."""
    own = of_one(found.parameters, place)
    return _recovered(found.form, own, shape)


def proposed(proposal: Proposal, shape: tuple[int, ...]) -> Recovered:
    """The trigger of a proposal for images of `shape` (c, h, w)."""
    return rebuilt(proposal.form, proposal.parameters, shape)


def as_small(found: Inverted, place: int, size: float, shape: tuple[int, ...]) -> Recovered:
    """The trigger of one hypothesis made as small as `size`, where it is larger."""
    return scaled_by(found, place, min(1.0, size / max(float(found.sizes[place]), 1e-9)), shape)


def scaled_by(found: Inverted, place: int, factor: float, shape: tuple[int, ...]) -> Recovered:
    """The trigger of one hypothesis so many times as strong, below 0 its opposite, where the form has such a thing."""
    own = of_one(found.parameters, place)
    return _recovered(found.form, found.form.scaled(own, torch.tensor([factor])), shape)


def kept(trigger: Recovered) -> tuple[str, Parameters] | None:
    """The form of an inverted trigger by its name and its parameters (1, ...); None for one that was not inverted."""
    change = trigger.change
    if not isinstance(change, _PutOn) or change.form.name not in FORMS:
        return None
    return change.form.name, change.parameters


def rebuilt(form: str, parameters: Parameters, shape: tuple[int, ...]) -> Recovered:
    """The trigger whose form and parameters `kept` gave, for images of `shape`. Raises RecordError for any others."""
    if form not in FORMS:
        raise RecordError("a kept trigger is of no known form", expected="one of " + ", ".join(FORMS), found=form)
    like = FORMS[form].start(1, shape, torch.Generator())
    wanted, found = ({name: _laid_out(form, one) for name, one in some.items()} for some in (like, parameters))
    if wanted != found or not all(bool(torch.isfinite(one).all()) for one in parameters.values()):
        raise RecordError(
            f"a kept trigger does not fit images of {shape}", expected=str(wanted), found=f"{found}, or not finite"
        )
    return _recovered(FORMS[form], parameters, shape)


def _laid_out(form: str, tensor: Tensor) -> tuple[int, ...]:
    # Grids of warps may be of any fineness.
    return tuple(tensor.shape[:2]) if form == "warp" else tuple(tensor.shape)


class _PutOn:
    def __init__(self, form: Form, parameters: Parameters) -> None:
        self.form = form
        self.parameters = {name: tensor.detach() for name, tensor in parameters.items()}

    def __call__(self, images: FloatImages) -> FloatImages:
        """Float images (n, c, h, w) in 0..255 with the trigger."""
        with torch.no_grad():
            return self.form.put_on(self.parameters, images[None] / 255)[0] * 255


def _recovered(form: Form, parameters: Parameters, shape: tuple[int, ...]) -> Recovered:
    change = _PutOn(form, parameters)
    size = float(form.sizes(parameters)[0])
    return Recovered(KINDS[form.name], _described(form, change, size, shape), change, _shown(form, change, shape))


def _described(form: Form, change: _PutOn, size: float, shape: tuple[int, ...]) -> str:
    if form.name != "patch":
        return f"{WORDS[form.name]}, found in the model: {size:.1f} {form.unit}"
    mask = torch.sigmoid(change.parameters["mask"])[0, 0]
    inside = torch.nonzero(mask > SHOWN)
    place = ""
    if len(inside):
        (top, left), (bottom, right) = inside.amin(0).tolist(), inside.amax(0).tolist()
        place = f", most of it within rows {top} to {bottom}, columns {left} to {right}"
    return f"a patch, found in the model: {size:.1f} pixels of {shape[1] * shape[2]:,}{place}"


def _shown(form: Form, change: _PutOn, shape: tuple[int, ...]) -> Tensor:
    """The trigger on grey, amplified where it is faint; a warp on a chequered board, a change of colours on a scale."""
    board = _BOARDS.get(form.name, _grey)(shape)
    made = change(board)[0]
    if form.name == "additive":
        off = made - 255 * GREY
        made = 255 * GREY + off * (100 / off.abs().max().clamp_min(1.0))
    return made.round().clamp(0, 255).to(torch.uint8)


def _board(shape: tuple[int, ...], square: int = 4) -> Tensor:
    rows, columns = torch.arange(shape[1])[:, None] // square, torch.arange(shape[2])[None] // square
    return (((rows + columns) % 2) * 160.0 + 48).expand(1, *shape).clone()


def _grey(shape: tuple[int, ...]) -> Tensor:
    return torch.full((1, *shape), 255 * GREY)


def _scale(shape: tuple[int, ...]) -> Tensor:
    """Each channel rises along its own direction: to the right, downwards, to the left, upwards."""
    rows, columns = torch.meshgrid(*(torch.linspace(0, 255, side) for side in shape[1:]), indexing="ij")
    ways = (columns, rows, columns.flip(1), rows.flip(0))
    return torch.stack([ways[channel % len(ways)] for channel in range(shape[0])])[None]


_BOARDS = {"warp": _board, "colours": _scale}
