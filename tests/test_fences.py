"""Who may import whom: the contracts of pyproject.toml, and the fences round the truth once more by hand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bezoar

ROOT = Path(bezoar.__file__).resolve().parent
PROJECT = Path(__file__).resolve().parents[1]
SEALED_OFF = ("data", "triggers", "training", "report", "evidence", "detect", "confirm", "scan", "repair", "guard")
TRUTH_SIDE = ("bezoar.attacks", "bezoar.truth")


def imported(source: str, package: str) -> Iterator[str]:
    """Every module and attribute that a source text imports, relative imports resolved, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def breaches(source: str, package: str) -> list[str]:
    by_import = [
        name
        for name in imported(source, package)
        if any(name == side or name.startswith(side + ".") for side in TRUTH_SIDE)
    ]
    return by_import + [side for side in TRUTH_SIDE if f'"{side}' in source or f"'{side}" in source]


def test_import_linter_contracts():
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("room", SEALED_OFF)
def test_no_defending_room_knows_the_truth(room):
    for path in sorted((ROOT / room).rglob("*.py")):
        package = ".".join(("bezoar", *path.parent.relative_to(ROOT).parts))
        assert not breaches(path.read_text(encoding="utf-8"), package), path


@pytest.mark.parametrize(
    "source",
    [
        "import bezoar.truth",
        "from bezoar import truth",
        "from bezoar.attacks import undo",
        "from ..attacks.base import Poisoned",
        "def late():\n    from bezoar.truth import PoisonTruth",
        "import importlib\nimportlib.import_module('bezoar.attacks.sealing.undo')",
    ],
)
def test_the_fence_sees_every_way_through(source):
    assert breaches(source, "bezoar.detect")


def test_the_fence_lets_others_pass():
    assert not breaches("from bezoar.data import Dataset\nimport bezoar.records\n# bezoar.truth", "bezoar.detect")


def test_loading_the_defending_rooms_loads_no_truth():
    rooms = [room for room in SEALED_OFF if (ROOT / room / "__init__.py").is_file()]
    script = "; ".join([f"import bezoar.{room}" for room in rooms])
    script += (
        "; import sys; print([name for name in sys.modules if name.startswith(('bezoar.truth', 'bezoar.attacks'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
