"""Checkpoints that hold plain weights are opened, whatever they are wrapped in; the process that loads them is bounded."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
import torch
from opening_toys import CLASSES, FACTORY, SHAPE, images, saved, storage, tensor, trained, weights_of, write_archive
from torch import nn

from bezoar.errors import ModelError
from bezoar.training.opening import open_model
from bezoar.training.opening.checkpoints import conversion, converter
from bezoar.training.opening.checkpoints.archive import opened_archive
from bezoar.training.opening.checkpoints.checkpoint import examined


def written(path: Path, thing: object) -> Path:
    path.write_bytes(saved(thing))
    return path


def opened(path: Path, factory: str = FACTORY):
    return open_model(str(path), factory=factory, class_names=CLASSES, shape=SHAPE)


def examined_file(path: Path):
    with opened_archive(path) as archive:
        return examined(archive.pickle, archive.sizes, path)


def test_a_checkpoint_of_parallel_training_with_an_optimiser(tmp_path):
    """Prefix, nested key, parameters, an optimiser's and a schedule's state beside it: what a training script leaves."""
    model = trained()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(images()).sum().backward()
    optimiser.step()
    model.eval()
    weights = OrderedDict((f"module.{name}", value) for name, value in model.state_dict().items())
    weights["module.head.weight"] = nn.Parameter(weights["module.head.weight"])
    checkpoint = {
        "epoch": 3,
        "best": 0.75,
        "arch": "toy",
        "milestones": Counter([3, 5]),
        "state_dict": weights,
        "optimizer": optimiser.state_dict(),
    }
    found = opened(written(tmp_path / "model_best.pth", checkpoint))
    assert found.kind == "checkpoint"
    assert found.name == "model_best.pth"
    assert found.differentiable
    assert not found.model.training
    assert torch.equal(found.model(images()), model(images()))
    assert any("separate process" in note for note in found.notes)
    assert any("'module.'" in note for note in found.notes)


def test_numbers_of_every_format_tied_and_strided_come_out_as_they_went_in(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    weights = {
        "plain": base.clone(),
        "tied": base,
        "tied too": base,
        "strided": base.t(),
        "part": base[1:3, ::2],
        "expanded": torch.tensor([1.5]).expand(7),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 5),
        "half": base.half(),
        "bfloat": base.bfloat16(),
        "double": base.double(),
        "flags": base > 7,
        **{str(kind): base.to(kind) for kind in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)},
    }
    path = written(tmp_path / "all.pt", weights)
    with opened_archive(path) as archive:
        found = conversion.converted(archive, examined(archive.pickle, archive.sizes, path), path)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ("contents", "keys", "note"),
    [
        ({"a": torch.zeros(2)}, (), None),
        ({"model_state_dict": {"a": torch.zeros(2)}, "epoch": 3}, ("model_state_dict",), None),
        ({"model": {"state_dict": {"a": torch.zeros(2)}}}, ("model", "state_dict"), None),
        ({"net": {"a": torch.zeros(2)}, "ema": {"a": torch.ones(2)}}, ("net",), "'net' was taken, not ema"),
        ({"ema": {"a": torch.zeros(2)}, "step": torch.tensor(3)}, ("ema",), None),
        ({"classifier": {"a": torch.zeros(2)}, "acc": 0.5}, ("classifier",), "from the key 'classifier'"),
        ({"a": torch.zeros(2), "version": 3, 5: "x"}, (), "2 entries beside its weights"),
    ],
)
def test_weights_are_found_under_the_usual_keys(contents, keys, note, tmp_path):
    chosen = examined_file(written(tmp_path / "nested.pt", contents))
    assert chosen.keys == keys
    assert set(chosen.tensors) == {"a"}
    assert [note in one for one in chosen.notes] == ([] if note is None else [True])


def test_two_sets_of_weights_under_unusual_keys_are_not_chosen_between(tmp_path):
    path = written(tmp_path / "gan.pt", {"painter": {"a": torch.zeros(2)}, "judge": {"a": torch.zeros(2)}})
    with pytest.raises(ModelError, match=r"several sets of tensors.*judge, painter"):
        examined_file(path)


def test_no_factory_no_network(tmp_path):
    path = written(tmp_path / "weights.pt", trained().state_dict())
    with pytest.raises(ModelError, match="holds weights and no network; expected a factory"):
        open_model(str(path), class_names=CLASSES)


def test_numbers_of_the_other_byte_order_are_read(tmp_path):
    numbers = torch.tensor([1.0, -2.5, 3.0, 1e-3])
    swapped = numbers.numpy().astype(">f4").tobytes()
    path = write_archive(
        tmp_path / "big.pt", weights_of(tensor(storage())), {"0": swapped}, [("archive/byteorder", b"big")]
    )
    with opened_archive(path) as archive:
        found = conversion.converted(archive, examined(archive.pickle, archive.sizes, path), path)
    assert torch.equal(found["a"], numbers)


# The process of its own.


def converter_process(folder: Path, more: str, **limits: int) -> subprocess.CompletedProcess[bytes]:
    """Some lines within the limits of the converter, without torch, which takes seconds to start."""
    given = {"memory": 2**28, "file": 2**20, "seconds": 60, **limits}
    place = str(Path(converter.__file__).parent)
    lines = (
        f"import sys; sys.path.append({place!r}); import converter; converter.limit(**{given}); converter.forbid(); "
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", lines + more],
        cwd=folder,
        env=conversion._environment(folder),
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("more", "limits", "told"),
    [
        ("x = bytearray(2**32)", {}, "MemoryError"),
        ("import os; os.system('touch ran')", {}, "PermissionError: os.system is forbidden"),
        ("import os; os.fork()", {}, "PermissionError: os.fork is forbidden"),
        ("import os; os.execv('/usr/bin/touch', ['touch', 'ran'])", {}, "PermissionError: os.exec is forbidden"),
        ("import subprocess; subprocess.run(['touch', 'ran'])", {}, "PermissionError: subprocess.Popen is forbidden"),
        ("import socket; socket.socket()", {}, "PermissionError: socket.__new__ is forbidden"),
        ("open('large', 'wb').write(bytes(2**21))", {}, "File too large"),
        ("[open('converter', 'wb') for n in range(99)]; x = [open('a%d' % n, 'w') for n in range(99)]", {}, "Too many"),
        ("exec('while True: pass')", {"seconds": 1}, "SIGALRM"),
        ("import os; print(sorted(os.environ)); 1 / 0", {}, r"\['HOME', .*'OMP_NUM_THREADS', 'TMPDIR'\]"),
    ],
)
def test_the_process_has_little_to_offer(more, limits, told, tmp_path):
    done = converter_process(tmp_path, more, **limits)
    assert done.returncode != 0
    ended = conversion._reason(done.returncode, tmp_path) if done.returncode < 0 else ""
    assert re.search(told, f"{done.stdout.decode()}{done.stderr.decode()}{ended}")
    assert not (tmp_path / "ran").exists()


def test_a_process_that_hangs_or_cannot_be_started_is_told(tmp_path, monkeypatch):
    path = written(tmp_path / "good.pt", {"a": torch.zeros(2)})
    for error, told in (
        (subprocess.TimeoutExpired("python", 130), "it was not done after 120 seconds"),
        (FileNotFoundError("no python"), "it could not be started: no python"),
    ):

        def run(*_, error=error, **__):
            raise error

        monkeypatch.setattr(conversion.subprocess, "run", run)
        with (
            opened_archive(path) as archive,
            pytest.raises(ModelError, match=rf"good\.pt could not be loaded in a separate process; found {told}"),
        ):
            conversion.converted(archive, examined(archive.pickle, archive.sizes, path), path)


def test_what_torch_itself_refuses_is_told_in_one_sentence(tmp_path, monkeypatch):
    """Were the examination ever to let something pass, the process says what torch said."""
    path = written(tmp_path / "good.pt", {"a": torch.zeros(2)})
    with opened_archive(path) as archive:
        chosen = examined(archive.pickle, archive.sizes, path)
        monkeypatch.setattr(
            type(archive), "write_anew", lambda _, target: write_archive(target, b"\x80\x02cos\nsystem\n.")
        )
        with pytest.raises(ModelError, match=r"good\.pt could not be loaded in a separate process; found .*os\.system"):
            conversion.converted(archive, chosen, path)


def test_other_tensors_than_were_examined_are_not_taken(tmp_path):
    path = written(tmp_path / "good.pt", {"a": torch.zeros(2)})
    chosen = examined_file(path)
    conversion._require_same({"a": torch.zeros(2)}, chosen, path)
    for other in ({}, {"a": torch.zeros(3)}, {"a": torch.zeros(2).half()}, {"a": torch.zeros(2), "b": torch.zeros(2)}):
        with pytest.raises(ModelError, match="something else than was examined"):
            conversion._require_same(other, chosen, path)
