"""The command line: thin, one function a verb."""

from bezoar.cli.app import main, run

__all__ = ["main", "run"]
