"""Scan: find the poison in a data set, show it, prove it."""

from bezoar.scan.gathering import TrainedModel
from bezoar.scan.scan import Scanned, scan, scan_all
from bezoar.scan.settings import ScanSettings

__all__ = ["ScanSettings", "Scanned", "TrainedModel", "scan", "scan_all"]
