"""Names of the parts of a data set, and which of those present is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bezoar.errors import DataError, UndividedError, UsageError

_ALIASES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
}
_STEM = re.compile(r"[-_.]")


def is_split(name: str) -> bool:
    """Whether a folder's or file's name is that of a split."""
    return any(name.casefold() in aliases for aliases in _ALIASES.values())


def split_prefix(stem: str) -> str | None:
    """The split that a file's name begins with, as in train-00000-of-00002, or None."""
    first = _STEM.split(stem, maxsplit=1)[0]
    return first if is_split(first) else None


def choose_split(split: str, present: Iterable[str], where: str) -> str:
    """The present name that `split` means: itself, an alias, or, for test, the validation part.

    Raises DataError with those present when there is none, UsageError where `split` is no usual name of one.
    """
    names = list(present)
    for wanted in _candidates(split):
        for name in names:
            if name.casefold() == wanted:
                return name
    raise (DataError if _is_usual(split) else UsageError)(
        f"{where} has no split {split!r}",
        expected="one of " + ", ".join(sorted(names)),
        remedy="Choose one of these as the split",
    )


def whole_set(split: str, where: str) -> None:
    """Accept an undivided set as the training split; raise UndividedError when another part was asked for.

    A `split` that is no usual name of one, and so perhaps misspelt, is a UsageError.
    """
    if split.casefold() not in _ALIASES["train"]:
        raise (UndividedError if _is_usual(split) else UsageError)(
            f"{where} has no split {split!r}",
            found="one undivided set",
            remedy="Name other data for this purpose, or divide these into train and test first",
        )


def _is_usual(split: str) -> bool:
    return any(split.casefold() in aliases for aliases in _ALIASES.values())


def _candidates(split: str) -> tuple[str, ...]:
    wanted = split.casefold()
    own = next((aliases for aliases in _ALIASES.values() if wanted in aliases), ())
    fallback = _ALIASES["validation"] if wanted in _ALIASES["test"] else ()
    return (wanted, *own, *fallback)
