"""The pictures of a finding as a page shows them: checked, and kept within a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from bezoar.records import Finding, Picture, RecoveredTrigger, SuspectPicture
from bezoar.report.pictures import address, is_small

MOST_EXAMPLES = 8
MOST_PAIRS = 24

P = TypeVar("P", bound=tuple[Picture | None, ...])


@dataclass(frozen=True)
class Still:
    """One picture with its address inside the page; small ones are enlarged without smoothing."""

    source: Markup
    alt: str
    width: int
    height: int
    enlarged: bool


@dataclass(frozen=True)
class GalleryPair:
    """A suspect beside its nearest sample that is no suspect, if there is one."""

    id: str
    score: float
    caption: str
    suspect: Still
    neighbour: Still | None


@dataclass(frozen=True)
class FindingPictures:
    """What fits of the trigger's pictures and of the gallery; the counts say how much was recorded and left out."""

    pattern: Still | None
    examples: tuple[tuple[Still, Still], ...]
    examples_left_out: int
    pairs: tuple[GalleryPair, ...]
    pairs_left_out: int


def finding_pictures(finding: Finding, *, most_bytes: int) -> FindingPictures:
    """The pattern, then up to 8 examples, then up to 24 pairs of the gallery, as far as `most_bytes` of base64 reach.

    Raises RecordError where a picture is not a PNG in base64.
    """
    trigger = finding.trigger if isinstance(finding.trigger, RecoveredTrigger) else None
    recorded = trigger.examples if trigger else ()
    pattern = trigger.pattern if trigger else None
    if pattern is not None and len(pattern.png) > most_bytes:
        pattern = None
    left = most_bytes - (len(pattern.png) if pattern else 0)
    examples = fitting(recorded[:MOST_EXAMPLES], left)
    left -= sum(map(_size, examples))
    pairs = gallery_pairs(finding.pictures[:MOST_PAIRS], left)
    return FindingPictures(
        still("trigger.pattern", pattern) if pattern else None,
        tuple((still("trigger.examples", before), still("trigger.examples", after)) for before, after in examples),
        len(recorded) - len(examples),
        pairs,
        len(finding.pictures) - len(pairs),
    )


def gallery_pairs(pictures: Sequence[SuspectPicture], most_bytes: int) -> tuple[GalleryPair, ...]:
    """The first of them, as far as `most_bytes` of base64 reach. Raises RecordError as `still`."""
    kept = fitting([(one.suspect, one.neighbour) for one in pictures], most_bytes)
    return tuple(map(_pair, pictures[: len(kept)]))


def still(field: str, picture: Picture) -> Still:
    """The picture, checked. Raises RecordError naming `field` where it is not a PNG in base64."""
    return Still(address(field, picture.png), picture.alt, picture.width, picture.height, is_small(picture))


def _pair(one: SuspectPicture) -> GalleryPair:
    neighbour = None if one.neighbour is None else still("pictures.neighbour", one.neighbour)
    return GalleryPair(one.id, one.score, one.caption, still("pictures.suspect", one.suspect), neighbour)


def fitting(groups: Sequence[P], most_bytes: int) -> list[P]:
    """The first groups of pictures that stay within `most_bytes` together."""
    kept: list[P] = []
    for group in groups:
        most_bytes -= _size(group)
        if most_bytes < 0:
            break
        kept.append(group)
    return kept


def _size(group: tuple[Picture | None, ...]) -> int:
    return sum(len(picture.png) for picture in group if picture is not None)
