"""A contact sheet: what an attack does to samples, original, poisoned and the difference amplified."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bezoar.attacks import Poisoned
from bezoar.errors import AttackError
from bezoar.truth import PoisonedSample

SAMPLES = 6
TILE, GAP, CAPTION, HEADER = 160, 12, 22, 44
WEAKEST, STRONGEST = 2, 32
"""A difference is amplified at least and at most so many times: past that it is rounding that is shown."""

SHOWN_WHOLE = 0.95
"""The share of all changed values that amplifying must not clip: a few strong ones would leave the others unseen."""

INK, PAPER = (20, 20, 20), (255, 255, 255)


def contact_sheet(poisoned: Poisoned, *, seed: int) -> bytes:
    """A PNG of six changed samples drawn by seed, a third of them covers where the attack has such.

    Each row shows the original, what became of it, and their difference round middle grey, amplified by the
    same factor throughout. Raises AttackError for samples that are no images.
    """
    if not poisoned.data.is_images:
        raise AttackError(
            "only images can be shown on a contact sheet", found=f"samples of shape {poisoned.data.shape}"
        )
    chosen = _chosen(poisoned.truth.samples, seed)
    before = _pictures(
        poisoned.originals.data.inputs, poisoned.originals.data.positions([one.original_id for one in chosen])
    )
    after = _pictures(poisoned.data.inputs, poisoned.data.positions([one.id for one in chosen]))
    change = after.astype(np.int16) - before
    factor = _amplification(np.abs(change))
    shown = (128 + factor * change).clip(0, 255).astype(np.uint8)
    titles = ("original", "poisoned", f"difference, {factor} times")
    captions = [(one.original_label, f"{one.label} ({one.role})", "") for one in chosen]
    return _drawn(titles, captions, list(zip(before, after, shown, strict=True)))


def _amplification(change: np.ndarray) -> int:
    """How many times a change, its absolute values in levels, is amplified to be seen."""
    changed = change[change > 0]
    largest = float(np.quantile(changed, SHOWN_WHOLE)) if len(changed) else 1.0
    return min(STRONGEST, max(WEAKEST, int(127 / largest)))


def _chosen(samples: Sequence[PoisonedSample], seed: int) -> list[PoisonedSample]:
    generator = np.random.default_rng([seed, 7])
    poisons, covers = ([one for one in samples if one.role == role] for role in ("poison", "cover"))
    wanted_covers = min(len(covers), max(SAMPLES // 3, SAMPLES - len(poisons)))
    drawn = []
    for group, count in ((poisons, SAMPLES - wanted_covers), (covers, wanted_covers)):
        drawn += [group[row] for row in np.sort(generator.permutation(len(group))[:count])]
    return drawn


def _pictures(inputs: Tensor, rows: Tensor) -> np.ndarray:
    """Images (n, h, w, 3), a single channel three times, an alpha channel left out."""
    images = inputs[rows].permute(0, 2, 3, 1)
    images = images[..., :3] if images.shape[3] >= 3 else images[..., :1].expand(-1, -1, -1, 3)
    return np.ascontiguousarray(images.to(torch.uint8).numpy())


def _drawn(titles: Sequence[str], captions: Sequence[Sequence[str]], rows: Sequence[Sequence[np.ndarray]]) -> bytes:
    tile_height = round(TILE * rows[0][0].shape[0] / rows[0][0].shape[1])
    width = GAP + len(titles) * (TILE + GAP)
    sheet = Image.new("RGB", (width, HEADER + len(rows) * (tile_height + CAPTION + GAP)), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, title in enumerate(titles):
        pen.text((GAP + column * (TILE + GAP), HEADER // 3), title, INK, font)
    for number, (pictures, texts) in enumerate(zip(rows, captions, strict=True)):
        top = HEADER + number * (tile_height + CAPTION + GAP)
        for column, (array, text) in enumerate(zip(pictures, texts, strict=True)):
            left = GAP + column * (TILE + GAP)
            tile = Image.fromarray(array).resize((TILE, tile_height), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, top))
            pen.text((left, top + tile_height + 3), _short(text, font), INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _short(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut where it would run into the next column."""
    while font.getlength(text) > TILE and len(text) > 4:
        text = text[:-4] + "..."
    return text
