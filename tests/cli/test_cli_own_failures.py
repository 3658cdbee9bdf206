"""A user's own code that fails is an error in words, and never passes for a finding."""

from __future__ import annotations

OWN = """
from dataclasses import dataclass
from bezoar.triggers.base import StampTrigger

@dataclass(frozen=True)
class Faulty(StampTrigger):
    def stamp(self, shape):
        return 1 / 0
"""


def test_a_trigger_of_ones_own_that_raises(bezoar, toy, tmp_path):
    (tmp_path / "faulty_trigger.py").write_text(OWN)
    answer = bezoar(
        "attack", "toy.npz", "--attack", "faulty_trigger:Faulty", "--target", "blue", "--count", 5, "--out", "bad.npz"
    )
    assert answer.code == 2
    assert "ZeroDivisionError: division by zero" in answer.err
    assert "faulty_trigger.py, line 8" in " ".join(answer.err.split())
    assert not (tmp_path / "bad.npz").exists()


def test_a_trigger_of_ones_own_that_leaves_the_program(bezoar, toy, tmp_path):
    (tmp_path / "leaving_trigger.py").write_text("def leave(batch):\n    raise SystemExit(0)\n")
    answer = bezoar(
        "attack", "toy.npz", "--attack", "leaving_trigger:leave", "--target", "blue", "--count", 5, "--out", "bad.npz"
    )
    assert answer.code == 2
    assert "SystemExit(0)" in answer.err
    assert not (tmp_path / "bad.npz").exists()
