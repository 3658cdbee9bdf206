"""Suspicion put to the test: recover the trigger, put it on clean samples, and see whether they go over."""
