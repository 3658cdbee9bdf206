"""Detectors: what is suspicious, from evidence alone. Nothing here knows the truth, an attack, or what a sample is."""
