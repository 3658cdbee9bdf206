"""The page on inspections tells the truth: its commands and its Python run as they stand, its options are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bezoar.detect import models  # noqa: F401  registers
from bezoar.detect.models.base import MODEL_DETECTORS
from bezoar.inspection.calibration import model_calibration

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/inspect.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.nightly
def test_the_commands_and_the_python_of_the_page_run_as_they_stand(tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    shell = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    (commands,), (code,) = blocks("bash"), blocks("python")
    for command in (["bash", "-euo", "pipefail", "-c", commands], [sys.executable, "-W", "ignore", "-c", code]):
        done = subprocess.run(command, cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "inspection/report.html").exists()
    assert "stop" in done.stdout


def test_every_detector_is_named_and_the_figures_rest_on_what_the_page_says() -> None:
    for name in MODEL_DETECTORS.names():
        assert f"`{name}`" in PAGE, name
    known = model_calibration()
    assert f"{known.alarms} of {known.clean_models} without a backdoor" in PAGE
    told = re.findall(r"^\| `([a-z-]+)` \| ([0-9.]+) \|", PAGE, flags=re.MULTILINE)
    assert {name: float(cut) for name, cut in told} == {
        one.detector: one.suspicious for one in known.cuts if one.suspicious is not None
    }
