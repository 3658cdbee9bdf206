"""Attacks that relabel what they poison."""
