"""Attacks made to slip past defences, and the cover samples that they use."""
