"""Detectors of suspicious samples, one a file. Each is a pure function of evidence."""
