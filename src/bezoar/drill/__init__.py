"""A drill from data to record, told in stages; the demo is one such story."""
