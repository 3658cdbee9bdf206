"""Exit codes of the command line."""

from __future__ import annotations

from bezoar.records import RepairRecord, ScanRecord
from bezoar.records.inspecting import InspectionRecord
from bezoar.records.scanning import Strength

NOTHING_FOUND, FOUND, ERROR, INCONCLUSIVE, WRONG_USAGE = 0, 1, 2, 3, 4

INTERRUPTED, READER_GONE, TERMINATED = 130, 141, 143
"""As a shell names those that SIGINT, SIGPIPE and SIGTERM ended."""


def code_of(record: ScanRecord | InspectionRecord, fail_on: Strength) -> int:
    """The exit code of scan or inspect. With `fail_on` confirmed, what is only suspicious counts as nothing found."""
    if record.verdict == "inconclusive":
        return INCONCLUSIVE
    failing = ("confirmed",) if fail_on == "confirmed" else ("confirmed", "suspicious")
    return FOUND if record.verdict in failing else NOTHING_FOUND


def code_of_repair(record: RepairRecord) -> int:
    """The exit code of a repair: whether a backdoor is found yet, or whether that could not be told."""
    codes = {
        "works no more": NOTHING_FOUND,
        "signs are left": FOUND,
        "still works": FOUND,
        "could not be told": INCONCLUSIVE,
    }
    return codes[record.verdict]
