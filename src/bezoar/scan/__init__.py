"""Scan: find the poison in a data set, show it, prove it."""

from bezoar.scan.scan import TrainedModel, scan
from bezoar.scan.settings import ScanSettings

__all__ = ["ScanSettings", "TrainedModel", "scan"]
