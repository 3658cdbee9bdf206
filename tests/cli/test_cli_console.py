"""What moves on a terminal while a command works, and that nothing is left of it."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from bezoar.cli import console
from bezoar.cli.app import run
from bezoar.cli.console import TerminalListener, close_bars


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    seen = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(file=seen, force_terminal=True, width=100))
    return seen


def plain(seen: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.getvalue())


def test_a_stage_is_seen_while_it_goes_on_and_told_when_over(terminal: io.StringIO) -> None:
    listener = TerminalListener(quiet=False)
    listener.begins("ask [the] detectors")
    assert "ask [the] detectors 0:00:00" in plain(terminal)
    listener.works("halves", 1, 4)
    assert "halves" in plain(terminal)
    listener.ends("ask [the] detectors", 1.5)
    assert plain(terminal).rstrip().endswith("ask [the] detectors 1.5 s")
    shown = terminal.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 2  # the cursor was hidden and is back


def test_quiet_says_nothing(terminal: io.StringIO) -> None:
    listener = TerminalListener(quiet=True)
    listener.begins("ask the detectors")
    listener.works("halves", 1, 4)
    listener.ends("ask the detectors", 1.5)
    assert terminal.getvalue() == ""


def test_a_command_that_fails_leaves_no_bar(terminal: io.StringIO) -> None:
    TerminalListener(quiet=False).begins("read the data")
    assert run(["bench", "nowhere.toml"]) == 4
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1
    close_bars()  # a second time it does nothing


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("wait", [0.3, 1.0])
def test_ctrl_c_while_it_starts_is_no_traceback(wait: float) -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", "from bezoar.cli import main; print('up', flush=True); main(['attacks'])"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    time.sleep(wait)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert "Traceback" not in said
    assert started.returncode in (0, 130)
