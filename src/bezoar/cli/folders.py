"""Run folders: new or empty, or an earlier run's own files."""

from __future__ import annotations

from pathlib import Path

from bezoar.errors import OutputExistsError


def new_folder(path: Path, *, own_files: frozenset[str] = frozenset()) -> Path:
    """Make the folder `path`. It may exist when it is empty or holds nothing but `own_files`.

    Raises OutputExistsError otherwise, so that nothing of a user's is overwritten.
    """
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"{path} is a file", expected="a folder to write to", remedy="Give another --out")
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in own_files) if path.exists() else []
    if strangers:
        raise OutputExistsError(
            f"{path} is not empty",
            found=", ".join(strangers[:4]) + (" and more" if len(strangers) > 4 else ""),
            remedy="Give another --out, or empty this folder yourself",
        )
    path.mkdir(parents=True, exist_ok=True)
    return path
