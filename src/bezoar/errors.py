"""Everything bezoar raises or warns of, in one tree.

BezoarError                      exit code 2 on the command line
├── UsageError                   exit code 4: the call's own words are wrong
│   └── SpecError                an unreadable `name:field=value` specification
├── MissingExtraError            an optional package is not installed
├── DataError                    the data cannot be used as they are
│   ├── UnreadableSampleError    one sample cannot be decoded
│   ├── UnsafeDataError          reading on could run code, exhaust memory or leave the folder
│   ├── EmptyDataError           nothing to work on
│   ├── LabelError               a label outside the classes
│   ├── ShapeError               samples of different or unsupported shapes
│   ├── UndividedError           a part was asked for and the data have no parts
│   └── OutputExistsError        writing would overwrite something
├── TriggerError                 a trigger that does not fit the batch
├── AttackError                  an attack that cannot be carried out on these data
├── TruthError                   a truth file that is damaged or belongs to other data
├── TrainingError                training cannot start or go on
│   └── ModelError               a model that cannot be loaded or does not fit the data
└── RecordError                  a record file that cannot be read

BezoarWarning
├── PoisonedDataWarning          the data carry the mark of a poisoning drill
├── TamperedModelWarning         the model carries the mark of a drill
├── SkippedSamplesWarning        samples were left out at the user's request
└── SaturationWarning            much of a trigger vanished where pixels were already at the limit
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from importlib.metadata import requires
from typing import TypeVar

E = TypeVar("E", bound="BezoarError")


class BezoarError(Exception):
    """An error that says what was expected, what was found and what to do.

    The parts are kept apart so that the command line and JSON output can show them apart.
    """

    def __init__(self, what: str, *, expected: str = "", found: str = "", remedy: str = "") -> None:
        self.what = what
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(self._sentence())

    def told_as(self, kind: type[E], what: str) -> E:
        """An error of another kind that opens with `what` and keeps the rest; raise it from this one."""
        return kind(what, expected=self.expected, found=self.found, remedy=self.remedy)

    def _sentence(self) -> str:
        parts = [self.what.rstrip(".")]
        if self.expected:
            parts.append(f"expected {self.expected.rstrip('.')}")
        if self.found:
            parts.append(f"found {self.found.rstrip('.')}")
        sentence = "; ".join(parts) + "."
        remedy = self.remedy if self.remedy.endswith("?") else self.remedy.rstrip(".") + "."
        return f"{sentence} {remedy}" if self.remedy else sentence


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy that names what is spelled much like `name`, or nothing."""
    by_fold = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=3)
    return f"Did you mean {' or '.join(repr(by_fold[match]) for match in near)}?" if near else ""


class UsageError(BezoarError):
    """The call's own words are wrong."""


class SpecError(UsageError):
    """A `name:field=value,...` specification that cannot be read."""


class MissingExtraError(BezoarError):
    """An optional package is needed and not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(
            what,
            expected=f"the extra '{extra}'",
            remedy=f"Install it with: {sys.executable} -m pip install {' '.join(_needed_for(extra))}",
        )


def _needed_for(extra: str) -> list[str]:
    """The requirements of an extra; by these names, since an installer may know nothing of bezoar's."""
    marked = [line.partition(";") for line in requires("bezoar") or ()]
    return [f"'{needed.strip()}'" for needed, _, marker in marked if f'"{extra}"' in marker.replace("'", '"')]


class DataError(BezoarError):
    """The data cannot be used as they are."""


class UnreadableSampleError(DataError):
    """One sample cannot be decoded."""


class UnsafeDataError(DataError):
    """Reading on could run code, exhaust memory or leave the folder."""


class EmptyDataError(DataError):
    """There is nothing to work on."""


class LabelError(DataError):
    """A label lies outside the classes."""


class ShapeError(DataError):
    """Samples have different or unsupported shapes."""


class UndividedError(DataError):
    """A part, such as the test split, was asked for and the data have no parts."""


class OutputExistsError(DataError):
    """Writing would overwrite something."""


class TriggerError(BezoarError):
    """A trigger does not fit the batch it is put on."""


class AttackError(BezoarError):
    """An attack cannot be carried out on these data."""


class TruthError(BezoarError):
    """A truth file is damaged or belongs to other data."""


class TrainingError(BezoarError):
    """Training cannot start or go on."""


class ModelError(TrainingError):
    """A model cannot be loaded or does not fit the data."""


class RecordError(BezoarError):
    """A record file cannot be read."""


class BezoarWarning(UserWarning):
    """Something a user should know that does not stop the work."""


class PoisonedDataWarning(BezoarWarning):
    """The data carry the mark of a poisoning drill."""


class TamperedModelWarning(BezoarWarning):
    """The model carries the mark of a drill that tampered with it or with its training data."""


class SkippedSamplesWarning(BezoarWarning):
    """Samples were left out at the user's request."""


class SaturationWarning(BezoarWarning):
    """Much of a trigger vanished where pixels were already at the limit."""
