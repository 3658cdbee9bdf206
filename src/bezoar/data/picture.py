"""An image of a data set as a record holds it."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from bezoar.records import Picture

# Larger images are shrunk to this many pixels a side: a report must stay small.
LARGEST_SIDE = 128


def picture(image: Tensor, alt: str) -> Picture:
    """A uint8 image (c, h, w) as a PNG, shrunk to 128 pixels a side: a report must stay small."""
    array = image.permute(1, 2, 0).contiguous().numpy()
    drawn = Image.fromarray(array[:, :, 0] if array.shape[2] < 3 else array[:, :, :3])
    drawn.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return Picture(base64.b64encode(buffer.getvalue()).decode(), drawn.width, drawn.height, alt)
