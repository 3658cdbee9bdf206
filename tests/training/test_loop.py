"""Training: determinism, resuming, interruption, divergence, data-parallel."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError, TrainingError, UsageError
from bezoar.training import Recipe, default_recipe, load_model, predict_logits, save_model, train
from bezoar.training.loop import Trained
from bezoar.training.saved import MODEL_FILE, ModelCard

RECIPE = replace(default_recipe("fast"), epochs=3, batch_size=64)
TINY = "fast:stem=8,widths=8/16"


def toy(samples: int = 300, *, seed: int = 0, size: int = 16) -> Dataset:
    """Three classes told apart by the channel that is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 3
    inputs = torch.randint(0, 120, (samples, 3, size, size), generator=generator, dtype=torch.uint8)
    inputs[torch.arange(samples), labels] += 60
    return Dataset(inputs, labels, ("red", "green", "blue"), tuple(str(row) for row in range(samples)))


def fit(data: Dataset, **options: object) -> Trained:
    return train(data, **{"model": TINY, "recipe": RECIPE, "seed": 1, "device": "cpu", **options})  # type: ignore[arg-type]


def same_weights(a: Trained, b: Trained) -> bool:
    one, other = a.model.state_dict(), b.model.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def accuracy(trained: Trained, data: Dataset) -> float:
    return (predict_logits(trained.model, data.inputs).argmax(1) == data.labels).double().mean().item()


@pytest.mark.parametrize("model", [TINY, "preact-resnet18"])
def test_learns_a_toy(model: str) -> None:
    size, recipe = (16, RECIPE) if model == TINY else (8, Recipe(epochs=2, batch_size=32, learning_rate=0.02))
    trained = fit(toy(size=size), model=model, recipe=recipe)
    assert accuracy(trained, toy(90, seed=5, size=size)) > 0.95
    assert len(trained.record.history) == recipe.epochs
    assert trained.record.history[-1].loss < trained.record.history[0].loss


def test_same_seed_same_bits_and_other_seed_other_bits() -> None:
    data = toy()
    assert same_weights(fit(data), fit(data))
    assert not same_weights(fit(data), fit(data, seed=2))


def test_global_random_state_is_neither_used_nor_changed() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first = fit(toy())
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(8)
    assert same_weights(first, fit(toy()))


def test_interrupted_keeps_the_last_epoch_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data, checkpoint = toy(), tmp_path / "checkpoint.safetensors"
    whole = fit(data)

    def stop_in_second_epoch(progress: object) -> None:
        if progress.epoch == 2 and progress.samples_done > 100:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    cut = fit(data, checkpoint=checkpoint, progress=stop_in_second_epoch)
    assert cut.record.interrupted
    assert [epoch.epoch for epoch in cut.record.history] == [1]
    one_epoch = fit(data, recipe=RECIPE, checkpoint=tmp_path / "other", progress=stop_in_second_epoch)
    assert same_weights(cut, one_epoch)
    resumed = fit(data, checkpoint=checkpoint, resume=True)
    assert not resumed.record.interrupted
    assert same_weights(resumed, whole)


def test_interrupted_before_the_first_epoch_says_so(tmp_path: Path) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingError, match="before its first epoch ended"):
        fit(toy(), checkpoint=tmp_path / "checkpoint.safetensors", progress=stop)


def test_interrupted_without_a_checkpoint_hands_nobody_half_a_model() -> None:
    def stop_in_second_epoch(progress: object) -> None:
        if progress.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(toy(), progress=stop_in_second_epoch)


def test_resume_refuses_another_run(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit(toy(), checkpoint=checkpoint)
    with pytest.raises(TrainingError, match="belongs to another training"):
        fit(toy(), seed=3, checkpoint=checkpoint, resume=True)
    with pytest.raises(TrainingError, match="belongs to another training"):
        fit(toy(seed=9).select(range(200)), checkpoint=checkpoint, resume=True)


def test_divergence_is_an_error() -> None:
    recipe = Recipe(epochs=1, batch_size=32, optimizer="sgd", learning_rate=1e30, warm_up=0.0)
    with pytest.raises(TrainingError, match="diverged in epoch 1"):
        fit(toy(), recipe=recipe)


def test_fine_tuning_starts_from_the_given_weights() -> None:
    data = toy()
    begun = fit(data)
    before = accuracy(begun, data)
    tuned = fit(data, start=begun.model, recipe=replace(RECIPE, epochs=1, learning_rate=0.0, other_learning_rate=1e-9))
    assert accuracy(tuned, data) == pytest.approx(before, abs=0.05)


def test_data_parallel_with_torchrun_agrees_between_processes(tmp_path: Path) -> None:
    script = Path(__file__).with_name("train_parallel.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"]
    done = subprocess.run(
        [*command, "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    weights = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert weights[0]["accuracy"] > 0.95
    trained = [name for name in weights[0] if "weight" in name or "head" in name]
    assert trained
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in trained)
    assert not (tmp_path / "rank1-checkpoint").exists()
    assert (tmp_path / "rank0-checkpoint").exists()


def test_saved_model_answers_the_same(tmp_path: Path) -> None:
    data = toy()
    trained = fit(data)
    card = ModelCard(TINY, data.class_names, data.shape)
    save_model(trained.model, card, tmp_path / MODEL_FILE)
    loaded, read = load_model(tmp_path)
    assert read == card
    assert torch.equal(predict_logits(loaded, data.inputs), predict_logits(trained.model, data.inputs))


def test_loading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_model(tmp_path)
    pickled = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(2)}, pickled)
    with pytest.raises(ModelError, match="Pickled checkpoints"):
        load_model(pickled)
    data = toy()
    save_model(
        fit(data).model, ModelCard("fast:stem=8,widths=8/8", data.class_names, data.shape), tmp_path / MODEL_FILE
    )
    with pytest.raises(ModelError, match="don't fit the model"):
        load_model(tmp_path)


def test_unknown_device_and_precision_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="cannot be used here"):
        fit(toy(), device="warp")
    with pytest.raises(UsageError, match="unknown precision"):
        fit(toy(), precision="float8")


def test_bfloat16_trains_where_asked_for() -> None:
    trained = fit(toy(), precision="bfloat16")
    assert trained.record.precision == "bfloat16"
    assert accuracy(trained, toy(90, seed=5)) > 0.9
