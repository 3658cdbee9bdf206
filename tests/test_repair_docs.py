"""The page on repairing tells the truth: its commands run, its options, methods and exit codes are those of the program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bezoar.cli import codes
from bezoar.cli.app import app
from bezoar.repair import REPAIRS
from bezoar.repair.auto import CHEAP_FIRST

PAGE = (Path(__file__).parent.parent / "docs/repair.md").read_text(encoding="utf-8")


@pytest.mark.nightly
def test_the_commands_of_the_page_run_as_they_stand(tmp_path: Path) -> None:
    (commands,) = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    measured = json.loads((tmp_path / "repaired/evaluation/record.json").read_text())["victim"]["measurement"]
    assert measured["attack_success"]["successes"] < 0.15 * measured["attack_success"]["trials"]


def test_the_page_names_every_option_method_and_exit_code() -> None:
    verbs = get_command(app).commands
    options = {
        verb: {option for parameter in verbs[verb].params for option in parameter.opts if option.startswith("--")}
        for verb in ("repair", "attack", "train", "evaluate")
    }
    named = set(re.findall(r"(--[a-z][a-z-]*)", PAGE))
    assert named <= set.union(*options.values())
    own = {"--clean", "--data", "--suspects", "--findings", "--trigger", "--target", "--method", "--factory", "--out"}
    assert own <= named & options["repair"]
    methods = re.findall(r"^\| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE)
    assert tuple(methods) == (*dict.fromkeys(spec.split(":")[0] for spec in CHEAP_FIRST), "fine-tune")
    assert set(methods) == {name for name in REPAIRS.names() if REPAIRS.get(name).__module__.startswith("bezoar.")}
    told = [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, flags=re.MULTILINE)]
    assert told == [codes.NOTHING_FOUND, codes.FOUND, codes.ERROR, codes.INCONCLUSIVE, codes.WRONG_USAGE]
