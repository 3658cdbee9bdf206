"""Exit codes of the command line."""

FOUND, ERROR, INCONCLUSIVE, WRONG_USAGE = 1, 2, 3, 4

INTERRUPTED, READER_GONE = 130, 141
"""As a shell names those that SIGINT and SIGPIPE ended."""
