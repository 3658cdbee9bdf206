"""What is odd about data without being poison: duplicates, likely label errors, imbalance, odd contributors.

Each is a pure function that gives its findings as data, by id, and a second that tells them as `Remark`s.
"""

from bezoar.scan.honest.duplicates import (
    ChangedCopy,
    DuplicateGroup,
    Duplicates,
    duplicate_remarks,
    find_duplicates,
)
from bezoar.scan.honest.imbalance import ClassBalance, balance_remarks, class_balance
from bezoar.scan.honest.label_errors import LabelErrors, LikelyError, find_label_errors, label_error_remarks
from bezoar.scan.honest.sources import OddSource, concentration, odd_sources, source_remarks

__all__ = [
    "ChangedCopy",
    "ClassBalance",
    "DuplicateGroup",
    "Duplicates",
    "LabelErrors",
    "LikelyError",
    "OddSource",
    "balance_remarks",
    "class_balance",
    "concentration",
    "duplicate_remarks",
    "find_duplicates",
    "find_label_errors",
    "label_error_remarks",
    "odd_sources",
    "source_remarks",
]
