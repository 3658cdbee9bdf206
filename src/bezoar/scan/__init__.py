"""The scan: evidence, detectors, one answer, and what is odd about the data without being poison."""
