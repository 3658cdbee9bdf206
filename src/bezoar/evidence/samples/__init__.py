"""Evidence taken from the samples alone, no network needed, one kind a file."""
