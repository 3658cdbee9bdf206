"""The truth file: written, read without trusting it, and used to undo a drill."""
