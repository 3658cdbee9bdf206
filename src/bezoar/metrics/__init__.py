"""What a model or a detector is worth, from its answers alone: pure functions that never run a model."""
