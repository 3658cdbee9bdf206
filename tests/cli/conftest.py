"""The command line called in this process: exit code, stdout and stderr."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from bezoar.cli import run
from bezoar.data import from_arrays, write_data


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def bezoar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Answer]:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """300 dim pictures of three classes, told apart by their bright channel, as toy.npz; toy-test.npz beside it."""
    for name, seed, samples in (("toy", 0, 300), ("toy-test", 1, 150)):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(samples) % 3
        images = torch.randint(0, 120, (samples, 3, 16, 16), generator=generator, dtype=torch.uint8)
        images[torch.arange(samples), labels] += 60
        data = from_arrays(images, labels, class_names=("red", "green", "blue"), name=name, layout="nchw")
        write_data(data, tmp_path / f"{name}.npz")
    return tmp_path / "toy.npz"
