"""Readers: whatever names data to a Dataset, safely, with the same ids however the data are kept."""
