"""Models from anywhere are measured and scanned with: weights with their factory, and nothing that runs code."""

import pickle

from safetensors.torch import save_file

from bezoar.training import load_model

MINE = """
from torch import nn

def network(classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))
"""
SMALL = ("--epochs", 2, "--batch-size", 50, "--learning-rate", 0.3)


class Runs:
    def __reduce__(self):
        return print, ("it ran",)


def test_weights_alone_are_measured_by_their_factory(bezoar, toy, tmp_path, monkeypatch):
    (tmp_path / "a_network.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert bezoar("train", "toy.npz", "--model", "a_network:network", *SMALL, "--out", "run").code == 0
    save_file(load_model(tmp_path / "run")[0].state_dict(), tmp_path / "weights.safetensors")
    lacking = bezoar("evaluate", "weights.safetensors", "--data", "toy-test.npz")
    assert lacking.code == 2
    assert "factory" in lacking.err
    own = ("--factory", "a_network:network", "--data", "toy-test.npz", "--json")
    alone, run = bezoar("evaluate", "weights.safetensors", *own), bezoar("evaluate", "run", *own)
    assert alone.json["clean_accuracy"] == run.json["clean_accuracy"]
    assert "trained elsewhere" in alone.json["training"]["reason"]
    assert run.json["training"]["model"] == "a_network:network"


def test_a_pickle_that_runs_code_is_refused_by_evaluation_and_scan(bezoar, toy, tmp_path):
    (tmp_path / "theirs.pt").write_bytes(pickle.dumps(Runs()))
    for call in (("evaluate", "theirs.pt", "--data", "toy-test.npz"), ("scan", "toy.npz", "--model", "theirs.pt")):
        answer = bezoar(*call)
        assert answer.code == 2
        assert "theirs.pt" in answer.err
        assert "it ran" not in answer.out + answer.err
    assert not (tmp_path / "scan").exists()
    assert not (tmp_path / "evaluation").exists()
