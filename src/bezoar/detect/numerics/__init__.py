"""Statistics that several detectors share: pure functions, most of them as passes whose results merge."""
