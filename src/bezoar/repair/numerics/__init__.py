"""The arithmetic of repairs: pure functions of tensors, which know neither a model nor data."""
