"""The files by which others' pipelines run a scan: what they name exists, and their script gives what they promise."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from typer.main import get_command

from bezoar.cli.app import app
from bezoar.records.scanning import Strength
from bezoar.scan.panel import Budget

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
INSTALL, SCAN = ACTION["runs"]["steps"]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def options_of(verb: str) -> set[str]:
    command = get_command(app).commands[verb]
    return {option for parameter in command.params for option in parameter.opts}


def test_every_input_of_the_action_is_explained_and_used():
    assert ACTION["runs"]["using"] == "composite"
    used = set(re.findall(r"inputs\.([\w-]+)", str([step["env"] for step in ACTION["runs"]["steps"]])))
    assert set(ACTION["inputs"]) == used
    for name, about in ACTION["inputs"].items():
        assert about["description"], name
        assert about.get("required") or about["default"], name
    assert ACTION["inputs"]["budget"]["default"] in get_args(Budget)
    assert ACTION["inputs"]["fail-on"]["default"] in get_args(Strength)
    assert ACTION["outputs"]["code"]["value"] == "${{ steps.scan.outputs.code }}"
    assert SCAN["id"] == "scan"


def test_inputs_reach_scripts_by_the_environment_alone():
    for step in (INSTALL, SCAN):
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        for name in step["env"]:
            assert f'"${name}"' in step["run"], name


def test_the_action_installs_this_project_with_its_pins():
    assert '-c "$pinned" "$GITHUB_ACTION_PATH"' in INSTALL["run"]
    assert "$GITHUB_ACTION_PATH/constraints.txt" in INSTALL["run"]
    assert (ROOT / "constraints.txt").exists()
    assert (ROOT / "pyproject.toml").exists()


def test_the_action_and_the_hook_use_options_that_exist():
    (words,) = re.findall(r"/bezoar\" (scan .*?) \|\|", SCAN["run"].replace("\\\n", ""), flags=re.DOTALL)
    for command in (shlex.split(words), shlex.split(HOOK["entry"])[1:]):
        assert command[0] == "scan"
        given = {word for word in command if word.startswith("--") and word != "--"}
        assert given <= options_of("scan")
        assert given


def test_the_hook_is_what_pre_commit_expects():
    assert HOOK["id"] == "bezoar-scan"
    assert HOOK["language"] == "python"
    assert HOOK["pass_filenames"] is False
    assert shlex.split(HOOK["entry"])[0] == "bezoar"
    assert "--budget quick" in HOOK["entry"]


def test_no_host_is_named():
    for name in ("action.yml", ".pre-commit-hooks.yaml"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
        assert "index-url" not in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("data", "code"), [("few $(touch broken).npz", 3), ("nowhere", 4)])
def test_the_script_of_the_action_runs(tmp_path, data, code):
    venv = tmp_path / "bezoar/bin"
    venv.mkdir(parents=True)
    (venv / "bezoar").symlink_to(Path(sys.executable).parent / "bezoar")
    np.savez(tmp_path / "few $(touch broken).npz", images=np.zeros((20, 8, 8, 3), np.uint8), labels=np.arange(20) % 2)
    told = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "BEZOAR_CACHE": str(tmp_path / "cache"),
        "SCAN_DATA": data,
    }
    defaults = {
        f"SCAN_{name.upper().replace('-', '_')}": about.get("default", "") for name, about in ACTION["inputs"].items()
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCAN["run"]],
        cwd=tmp_path,
        env={**os.environ, **defaults, **told, "SCAN_BUDGET": "quick"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert (tmp_path / "outputs").read_text() == f"code={code}\n"
    assert not (tmp_path / "broken").exists()
    assert (tmp_path / "bezoar.sarif").exists() == (code == 3)
    assert (tmp_path / "bezoar-scan/report.html").exists() == (code == 3)
