"""The page on scans tells the truth: its commands run, its options and exit codes are those of the program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from bezoar.cli import codes
from bezoar.cli.app import app

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/scan.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_they_stand(tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    shell = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "BEZOAR_CACHE": str(tmp_path / "cache")}
    (commands,) = blocks("bash")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=shell,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    left_out = json.loads((tmp_path / "cleaned.npz.left-out.json").read_text())
    assert {one["target"] for one in left_out["left_out"]} == {"yield"}
    assert 40 <= len(left_out["left_out"]) <= 80  # of 60 that were planted
    assert (tmp_path / "scan.sarif").exists()
    assert (tmp_path / "scan.xml").exists()


def test_the_page_names_every_option_of_its_own_and_none_that_is_not_there() -> None:
    verbs = get_command(app).commands
    options = {
        verb: {option for parameter in verbs[verb].params for option in parameter.opts if option.startswith("--")}
        for verb in ("scan", "clean", "report", "attack")
    }
    named = set(re.findall(r"(--[a-z][a-z-]*)", PAGE))
    assert named <= set.union(*options.values())
    own = {
        "--budget",
        "--model",
        "--trusted",
        "--explain",
        "--findings",
        "--fail-on",
        "--sarif",
        "--junit",
        "--no-cache",
    }
    assert own <= named & options["scan"]
    assert {"--findings", "--min-strength", "--finding", "--out"} <= named & options["clean"]


def test_the_page_tells_the_exit_codes() -> None:
    told = re.findall(r"^\| (\d) \| (.*?) \|$", PAGE, flags=re.MULTILINE)
    assert [int(code) for code, _ in told] == [
        codes.NOTHING_FOUND,
        codes.FOUND,
        codes.ERROR,
        codes.INCONCLUSIVE,
        codes.WRONG_USAGE,
    ]


def test_the_workflow_of_the_page_gives_the_action_what_it_takes() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    step, upload, repository = (yaml.safe_load(block)[0] for block in blocks("yaml"))
    assert set(step["with"]) <= set(action["inputs"])
    assert upload["with"]["sarif_file"] == step["with"]["sarif"]
    assert repository["hooks"][0]["id"] == hook["id"]
