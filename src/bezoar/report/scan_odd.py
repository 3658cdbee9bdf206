"""Classes that stand out and are no findings, as a page shows them: what is odd in them, and why it is none."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.records import FlipTest, OddPart, Rate, ScanRecord
from bezoar.report.phrases import brief, measured, percent_in_words, sentence
from bezoar.report.scan_pictures import GalleryPair, gallery_pairs

MOST_PARTS, MOST_PAIRS = 8, 8
MOST_BYTES = 400_000


@dataclass(frozen=True)
class ShownPart:
    """A part in words, and its pictures as far as they fit."""

    class_name: str
    why: str
    count: int
    flips: str
    content: str
    pairs: tuple[GalleryPair, ...]


def shown_parts(record: ScanRecord) -> tuple[tuple[ShownPart, ...], int]:
    """The first 8 parts, and how many are left."""
    parts = record.odd[:MOST_PARTS]
    return tuple(_shown(part, MOST_BYTES // len(parts)) for part in parts), len(record.odd) - len(parts)


def _shown(part: OddPart, most_bytes: int) -> ShownPart:
    return ShownPart(
        brief(part.class_name),
        f"It stands out, but {sentence(part.why)}",
        len(part.samples),
        _flips(part),
        part.content,
        gallery_pairs(part.pictures[:MOST_PAIRS], most_bytes),
    )


def _flips(part: OddPart) -> str:
    test = part.flip_test
    if not isinstance(test, FlipTest):
        return f"No trigger was tried: {test.reason}."
    flips, control = measured(test.flips), measured(test.control)
    if not (isinstance(flips, Rate) and isinstance(control, Rate)):
        return "What a trigger recovered from them does could not be measured."
    return (
        f"What was recovered from them turns {percent_in_words(flips.value)} of clean samples to this class, "
        f"{percent_in_words(control.value)} under the strongest control."
    )
