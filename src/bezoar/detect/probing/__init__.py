"""Plain triggers put on clean samples, and where a model sends them: no gradients, no descent."""
