"""Evidence about every sample, gathered once: from the samples alone and from one probe."""

from bezoar.evidence.evidence import Evidence, History, Labels, Matrix, Real

__all__ = ["Evidence", "History", "Labels", "Matrix", "Real"]
