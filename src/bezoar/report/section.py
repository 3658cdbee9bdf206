"""A section of a report: where it goes, what it says, which template shows it.

A new kind of record brings a module with a tuple of these and its templates; `page.KINDS` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """`view(record)` makes the values that `template` shows under the heading `title`; None leaves the section out."""

    anchor: str
    title: str
    template: str
    view: Callable[[Any], Mapping[str, object] | None]


@dataclass(frozen=True)
class Headline:
    """The verdict of a report: what kind it is, one plain sentence, and what qualifies it.

    `level` chooses colour and icon: 'bad', 'unclear' or 'calm'.
    """

    level: str
    label: str
    sentence: str
    explanation: str
    cautions: tuple[str, ...] = ()
