"""A command that is terminated, as by `timeout` or a job's end, cleans up as after Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bezoar.cli.codes import TERMINATED
from bezoar.cli.terminating import Terminated, Terminations, terminations_raised

PATIENCE = 120
"""Seconds."""


@pytest.mark.skipif(sys.platform == "win32", reason="there a process that is terminated hears nothing of it")
def test_a_run_that_is_terminated_leaves_no_empty_folder(tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "bezoar", "scan", "signs", "--out", str(out)]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        try:
            while not out.exists() and running.poll() is None and time.monotonic() - began < PATIENCE:
                time.sleep(0.05)
            assert out.exists()
            running.terminate()
            _, said = running.communicate(timeout=PATIENCE)
        finally:
            running.kill()
    assert running.returncode == TERMINATED == 128 + signal.SIGTERM
    assert said.rstrip().endswith("terminated")
    assert not out.exists()


def test_a_second_one_at_once_does_not_cut_the_cleaning_up_short(monkeypatch: pytest.MonkeyPatch):
    clock = iter((10.0, 10.1, 12.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    hear = Terminations()
    assert not hear.heard
    with pytest.raises(Terminated):
        hear(signal.SIGTERM, None)
    hear(signal.SIGTERM, None)
    assert hear.heard
    with pytest.raises(KeyboardInterrupt):
        hear(signal.SIGTERM, None)


def test_the_handler_of_before_comes_back_and_other_threads_do_without():
    before = signal.getsignal(signal.SIGTERM)
    with terminations_raised() as hear:
        assert signal.getsignal(signal.SIGTERM) is hear
        elsewhere = threading.Thread(target=_asked_elsewhere)
        elsewhere.start()
        elsewhere.join()
        assert signal.getsignal(signal.SIGTERM) is hear
    assert signal.getsignal(signal.SIGTERM) is before


def _asked_elsewhere() -> None:
    with terminations_raised():
        pass
