"""Pictures in files made into pixels, safely, by one stated rule for all readers.

Read: PNG, JPEG, BMP, GIF, WEBP, PPM, TIFF; of several frames or pages the first. Nothing larger than
MAX_PIXELS is decoded. The picture is turned upright as its EXIF orientation says. Then, by kind:

- black and white, 8-bit grey: one channel; 16-bit grey: scaled to 8 bits, rounded;
- transparency: laid over black;
- palette, CMYK, YCbCr, LAB, HSV: RGB; colour profiles are not applied;
- 32-bit integer grey beyond 16 bits, and float pixels: refused, for their range is unknown.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bezoar.data.options import Fit
from bezoar.errors import ShapeError, UnreadableSampleError, UnsafeDataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
MAX_PIXELS = 89_478_485
MAX_BYTES = 512 * 2**20

_SKIP = "Mend or remove it, or leave such samples out with --skip-bad"
_ORIENTATION = 0x0112
_MAGIC = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"BM", ".bmp"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"P", ".ppm"),
)
# What Pillow's decoders are known to raise on damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Keep Pillow's own warnings (odd EXIF data and the like) from interrupting a reading loop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def decode_image(content: bytes, where: str, *, size: int | None = None, fit: Fit = "crop") -> np.ndarray:
    """Pixels of a picture file as uint8 (h, w, 1 or 3); `where` names it in errors.

    Raises UnsafeDataError before decoding anything too large, UnreadableSampleError for what cannot be decoded.
    """
    try:
        picture = _upright(_opened(content, where))
        pixels = picture_pixels(picture, where, size=size, fit=fit)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise _bomb(where, str(error)) from error
    except _DECODER_ERRORS as error:
        if "ecompressed data too large" in str(error):
            raise _bomb(where, str(error)) from error
        raise UnreadableSampleError(
            f"{where} cannot be decoded",
            expected="a whole picture, one of " + ", ".join(FORMATS),
            found=_reason(content, error),
            remedy=_SKIP,
        ) from error
    return pixels


def picture_pixels(picture: Image.Image, where: str, *, size: int | None = None, fit: Fit = "crop") -> np.ndarray:
    """Pixels of an open Pillow picture as uint8 (h, w, 1 or 3), fitted to size x size when `size` is given."""
    plain = _eight_bit(picture, where)
    if size is not None:
        plain = fit_picture(plain, size, fit)
    pixels = np.asarray(plain)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def fit_picture(picture: Image.Image, size: int, fit: Fit) -> Image.Image:
    """A picture made size x size, bicubic with antialiasing; one that has the size already is untouched.

    `crop` makes the shorter side `size` and takes the centre, `resize` stretches, `pad` makes the longer
    side `size` and centres the picture on black.
    """
    width, height = picture.size
    if (width, height) == (size, size):
        return picture
    if fit == "pad":
        return _letterbox(picture, size)
    box = (0, 0, width, height)
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        if side == size:
            return picture.crop(box)
    # Resizing the box alone gives what resizing the whole and then cropping would, whatever the whole's length.
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=box)


def fit_pixels(pixels: np.ndarray, size: int, fit: Fit) -> np.ndarray:
    """`fit_picture` for uint8 pixels (h, w, 1 or 3)."""
    if pixels.shape[2] not in (1, 3):
        raise ShapeError("only pictures of 1 or 3 channels can be resized", found=f"{pixels.shape[2]} channels")
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    fitted = np.asarray(fit_picture(picture, size, fit))
    return fitted[:, :, None] if fitted.ndim == 2 else fitted


def encode_png(pixels: np.ndarray) -> bytes:
    """Lossless PNG of uint8 pixels (h, w, 1 or 3)."""
    if pixels.shape[2] not in (1, 3):
        raise ShapeError(
            "a picture file holds 1 or 3 channels",
            found=str(pixels.shape[2]),
            remedy="Write such data as .npz",
        )
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    picture.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def suffix_of(content: bytes) -> str:
    """File suffix, as in '.png', of encoded bytes by their first few."""
    return next((suffix for magic, suffix in _MAGIC if content.startswith(magic)), ".img")


def _opened(content: bytes, where: str) -> Image.Image:
    if len(content) > MAX_BYTES:
        raise _bomb(where, f"{len(content):,} bytes")
    picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    if picture.width * picture.height > MAX_PIXELS:
        raise _bomb(where, f"{picture.width} x {picture.height}")
    return picture


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    if picture.format == "JPEG" and "exif" not in picture.info:
        return picture
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except _DECODER_ERRORS:  # damaged EXIF data say nothing about the pixels
        return picture
    return ImageOps.exif_transpose(picture) if orientation in range(2, 9) else picture


def _eight_bit(picture: Image.Image, where: str) -> Image.Image:
    mode = picture.mode
    if mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if mode == "I" or mode.startswith("I;16"):
        return _from_sixteen_bits(picture, where)
    if mode == "F":
        raise UnreadableSampleError(
            f"{where} has float pixels of unknown range", expected="8- or 16-bit pixels", remedy=_SKIP
        )
    if mode == "1":
        return picture.convert("L")
    if mode in ("LA", "La"):
        return _over_black(picture).convert("L")
    if picture.has_transparency_data:
        return _over_black(picture).convert("L" if mode == "L" else "RGB")
    return picture.convert("RGB")


def _from_sixteen_bits(picture: Image.Image, where: str) -> Image.Image:
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableSampleError(
            f"{where} has 32-bit pixels of unknown range", expected="8- or 16-bit pixels", remedy=_SKIP
        )
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _over_black(picture: Image.Image) -> Image.Image:
    coloured = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", coloured.size, (0, 0, 0, 255)), coloured)


def _letterbox(picture: Image.Image, size: int) -> Image.Image:
    longer = max(picture.size)
    width, height = (max(1, round(side * size / longer)) for side in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.BICUBIC)
    canvas = Image.new(picture.mode, (size, size))
    canvas.paste(scaled, ((size - width) // 2, (size - height) // 2))
    return canvas


def _bomb(where: str, found: str) -> UnsafeDataError:
    return UnsafeDataError(
        f"{where} would take too much memory to decode",
        expected=f"at most {MAX_PIXELS:,} pixels in at most {MAX_BYTES:,} bytes",
        found=found,
        remedy="Make it smaller or remove it, or leave such samples out with --skip-bad",
    )


def _reason(content: bytes, error: BaseException) -> str:
    if not content:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "none of these"
    return str(error) or type(error).__name__
