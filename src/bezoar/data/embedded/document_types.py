"""The layouts of ten types of documents: made up, without any real emblem, and with writing that cannot be read.

A page lies in its own frame: x to the right, y down, its middle at the origin, its longer half about one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from bezoar.data.embedded.brush import Brush, Point, joined, ring
from bezoar.data.embedded.fields import Array, Number, clouds, colours, lay, rgb, uniform

_FACES: Final = ((238, 200, 172), (210, 164, 126), (150, 104, 76), (104, 70, 52))
_HAIRS: Final = ((34, 28, 26), (96, 64, 44), (196, 160, 104), (150, 150, 152))
_ROWS: Final = 40
_CELLS: Final = 40


@dataclass(frozen=True, eq=False)
class Page:
    """Pages of one type being drawn, in place, into `picture`; `accent` and `ink` are colours (n, 3, 1, 1)."""

    rng: np.random.Generator
    picture: Array
    brush: Brush
    paper: Array
    ink: Array
    accent: Array

    @property
    def count(self) -> int:
        """How many pages are drawn at once."""
        return len(self.picture)

    def vary(self, low: float, high: float) -> Array:
        """A number for each page."""
        return uniform(self.rng, self.count, low, high)

    def on_some(self, share: float) -> Array:
        """1 on a random share of the pages, 0 on the others."""
        return np.asarray(self.rng.random((self.count, 1, 1, 1)) < share, dtype=np.float32)

    def sheet(self, half: Point, corner: float = 0.0) -> None:
        """The paper itself, with its shadow."""
        lay(self.picture, 0.0, self.brush.box((0.03, 0.04), half, corner) * self.vary(0.1, 0.5))
        lay(self.picture, self.paper, self.brush.box((0.0, 0.0), half, corner))

    def tint(self, mask: Array, share: Number = 1.0) -> None:
        """Lay the accent colour over the mask."""
        lay(self.picture, self.accent, mask * share)

    def print(self, mask: Array, share: Number = 0.85) -> None:
        """Lay ink over the mask."""
        lay(self.picture, self.ink, mask * share)

    def frame(self, centre: Point, half: tuple[float, float], width: float = 0.035) -> None:
        """A printed rectangle without a filling."""
        inner = self.brush.box(centre, (half[0] - width, half[1] - width))
        self.print(ring(self.brush.box(centre, half), inner), 0.7)

    def writing(
        self,
        top: Number,
        left: float,
        right: float,
        *,
        rows: int,
        pitch: float = 0.11,
        ragged: float = 0.3,
        dense: float = 0.78,
        height: float = 0.05,
    ) -> None:
        """Rows of words from `left` to at most `right`; the last `ragged` share of a row may be missing."""
        down = (self.brush.y - top) / pitch
        row = np.clip(np.floor(down), 0, _ROWS - 1)
        off = np.abs(down - row - np.float32(0.5)) * pitch
        column = np.clip((self.brush.x - left) * np.float32(14), 0, _CELLS - 1)
        shape = (self.count, _ROWS, _CELLS)
        words = self.rng.random(shape, dtype=np.float32)
        words = (words < dense) * (np.float32(0.45) + words * np.float32(0.7))
        place = row.astype(np.int64) * _CELLS + column.astype(np.int64)
        word = np.take_along_axis(words.reshape(self.count, -1), place.reshape(self.count, -1), axis=1)
        ends = right - self.rng.random((self.count, _ROWS), dtype=np.float32) * np.float32(ragged * (right - left))
        end = np.take_along_axis(ends, row.astype(np.int64).reshape(self.count, -1), axis=1)
        shown = (down >= 0) & (down < rows) & (self.brush.x >= left) & (self.brush.x <= end.reshape(down.shape))
        stroke = np.clip(np.float32(0.5) + (height / 2 - off) * self.brush.scale, 0, 1)
        self.print(stroke * word.reshape(down.shape) * shown)

    def portrait(self, centre: tuple[float, float], half: tuple[float, float], share: float = 1.0) -> None:
        """A passport photograph: somebody before a plain wall."""
        box = self.brush.box(centre, half)
        lay(self.picture, colours(self.rng, self.count, ((206, 214, 222), (226, 224, 218))), box * share)
        inside = self.brush.moved(*centre)
        hair, skin = colours(self.rng, self.count, _HAIRS), colours(self.rng, self.count, _FACES)
        wide = self.vary(0.42, 0.6)
        lay(self.picture, hair, inside.ellipse((0.0, -0.2 * half[1]), (half[0] * (wide + 0.12), half[1] * 0.6)) * share)
        lay(self.picture, skin, inside.ellipse((0.0, -0.06 * half[1]), (half[0] * wide, half[1] * 0.5)) * share)
        coat = inside.ellipse((0.0, half[1] * 1.1), (half[0] * 0.9, half[1] * 0.6)) * box
        lay(self.picture, colours(self.rng, self.count, ((50, 54, 70), (120, 60, 60), (80, 96, 84))), coat * share)

    def specimen(self) -> None:
        """The strokes of the word that marks a document as nobody's, aslant, too small to be read."""
        aslant = self.brush.turned(self.vary(-0.3, -0.18))
        letter = (aslant.x + 9) * np.float32(7)
        gap = (letter - np.floor(letter) < 0.62) & (np.abs(aslant.x) < 0.72)
        height = np.clip((np.float32(0.1) - np.abs(aslant.y)) * aslant.scale, 0, 1)
        lay(self.picture, self.accent * np.float32(0.8), height * gap * np.float32(0.28))

    def guilloche(self, half: tuple[float, float]) -> None:
        """A pattern of fine curved lines."""
        bend = clouds(self.rng, self.count, 4, self.picture.shape[-1])
        wave = self.brush.y * 5 + self.brush.x * self.vary(-1.5, 1.5) + bend * 2
        lines = np.abs(wave - np.floor(wave) - np.float32(0.5)) * 2
        self.tint(self.brush.box((0.0, 0.0), half) * lines, 0.4)

    def bars(self, centre: tuple[float, float], half: tuple[float, float], across: bool = True) -> None:
        """A barcode; its bars stand side by side, or lie above each other."""
        along = self.brush.x - centre[0] if across else self.brush.y - centre[1]
        cells = np.clip((along + np.float32(1)) * 20, 0, _CELLS - 1).astype(np.int64)
        bars = self.rng.random((self.count, _CELLS)) < 0.55
        black = np.take_along_axis(bars, cells.reshape(self.count, -1), axis=1).reshape(cells.shape)
        self.print(self.brush.box(centre, half) * black)

    def signature(self, centre: tuple[float, float], wide: float) -> None:
        """A few quick strokes of a pen."""
        x = centre[0] - wide
        stroke = []
        for _ in range(5):
            start = (x + self.vary(0.0, wide * 0.2), centre[1] + self.vary(-0.07, 0.07))
            x += wide * 0.36
            stroke.append(
                self.brush.line(start, (x + self.vary(-0.04, 0.04), centre[1] + self.vary(-0.07, 0.07)), 0.035)
            )
        lay(
            self.picture,
            colours(self.rng, self.count, ((28, 44, 110), (30, 30, 34))),
            joined(*stroke) * np.float32(0.85),
        )


def _passport(page: Page) -> None:
    page.sheet((0.98, 0.72), 0.04)
    page.guilloche((0.94, 0.68))
    page.writing(-0.64, -0.9, page.vary(-0.2, 0.1).min(), rows=1, height=0.07)
    page.portrait((-0.6, -0.12), (0.28, 0.36))
    page.writing(page.vary(-0.5, -0.4), -0.22, 0.86, rows=7, pitch=0.115, ragged=0.6)
    _machine_lines(page, 0.38)
    page.specimen()


def _machine_lines(page: Page, top: float) -> None:
    """The two dense lines that machines read."""
    lay(page.picture, 0.93, page.brush.box((0.0, top + 0.15), (0.94, 0.17)) * np.float32(0.8))
    page.writing(top, -0.9, 0.9, rows=2, pitch=0.15, ragged=0.0, dense=0.95, height=0.08)


def _visa(page: Page) -> None:
    page.sheet((0.98, 0.7))
    page.guilloche((0.95, 0.67))
    page.tint(page.brush.box((0.0, -0.58), (0.95, 0.09)), 0.8)
    page.portrait((-0.7, -0.06), (0.2, 0.28))
    page.writing(page.vary(-0.42, -0.36), -0.42, 0.62, rows=6, pitch=0.12, ragged=0.5)
    page.tint(ring(page.brush.ellipse((0.72, -0.1), (0.2, 0.2)), page.brush.ellipse((0.72, -0.1), (0.12, 0.12))), 0.7)
    _machine_lines(page, 0.36)
    page.specimen()


def _identity_card(page: Page) -> None:
    page.sheet((0.98, 0.62), 0.1)
    page.guilloche((0.9, 0.54))
    page.writing(-0.53, -0.86, 0.5, rows=1, height=0.08)
    page.portrait((-0.6, 0.08), (0.26, 0.36))
    lay(
        page.picture,
        rgb(0.84, 0.72, 0.4),
        page.brush.box((0.7, -0.16), (0.15, 0.12), 0.04),
    )
    page.writing(page.vary(-0.3, -0.24), -0.22, 0.46, rows=6, pitch=0.125, ragged=0.5)
    page.specimen()


def _driving_licence(page: Page) -> None:
    page.sheet((0.98, 0.62), 0.1)
    page.tint(page.brush.box((0.0, 0.0), (0.9, 0.54)), 0.18)
    page.tint(page.brush.box((-0.74, -0.44), (0.14, 0.1), 0.02))
    page.writing(-0.5, -0.5, 0.8, rows=1, height=0.08)
    page.portrait((-0.6, 0.1), (0.26, 0.36))
    page.writing(page.vary(-0.3, -0.24), -0.22, 0.42, rows=5, pitch=0.12, ragged=0.5)
    page.portrait((0.72, 0.04), (0.13, 0.18), 0.45)
    for number in range(6):
        page.frame((-0.14 + number * 0.18, 0.46), (0.075, 0.075), 0.03)
    page.specimen()


def _boarding_pass(page: Page) -> None:
    page.sheet((1.04, 0.46), 0.05)
    page.tint(page.brush.box((0.0, -0.37), (1.02, 0.08)))
    gaps = page.brush.y * 9
    page.print(page.brush.box((0.46, 0.0), (0.015, 0.46)) * (gaps - np.floor(gaps) < 0.6), 0.6)
    page.writing(page.vary(-0.22, -0.18), -0.94, 0.3, rows=2, pitch=0.17, height=0.09, ragged=0.3)
    page.writing(0.14, -0.94, 0.0, rows=2, pitch=0.12)
    page.bars((0.2, 0.24), (0.16, 0.15), across=True)
    page.writing(-0.2, 0.54, 0.96, rows=5, pitch=0.12)


def _letter(page: Page) -> None:
    page.sheet((0.72, 1.0))
    page.tint(page.brush.box((page.vary(-0.5, 0.45), -0.86), (page.vary(0.08, 0.16), 0.05)))
    page.writing(-0.72, -0.58, 0.0, rows=3, pitch=0.09)
    page.writing(page.vary(-0.32, -0.26), -0.58, 0.6, rows=4, pitch=0.085, ragged=0.15)
    page.writing(page.vary(0.14, 0.18), -0.58, 0.6, rows=4, pitch=0.085, ragged=0.25)
    page.signature((-0.3, 0.74), 0.22)


def _invoice(page: Page) -> None:
    page.sheet((0.72, 1.0))
    page.tint(page.brush.box((page.vary(-0.5, -0.4), -0.84), (page.vary(0.1, 0.2), 0.07)))
    page.writing(-0.88, 0.1, 0.6, rows=3, pitch=0.09)
    page.writing(-0.58, -0.58, -0.05, rows=2, pitch=0.09)
    top = page.vary(-0.32, -0.2)
    page.tint(page.brush.box((0.0, top), (0.6, 0.055)), 0.7)
    page.writing(top + 0.07, -0.58, 0.1, rows=7, pitch=0.105, ragged=0.5)
    page.writing(top + 0.07, 0.38, 0.58, rows=7, pitch=0.105, ragged=0.2)
    page.print(page.brush.box((0.0, top + 0.83), (0.6, 0.02)), 0.7)
    page.writing(top + 0.88, 0.2, 0.58, rows=2, pitch=0.12, ragged=0.1, height=0.07)


def _form(page: Page) -> None:
    page.sheet((0.72, 1.0))
    page.writing(-0.88, -0.5, 0.5, rows=1, height=0.09, ragged=0.4)
    for number in range(5):
        down = -0.6 + number * 0.25
        page.frame((0.16, down), (0.44, 0.085), 0.03)
        page.writing(down - 0.05, -0.6, -0.3, rows=1)
        page.writing(down - 0.05, -0.24, 0.56, rows=1, ragged=0.95)
    for number in range(3):
        page.frame((-0.52 + number * 0.42, 0.66), (0.065, 0.065), 0.03)
        page.writing(0.61, -0.42 + number * 0.42, -0.2 + number * 0.42, rows=1)
    page.signature((0.3, 0.86), 0.2)


def _receipt(page: Page) -> None:
    page.sheet((0.38, 1.0))
    page.writing(-0.9, -0.24, 0.24, rows=2, pitch=0.11, height=0.07)
    page.writing(page.vary(-0.62, -0.56), -0.31, 0.06, rows=9, pitch=0.095, ragged=0.5)
    page.writing(-0.59, 0.17, 0.31, rows=9, pitch=0.095, ragged=0.2)
    page.writing(0.42, -0.31, 0.31, rows=1, ragged=0.0, height=0.09)
    page.bars((0.0, 0.76), (0.28, 0.12))


def _certificate(page: Page) -> None:
    page.sheet((0.98, 0.72))
    outer, inner = page.brush.box((0.0, 0.0), (0.92, 0.66)), page.brush.box((0.0, 0.0), (0.85, 0.59))
    page.tint(ring(outer, inner), 0.9)
    page.writing(-0.46, -0.5, 0.5, rows=1, ragged=0.05, height=0.12, pitch=0.14)
    page.writing(page.vary(-0.24, -0.16), -0.62, 0.62, rows=3, pitch=0.12, ragged=0.1)
    page.tint(page.brush.ellipse((page.vary(0.4, 0.6), 0.38), (0.13, 0.13)))
    page.signature((-0.4, 0.4), 0.22)


TYPES: Final[dict[str, Callable[[Page], None]]] = {
    "passport": _passport,
    "visa": _visa,
    "identity card": _identity_card,
    "driving licence": _driving_licence,
    "boarding pass": _boarding_pass,
    "letter": _letter,
    "invoice": _invoice,
    "form": _form,
    "receipt": _receipt,
    "certificate": _certificate,
}
