"""The models a user trusts, with which an inspection compared another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceModel:
    """A reference by its name in its folder and the SHA-256 of its file; `kept` says that its figures lay in the cache.

    `shared_classes` of the inspected model's classes go by the same name in it. `silent` are detectors that had no
    figure for it, with the reason of the first.
    """

    name: str
    digest: str
    shared_classes: int
    kept: bool
    silent: tuple[str, ...] = ()
    why_silent: str = ""


@dataclass(frozen=True)
class UnusableReference:
    """A file or folder among the references that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ReferenceModels:
    """The folder, as it was named, and what lay in it."""

    place: str
    used: tuple[ReferenceModel, ...]
    unusable: tuple[UnusableReference, ...]


@dataclass(frozen=True)
class ClassReference:
    """A class beside references: its `own` statistic, what is `usual` there, and the `spread` of that.

    `models` references have a class of this name; 0 where none or one has, and all their classes are taken together.
    """

    own: float
    usual: float
    spread: float
    models: int
