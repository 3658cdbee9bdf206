"""Verbs are loaded when they are called: what needs no torch doesn't wait for it, and the help stays true."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from bezoar.cli.app import app
from bezoar.cli.verbs import VERBS

LOADS = """
import sys
from bezoar.cli import run
code = run(sys.argv[1:])
assert not [name for name in ("torch", "scipy") if name in sys.modules], "loaded for nothing"
sys.exit(code)
"""


@pytest.mark.parametrize(("arguments", "code"), [(("--version",), 0), (("--help",), 0), (("inspekt", "m"), 4)])
def test_what_needs_no_verb_loads_none(arguments, code):
    ended = subprocess.run([sys.executable, "-c", LOADS, *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == code, ended.stderr


def test_a_wrong_word_does_not_wait_for_what_only_scans_need():
    check = "import sys; from bezoar.cli import run; assert run(['inspect', 'm']) == 4; assert 'scipy.stats' not in sys.modules"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_says_what_the_verb_says(verb):
    command = get_command(app).commands[verb]
    assert command.name == verb
    assert command.help.split("\n\n")[0] == VERBS[verb]


def test_the_list_holds_every_verb_and_what_a_misspelt_one_is_like(bezoar):
    listed = bezoar("--help").out
    assert all(f"│ {verb} " in listed for verb in VERBS)
    assert "Did you mean 'inspect'" in bezoar("inspekt", "m").err
