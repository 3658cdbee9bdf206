"""A process of its own in which torch loads a checkpoint that was examined, with little memory, time and sight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import safetensors
import torch
from torch import Tensor

from bezoar.training.opening.checkpoints import converter
from bezoar.training.opening.checkpoints.archive import CheckpointArchive
from bezoar.training.opening.checkpoints.choosing import Chosen
from bezoar.training.opening.opened import GET_ANEW, few, refusal
from bezoar.training.opening.weights import read_safetensors

SECONDS = 120
"""For starting torch and loading; the process ends itself after these, and is ended soon after."""

SPARE_MEMORY = 2**30
PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables without which some Pythons do not start; no other one is passed on."""


def converted(archive: CheckpointArchive, chosen: Chosen, path: Path) -> dict[str, Tensor]:
    """The chosen tensors of a checkpoint by name, contiguous, loaded by a separate process.

    Raises ModelError where that process fails, or gives something else than what was examined.
    """
    needed = sum(tensor.size for tensor in chosen.tensors.values())
    stored = sum(archive.sizes.values())
    with TemporaryDirectory(prefix="bezoar-") as name:
        folder = Path(name)
        archive.write_anew(folder / converter.SOURCE)
        order = {
            "keys": chosen.keys,
            "memory": 2 * stored + 3 * needed + SPARE_MEMORY,
            "file": needed + 2**24,
            "seconds": SECONDS,
            "packages": [str(Path(module.__file__ or "").parents[1]) for module in (torch, safetensors)],
        }
        _run(order, folder, path)
        tensors = {name: tensor.clone() for name, tensor in read_safetensors(folder / converter.RESULT).items()}
    _require_same(tensors, chosen, path)
    return tensors


def _run(order: dict[str, object], folder: Path, path: Path) -> None:
    """Start the converter in `folder` and wait. Raises ModelError in one sentence where it does not succeed."""
    with (folder / "errors").open("wb") as errors:
        try:
            # By its path: nothing of bezoar is imported there, and -I keeps the folder and the environment out.
            done = subprocess.run(
                [sys.executable, "-I", str(Path(converter.__file__).resolve()), json.dumps(order)],
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=SECONDS + 10,
                check=False,
            )
            reason = "" if done.returncode == 0 else _reason(done.returncode, folder)
        except subprocess.TimeoutExpired:
            reason = f"it was not done after {SECONDS} seconds"
        except OSError as error:
            reason = f"it could not be started: {error}"
    if reason:
        raise refusal(path, "could not be loaded in a separate process", found=reason, remedy=GET_ANEW)


def _environment(folder: Path) -> dict[str, str]:
    own = {"OMP_NUM_THREADS": "1", "HOME": str(folder), "TMPDIR": str(folder)}
    return {**{name: os.environ[name] for name in PASSED_ON if name in os.environ}, **own}


def _reason(code: int, folder: Path) -> str:
    """Why the process failed: the signal that ended it, or the last line that it wrote."""
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}: too much time or memory"
    with (folder / "errors").open("rb") as errors:
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4000))
        lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), f"exit code {code}")


def _require_same(tensors: dict[str, Tensor], chosen: Chosen, path: Path) -> None:
    """Raise ModelError unless what was loaded is what was examined: names, shapes, number formats."""
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    wanted = {name: (tensor.shape, tensor.storage.dtype) for name, tensor in chosen.tensors.items()}
    odd = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if odd:
        raise refusal(path, "was loaded as something else than was examined", found=few(odd), remedy=GET_ANEW)
