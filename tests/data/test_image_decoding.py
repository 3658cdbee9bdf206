from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from data_toys import encoded, pixels_of, png
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bezoar.data.images import MAX_PIXELS, decode_image, fit_pixels, quiet_decoding, suffix_of
from bezoar.errors import UnreadableSampleError, UnsafeDataError


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9500, 20000, 2**31 - 1])
def test_bombs_are_refused_before_decoding(side):
    with quiet_decoding(), pytest.raises(UnsafeDataError, match=r"x\.png would take too much memory.*--skip-bad"):
        decode_image(bomb(side, side), "x.png")
    with pytest.raises(UnsafeDataError, match="too much memory"):
        decode_image(bomb(side, side), "x.png")
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS


def test_text_bombs_inside_a_png_are_refused():
    good = png(pixels_of(1))
    body = b"Comment\0\0" + zlib.compress(b"a" * 2**21)
    text = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    with pytest.raises(UnsafeDataError, match="too much memory"):
        decode_image(good[:33] + text + good[33:], "t.png")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "PPM", "TIFF"])
def test_lossless_formats_come_back_exactly(kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    grey = np.repeat(pixels_of(3, channels=1), 3, axis=2)  # few enough colours for the palette of a GIF
    content = encoded(Image.fromarray(grey), kind, **options)
    np.testing.assert_array_equal(decode_image(content, "x"), grey)


def test_suffixes_by_content():
    for kind, suffix in {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp"}.items():
        assert suffix_of(encoded(Image.fromarray(pixels_of(1)), kind)) == suffix


@pytest.mark.parametrize("kind", ["ICO", "TGA", "EPS", "PDF"])
def test_formats_outside_the_list_are_refused(kind):
    with pytest.raises(UnreadableSampleError, match="one of PNG, JPEG"):
        decode_image(encoded(Image.fromarray(pixels_of(1, 16, 16)), kind), "x")


def test_alpha_is_laid_over_black():
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0] = [[200, 100, 50, 255], [200, 100, 50, 0], [255, 255, 255, 51]]
    np.testing.assert_array_equal(
        decode_image(encoded(Image.fromarray(pixels), "PNG"), "x")[0], [[200, 100, 50], [0, 0, 0], [51, 51, 51]]
    )
    grey = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), mode=None)
    np.testing.assert_array_equal(decode_image(encoded(grey, "PNG"), "x")[0], [[200], [0]])


def test_transparent_palette_and_transparent_grey():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    content = encoded(palette, "PNG", transparency=1)
    np.testing.assert_array_equal(decode_image(content, "x")[0], [[10, 20, 30], [0, 0, 0]])
    grey = Image.fromarray(np.array([[7, 9]], np.uint8))
    np.testing.assert_array_equal(decode_image(encoded(grey, "PNG", transparency=9), "x")[0], [[7], [0]])


def test_depths_and_colour_spaces():
    sixteen = Image.fromarray(np.array([[0, 257, 65535, 32768]], np.uint16))
    np.testing.assert_array_equal(decode_image(encoded(sixteen, "PNG"), "x")[0, :, 0], [0, 1, 255, 128])
    np.testing.assert_array_equal(decode_image(encoded(sixteen, "TIFF"), "x")[0, :, 0], [0, 1, 255, 128])
    black_and_white = Image.new("1", (2, 1))
    black_and_white.putdata([0, 1])
    np.testing.assert_array_equal(decode_image(encoded(black_and_white, "PNG"), "x")[0, :, 0], [0, 255])
    cmyk = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    np.testing.assert_array_equal(decode_image(encoded(cmyk, "TIFF"), "x")[0, 0], [255, 0, 0])
    for mode in ("F", "I"):
        wide = Image.new(mode, (2, 2), 100_000)
        with pytest.raises(UnreadableSampleError, match="unknown range"):
            decode_image(encoded(wide, "TIFF"), "x")


def test_exif_orientation_is_honoured_and_damaged_exif_ignored():
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the left half comes out on top
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        turned = decode_image(encoded(Image.fromarray(pixels), kind, exif=exif), kind)
        assert turned.shape == (16, 8, 3)
        assert turned[:6].mean() > 240
        assert turned[10:].mean() < 15
    broken = encoded(Image.fromarray(pixels), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 20)
    with quiet_decoding():
        assert decode_image(broken, "x").shape == (8, 16, 3)


def test_first_frame_of_an_animation():
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    for kind in ("GIF", "TIFF", "PNG"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert set(decode_image(content, kind).ravel().tolist()) == {10}


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF"]), st.data())
def test_damaged_files_raise_only_our_errors(noise, kind, data):
    content = bytearray(encoded(Image.fromarray(pixels_of(5)), kind))
    start = data.draw(st.integers(0, len(content)))
    content[start : start + len(noise)] = noise
    with quiet_decoding():
        try:
            pixels = decode_image(bytes(content), "x")
        except (UnreadableSampleError, UnsafeDataError):
            return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "PPM"])
def test_truncated_files_are_never_half_read(kind):
    content = encoded(Image.fromarray(pixels_of(5, 32, 32)), kind)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(UnreadableSampleError, match="cannot be decoded"):
            decode_image(content[: int(len(content) * share)], "x")


def test_an_extreme_shape_does_not_grow():
    assert fit_pixels(np.zeros((1, 50_000, 1), np.uint8), 32, "crop").shape == (32, 32, 1)
    assert fit_pixels(np.zeros((50_000, 1, 3), np.uint8), 32, "pad").shape == (32, 32, 3)
