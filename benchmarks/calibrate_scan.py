"""Make the references of a scan's class statistics from a grid of scans (see examples/scan.toml).

    python benchmarks/calibrate_scan.py docs/scans/calibration/scans.jsonl src/bezoar/scan/calibration.json

Clean classes are those of honest data whose kind was named for choosing thresholds, and of the sets of attacks that
were, less their targets and, where covers lie in other classes, less all of them. Detectors on features are calibrated
on classes of at least 400 samples: long tails and tiny sets are left out for them.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bezoar.bench.scan_grid import ScanResult, read_scans
from bezoar.scan.calibration import reference_of
from bezoar.scan.panel import kinds_of

COVERED = ("WaNet", "source-specific", "adaptive blend")
SMALL, LARGE = 60, 400
ON_FEATURES = ("activation-clustering", "spectre", "scan")


def clean_statistics(result: ScanResult, kind: str) -> list[float]:
    """Statistics of the clean classes of one set by detectors of one kind."""
    uneven = "tail" in result.name or "few" in result.name
    if not result.choosing or (not result.honest and result.name in COVERED):
        return []
    if kind in ON_FEATURES and (uneven or result.samples < 10 * LARGE):
        return []
    targets, kinds = set(result.targets), kinds_in(result)
    return [value for spec, name, value in result.statistics if kinds[spec] == kind and name not in targets]


def kinds_in(result: ScanResult) -> dict[str, str]:
    """The kind of each detector whose statistics are kept."""
    return kinds_of(list(dict.fromkeys(spec for spec, _, _ in result.statistics)))


def main() -> None:
    scans, out = Path(sys.argv[1]), Path(sys.argv[2])
    results = list(read_scans(scans.parent).values())
    kinds = sorted({kind for result in results for kind in kinds_in(result).values()})
    table = {}
    for kind in kinds:
        found = {result.key: clean_statistics(result, kind) for result in results}
        values = [value for part in found.values() for value in part]
        smallest = LARGE if kind in ON_FEATURES else SMALL
        reference = reference_of(values, sum(bool(part) for part in found.values()), smallest=smallest)
        table[kind] = {name: round(v, 5) if isinstance(v, float) else v for name, v in asdict(reference).items()}
        table[kind]["quantiles"] = [round(value, 5) for value in reference.quantiles]
        top = sorted(values)[-3:]
        cut = reference.start + reference.excess * 6.9
        print(f"{kind}: {len(values)} classes, highest {top}, p of the highest {reference.p_value(top[-1]):.2g}")
        print(f"  start {reference.start:.3f}, excess {reference.excess:.4f}, p of 1e-4 at {cut:.2f}")
    out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
