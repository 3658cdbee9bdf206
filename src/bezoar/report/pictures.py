"""Picture pairs as a page shows them: checked, marked right, wrong or hijacked, and kept within a size."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from bezoar.errors import RecordError
from bezoar.records import Picture, PicturePair

MOST_BYTES = 1_800_000
MOST_PAIRS = 48
SMALL_SIDE = 160
_PNG = b"\x89PNG\r\n\x1a\n"

State = Literal["right", "wrong", "hijacked"]


@dataclass(frozen=True)
class Answer:
    """What the model said of one picture, and how that is to be read."""

    state: State
    word: str
    prediction: str
    confidence: float


@dataclass(frozen=True)
class Shot:
    """One picture with its address inside the page; small ones are enlarged without smoothing."""

    source: Markup
    alt: str
    width: int
    height: int
    enlarged: bool
    answer: Answer


@dataclass(frozen=True)
class Pair:
    """A clean picture and the same one triggered; `trigger` is its number from 1 where there are several, else 0."""

    true_class: str
    trigger: int
    clean: Shot
    triggered: Shot


def gallery(pairs: Sequence[PicturePair], relabellings: Sequence[Mapping[str, str]]) -> tuple[Pair, ...]:
    """The first pairs that fit on a page of limited size (1.8 MB of pictures, 48 pairs).

    `relabellings` are the target of each source class, one mapping for each backdoor.
    Raises RecordError where a picture is not a PNG in base64.
    """
    shown: list[Pair] = []
    size = 0
    for number, pair in enumerate(pairs[:MOST_PAIRS]):
        size += len(pair.clean.png) + len(pair.triggered.png)
        if size > MOST_BYTES:
            break
        shown.append(_pair(number, pair, relabellings))
    return tuple(shown)


def _pair(number: int, pair: PicturePair, relabellings: Sequence[Mapping[str, str]]) -> Pair:
    known = 0 <= pair.backdoor < len(relabellings)
    target = relabellings[pair.backdoor].get(pair.true_class) if known else None
    clean = _clean_answer(pair)
    triggered = _triggered_answer(pair, target)
    return Pair(
        pair.true_class,
        pair.backdoor + 1 if len(relabellings) > 1 else 0,
        _shot(f"pairs[{number}].clean", pair.clean, clean),
        _shot(f"pairs[{number}].triggered", pair.triggered, triggered),
    )


def _clean_answer(pair: PicturePair) -> Answer:
    right = pair.clean_prediction == pair.true_class
    return Answer(
        "right" if right else "wrong", "Right" if right else "Wrong", pair.clean_prediction, pair.clean_confidence
    )


def _triggered_answer(pair: PicturePair, target: str | None) -> Answer:
    """Hijacked only where the trigger changed the answer to the target: a picture misread before proves nothing."""
    prediction, confidence = pair.triggered_prediction, pair.triggered_confidence
    if prediction == pair.true_class:
        return Answer("right", "Unmoved", prediction, confidence)
    if prediction == target and pair.clean_prediction != target:
        return Answer("hijacked", "Hijacked", prediction, confidence)
    return Answer("wrong", "Wrong", prediction, confidence)


def _shot(field: str, picture: Picture, answer: Answer) -> Shot:
    return Shot(address(field, picture.png), picture.alt, picture.width, picture.height, is_small(picture), answer)


def is_small(picture: Picture) -> bool:
    """Whether a page enlarges it, without smoothing."""
    return max(picture.width, picture.height) <= SMALL_SIDE


def address(field: str, png: str) -> Markup:
    """The picture as an address inside the page. Raises RecordError naming `field` where it is no PNG in base64."""
    try:
        valid = base64.b64decode(png, validate=True).startswith(_PNG)
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        raise RecordError(
            f"{field}.png cannot be shown",
            expected="a PNG in base64",
            found=f"{png[:16]!r}..." if png else "nothing",
            remedy="Write a new record by running the command that made it",
        )
    # Only base64 characters are left, so nothing needs escaping.
    return Markup("data:image/png;base64,") + Markup(png)
