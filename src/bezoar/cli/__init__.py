"""The command line: thin, one function a verb."""

from __future__ import annotations

import sys

__all__ = ["main", "run"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line, see `bezoar.cli.app.run`. Ctrl-C is heard from the start: torch takes seconds to load."""
    try:
        from bezoar.cli import app
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return app.run(arguments)
