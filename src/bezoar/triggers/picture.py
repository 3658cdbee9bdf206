"""Picture files for triggers: opened once, with the formats and sizes that are safe to open."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from bezoar.errors import TriggerError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture file; `sha256` is that of the file, so that a record can say which picture it was."""

    path: str
    sha256: str
    image: Image.Image

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.height, self.image.width

    def resized(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Colour (3, h, w) in 0..255 and opacity (h, w) in 0..1, float64, bicubic where the size differs."""
        image = self.image
        if self.size != (height, width):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        values = torch.from_numpy(np.array(image, dtype=np.float64)).permute(2, 0, 1)
        return values[:3], values[3] / 255

    def fitted(self, side: int) -> tuple[Tensor, Tensor]:
        """As `resized`, the longer side to `side` pixels and the shape kept."""
        rows, columns = self.size
        scale = side / max(rows, columns)
        return self.resized(max(1, round(rows * scale)), max(1, round(columns * scale)))

    def shrunk(self, side: int) -> Picture:
        """The same picture, its longer side at most `side` pixels."""
        image = self.image.copy()
        image.thumbnail((side, side))
        return replace(self, image=image)


def load_picture(path: str) -> Picture:
    """Read a picture file as RGBA. Raises TriggerError, naming the file, when that is impossible or unsafe."""
    if not Path(path).is_file():
        raise _unreadable(path, "no such file")
    try:
        content = Path(path).read_bytes()
        with warnings.catch_warnings():
            # Pillow merely warns of a picture large enough to be a decompression bomb.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
                image = opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise _unreadable(path, reason) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _unreadable(path, "a picture too large to be opened safely") from error
    return Picture(path, hashlib.sha256(content).hexdigest(), image)


def _unreadable(path: str, reason: str) -> TriggerError:
    return TriggerError(
        f"cannot read the trigger's picture {path}",
        expected="a picture file (" + ", ".join(FORMATS) + ")",
        found=reason,
        remedy="Check the path, and that a viewer opens the file",
    )
