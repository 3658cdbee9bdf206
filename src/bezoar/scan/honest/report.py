"""All remarks about data that are no poison."""

from __future__ import annotations

import numpy as np

from bezoar.data.dataset import Dataset
from bezoar.evidence import Evidence
from bezoar.evidence.samples.fingerprints import fingerprints
from bezoar.records import Remark
from bezoar.scan.honest.duplicates import duplicate_remarks, find_duplicates
from bezoar.scan.honest.imbalance import balance_remarks, class_balance
from bezoar.scan.honest.label_errors import find_label_errors, label_error_remarks
from bezoar.scan.honest.looks import looks
from bezoar.scan.honest.sources import SourceTable, odd_sources, source_remarks


def remarks_on(data: Dataset, evidence: Evidence) -> tuple[Remark, ...]:
    """Near-duplicates, likely label errors (with a probe), imbalance, and contributors unlike the others
    in labels or looks (where contributors are known).
    """
    prints = fingerprints(data.inputs, data.ids) if data.is_images else None
    found = [*duplicate_remarks(find_duplicates(data.ids, evidence.labels, prints), data.class_names)]
    found += balance_remarks(class_balance(evidence.labels, evidence.classes), data.class_names)
    if evidence.logits is not None:
        errors = find_label_errors(np.asarray(evidence.logits, np.float32), evidence.labels, data.ids)
        found += label_error_remarks(errors, data.class_names)
    if evidence.sources is not None and len(set(evidence.sources) - {None}) > 1:
        statistics = looks(data.inputs) if data.is_images else {}
        table = SourceTable(evidence.labels, evidence.sources, data.class_names, statistics)
        found += source_remarks(odd_sources(table))
    return tuple(found)
