"""Attacks that leave every label right."""
