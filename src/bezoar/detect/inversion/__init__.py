"""Trigger inversion: for each class the smallest change of one form that leads clean inputs to it, all at once."""
