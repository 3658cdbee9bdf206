"""Numbers and names as a reader sees them. Pure functions; nothing here knows HTML."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from bezoar.records import Rate, Skipped

LONGEST_TEXT = 2000
_DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"
)
_RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def visible(text: str) -> str:
    """`text` with nothing hidden in it: control, direction-changing and undecodable characters escaped.

    A class name that turns the reading direction could make a command read as another command.
    Texts past 2,000 characters are cut, and say so.
    """
    shown = "".join(_escaped(character) for character in text[:LONGEST_TEXT])
    left = len(text) - LONGEST_TEXT
    return f"{shown} ... (cut here; {left:,} more characters)" if left > 0 else shown


def _escaped(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _DIRECTION_MARKS or unicodedata.category(character) in ("Cc", "Cs"):
        return character.encode("unicode_escape").decode()
    return character


def words(command: str) -> list[str]:
    """The parts of a command between single spaces, for a page on which only there lines break."""
    return visible(command).split(" ")


def percent(share: float) -> str:
    """A share in 0..1 as per cent, one decimal; never rounded to a full 0% or 100% it is not."""
    if not math.isfinite(share):
        return "not a number"
    if share in (0, 1):
        return f"{share:.0%}"
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share:.1%}"


def percent_in_words(share: float) -> str:
    """`percent` for the inside of a sentence."""
    return percent(share).replace("<", "less than ").replace(">", "more than ")


def points(difference: float) -> str:
    """A difference of two shares in percentage points, with a sign."""
    return f"{difference * 100:+.1f} points".replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", "\u2212")


def measured(rate: Rate | Skipped) -> Rate | Skipped:
    """`rate`, or Skipped where it rests on no trial at all."""
    if isinstance(rate, Rate) and rate.trials == 0:
        return Skipped("no sample to measure it on")
    return rate


def not_measured(skipped: Skipped) -> str:
    """What stands where a number could not honestly be given."""
    return f"not measured: {skipped.reason}"


def interval(rate: Rate) -> str:
    """The 95% interval as `97.1 to 98.9%`."""
    return f"{_bound(rate.low)} to {_bound(rate.high)}%"


def _bound(share: float) -> str:
    return f"{min(max(share, 0.0), 1.0) * 100:.1f}".replace("100.0", "100")


def counts(rate: Rate) -> str:
    """`499 of 500`."""
    return f"{rate.successes:,} of {rate.trials:,}"


def duration(seconds: float) -> str:
    """Seconds as `0.4 s`, `12.3 s`, `2 min 05 s` or `1 h 02 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def significant(value: float, digits: int = 3) -> str:
    """A number with three significant digits, thousands separated."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def p_value(value: float) -> str:
    """A p-value: two digits, and below 0.001 as a power of ten."""
    if not math.isfinite(value):
        return "not a number"
    if value <= 0:
        return "below 10\u207b\u00b3\u2070\u2070"
    if value >= 0.001:
        return significant(value, 2)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}\u00d710{str(int(exponent)).translate(_RAISED)}"


def brief(text: str, most: int = 96) -> str:
    """`text` with its middle left out where it is longer than `most` characters."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends with a mark of its own."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def quoted(name: str) -> str:
    """A name from the data, in quotation marks so that it reads as one."""
    return f"\u201c{name}\u201d"


def some_of(names: Sequence[str], most: int = 4) -> str:
    """`a, b and c`, or the first few and how many more."""
    shown = [quoted(name) for name in names]
    if len(shown) > most:
        return f"{', '.join(shown[: most - 1])} and {len(shown) - most + 1} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part) if shown else "none"
