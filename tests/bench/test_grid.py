"""A grid of drills: resumable, twins shared, the table right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bezoar.bench import (
    all_cells,
    finished,
    into_page,
    is_scan_config,
    markdown_table,
    read_config,
    read_scan_config,
    run_grid,
)
from bezoar.bench.claims import claimed
from bezoar.bench.config import cells
from bezoar.bench.repairs import is_repairs_config, read_repairs, repair_cases
from bezoar.bench.results import CellResult
from bezoar.bench.zoo import is_zoo_config, read_zoo, subjects
from bezoar.data import from_arrays, write_data
from bezoar.errors import AttackError, BezoarError, UsageError
from bezoar.training import Progress, load_model
from bezoar.training.listening import Silence

CONFIG = """
title = "toy"
seeds = [0, 1]
[data]
source = "$TOY/toy"
[train]
model = "fast:stem=8,widths=8/16"
recipe = { epochs = 4, batch_size = 32 }
[[attack]]
name = "strong"
attack = "patch:size=4,color=white"
source = ["red"]
target = "blue"
count = 40
[[attack]]
name = "hardly any"
attack = "patch:size=1,color=white,mode=blend,opacity=0.02"
source = ["red"]
target = "blue"
count = 1
"""


class Heard(Silence):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def begins(self, stage: str) -> None:
        self.stages.append(stage)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    parts = {}
    for part, samples, seed in (("train", 300, 0), ("test", 150, 1)):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(samples) % 3
        images = torch.randint(0, 120, (samples, 3, 16, 16), generator=generator, dtype=torch.uint8)
        images[torch.arange(samples), labels] += 60
        parts[part] = from_arrays(images, labels, class_names=("red", "green", "blue"), layout="nchw")
    (tmp_path / "toy").mkdir()
    for part, data in parts.items():
        write_data(data, tmp_path / "toy" / f"{part}-00000.parquet", "parquet")
    monkeypatch.setenv("TOY", str(tmp_path))
    path = tmp_path / "toy.toml"
    path.write_text(CONFIG)
    return path


def test_a_grid_shares_twins_and_does_nothing_twice(config: Path, tmp_path: Path) -> None:
    heard = Heard()
    first = run_grid(config, tmp_path / "out", heard)
    assert len(first) == 4
    assert sum(stage.startswith("clean twin") for stage in heard.stages) == 2
    again = Heard()
    assert run_grid(config, tmp_path / "out", again) == first
    assert again.stages == []
    results = tmp_path / "out" / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text(lines[0] + lines[2] + lines[3])
    run_grid(config, tmp_path / "out", again)
    assert [stage for stage in again.stages if "train" in stage] == ["hardly any, seed 0: train on the poisoned data"]


def test_the_table_shows_weak_attacks_beside_strong_ones(config: Path, tmp_path: Path) -> None:
    lines = markdown_table(run_grid(config, tmp_path / "out", Silence())).splitlines()
    strong, weak = (dict(zip(lines[0].split("|"), line.split("|"), strict=True)) for line in lines[2:])
    assert float(strong[" ASR "].split()[0]) > 80
    assert float(weak[" ASR "].split()[0]) < 50
    assert strong[" seeds "].strip() == "2"


def test_a_line_that_was_cut_off_is_done_again(config: Path, tmp_path: Path) -> None:
    first = run_grid(config, tmp_path / "out", Silence())
    results = tmp_path / "out" / "results.jsonl"
    whole = results.read_text()
    results.write_text(whole[:-40])
    assert len(finished(config, tmp_path / "out")) == 3
    again = run_grid(config, tmp_path / "out", Silence())
    assert [result.clean_accuracy for _, result in again] == [result.clean_accuracy for _, result in first]
    assert len(results.read_text().splitlines()) == 4


def test_results_alone_are_enough_for_the_table(config: Path, tmp_path: Path) -> None:
    first = run_grid(config, tmp_path / "out", Silence())
    (tmp_path / "carried").mkdir()
    (tmp_path / "carried" / "results.jsonl").write_bytes((tmp_path / "out" / "results.jsonl").read_bytes())
    heard = Heard()
    assert run_grid(config, tmp_path / "carried", heard) == first
    assert heard.stages == []


def test_two_processes_share_a_grid(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bezoar", "bench", str(config), "--out", str(tmp_path / "out"), "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(timeout=120) for one in both] == [0, 0]
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert len(lines) == len(finished(config, tmp_path / "out")) == 4


HOLDER = """
import sys, time
from pathlib import Path
from bezoar.bench.claims import claimed
with claimed(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the claim on `folder`, and is dead in the end."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout as said:
        assert said.readline() == "True\n"
    try:
        yield holder
    finally:
        holder.kill()
        holder.wait()


class Killer(Heard):
    """Kills a process as soon as it is waited for."""

    holder: subprocess.Popen[str]

    def begins(self, stage: str) -> None:
        super().begins(stage)
        if stage.startswith("wait"):
            self.holder.kill()


def test_a_cell_of_another_process_is_left_alone_and_taken_over_when_it_died(config: Path, tmp_path: Path) -> None:
    taken = cells(read_config(config))[0]
    heard = Killer()
    with held(tmp_path / "out" / taken.key) as heard.holder:
        done = run_grid(config, tmp_path / "out", heard)
    assert [cell.key for cell, _ in done] == [cell.key for cell in cells(read_config(config))]
    others, own = (
        heard.stages.index("wait for another process: strong, seed 0"),
        heard.stages.index("strong, seed 0: train on the poisoned data"),
    )
    assert others < own == len(heard.stages) - 2
    assert sum(stage.endswith("train on the poisoned data") for stage in heard.stages) == 4


def test_the_claim_of_a_killed_process_is_dropped(tmp_path: Path) -> None:
    with held(tmp_path / "cell"), claimed(tmp_path / "cell") as mine:
        assert not mine
    with claimed(tmp_path / "cell") as mine:
        assert mine


def test_a_cell_is_named_by_all_that_its_attack_holds(config: Path) -> None:
    def keys(spec: str) -> list[str]:
        config.write_text(CONFIG.replace("patch:size=4,color=white", spec))
        return [cell.key for cell in cells(read_config(config)) if cell.attack.name == "strong"]

    plain = keys("patch")
    assert keys("patch:size=5,color=cyan") == plain  # what the defaults are
    assert not set(keys("patch:size=6")) & set(plain)
    assert keys("bezoar.triggers.checks:require_between") == keys("bezoar.triggers.checks:require_between")


def test_a_page_keeps_all_but_its_table() -> None:
    page = "before\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n"
    found = into_page(page, "| new |\n")
    assert found == "before\n<!-- bench -->\n| new |\n<!-- end of bench -->\nafter\n"
    assert into_page(found, "| new |\n") == found
    with pytest.raises(UsageError, match="no place"):
        into_page("before\n", "| new |\n")


RATES = """
title = "toy"
seeds = [3]
rates = [0.2, 0.1]
[data]
source = "$TOY/toy"
[train]
model = "fast:stem=8,widths=8/16"
recipe = { epochs = 1, batch_size = 64 }
[[attack]]
name = "plain"
attack = "patch:size=4"
target = "blue"
published = { "0.2" = "90.0 / 99.9" }
[[attack]]
name = "clean"
attack = "clean-label"
trigger = ["patch:size=4"]
target = "blue"
rates = [0.5]
"""


def test_rates_multiply_and_published_figures_stand_beside_theirs(config: Path, tmp_path: Path) -> None:
    config.write_text(RATES)
    results = run_grid(config, tmp_path / "out", Silence())
    assert [(cell.attack.name, cell.rate) for cell, _ in results] == [("plain", 0.2), ("clean", 0.5), ("plain", 0.1)]
    assert [result.poisons for _, result in results] == [60, 50, 30]
    lines = markdown_table(results).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["20.0%", "10.0%", "50.0%"]
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["90.0 / 99.9", "-", "-"]


def test_an_attack_that_cannot_be_built_is_named_before_anything_runs(config: Path, tmp_path: Path) -> None:
    config.write_text(RATES.replace('attack = "clean-label"', 'attack = "clean-lable"'))
    heard = Heard()
    with pytest.raises(UsageError, match=r"'clean, 50.00%' cannot be built.*clean-lable"):
        run_grid(config, tmp_path / "out", heard)
    assert heard.stages == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CONFIG.replace('target = "blue"', 'target = "bleu"'), r"'strong'.*no class 'bleu'.*'blue'"),
        (CONFIG.replace('source = ["red"]', 'source = ["read"]'), r"'strong'.*no class 'read'.*'red'"),
        (RATES.replace("[0.2, 0.1]", "[0.2, 0.001]"), r"'plain, 0.10%'.*rounds to no poison"),
        (RATES.replace("[0.5]", "[0.002]"), r"'clean, 0.20%'.*rounds to no poison"),
        (RATES.replace('target = "blue"\npublished', "published"), r"'plain, 20.00%'.*needs a target class"),
        (
            RATES.replace('"clean-label"', '"several-triggers:targets=red/bleu"')
            .replace('trigger = ["patch:size=4"]\n', "")
            .replace('target = "blue"\nrates', "rates"),
            r"'clean, 50.00%'.*no class 'bleu'",
        ),
    ],
)
def test_an_attack_that_does_not_fit_the_data_is_named_before_anything_runs(
    config: Path, tmp_path: Path, text: str, message: str
) -> None:
    config.write_text(text)
    heard = Heard()
    with pytest.raises((AttackError, UsageError), match=message):
        run_grid(config, tmp_path / "out", heard)
    assert heard.stages == []


class Interrupter(Heard):
    """Presses Ctrl-C in the third epoch of the training in a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage

    def trains(self, progress: Progress) -> None:
        if self.stages[-1].startswith(self.stage) and progress.epoch == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stage", ["clean twin, seed 0", "strong, seed 0: train", "hardly any, seed 1: train"])
def test_ctrl_c_stops_the_grid_and_leaves_nothing_half_trained(config: Path, tmp_path: Path, stage: str) -> None:
    heard = Interrupter(stage)
    with pytest.raises(KeyboardInterrupt):
        run_grid(config, tmp_path / "out", heard)
    assert heard.stages[-1].startswith(stage)
    resumed = run_grid(config, tmp_path / "out", Silence())
    whole = run_grid(config, tmp_path / "whole", Silence())
    assert [measured_alone(result) for _, result in resumed] == [measured_alone(result) for _, result in whole]


def measured_alone(result: CellResult) -> CellResult:
    """A result without its times."""
    return replace(result, seconds_to_poison=0.0, seconds_to_train=0.0, created="")


SURROGATES = CONFIG[: CONFIG.index("[[attack]]")].replace("epochs = 4, batch_size = 32", "epochs = 1, batch_size = 64")
SURROGATES += """
[[attack]]
name = "smooth"
attack = "low-frequency:surrogate={surrogate},steps=2,band=3"
target = "blue"
rate = 0.1
[[attack]]
name = "hard"
attack = "label-consistent:surrogate={robust-surrogate},steps=2"
target = "blue"
rate = 0.5
"""


def test_surrogates_are_trained_once_and_shared(config: Path, tmp_path: Path) -> None:
    config.write_text(SURROGATES)
    heard = Heard()
    run_grid(config, tmp_path / "with, comma", heard)
    assert sorted(stage for stage in heard.stages if "surrogate" in stage) == ["robust-surrogate", "surrogate"]
    (plain,) = (tmp_path / "with, comma").glob("surrogate-*")
    (robust,) = (tmp_path / "with, comma").glob("robust-surrogate-*")
    assert (plain / "model.safetensors").read_bytes() != (robust / "model.safetensors").read_bytes()


@pytest.mark.filterwarnings("ignore::bezoar.errors.TamperedModelWarning")
def test_a_tuned_victim_begins_with_the_surrogate_and_has_a_twin_of_its_own(config: Path, tmp_path: Path) -> None:
    scratch = CONFIG.replace("seeds = [0, 1]", "seeds = [0]")
    config.write_text(scratch + 'tune = ["head"]\n')
    heard = Heard()
    run_grid(config, tmp_path / "out", heard)
    assert [stage for stage in heard.stages if "twin" in stage] == ["clean twin, seed 0", "clean twin, tuned, seed 0"]
    (surrogate,), (victim,) = (list((tmp_path / "out").glob(f"{kind}-*")) for kind in ("surrogate", "hardly-any"))
    (before, _), (after, _) = load_model(surrogate), load_model(victim)
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    assert [name for (name, one), other in pairs if not one.equal(other)] == ["head.weight"]
    tuned = cells(read_config(config))
    config.write_text(scratch)
    plain = cells(read_config(config))
    assert [one.key == other.key for one, other in zip(plain, tuned, strict=True)] == [True, False]


def test_a_cell_that_fails_is_named_and_the_others_run(config: Path, tmp_path: Path) -> None:
    config.write_text(RATES.replace('attack = "patch:size=4"\n', 'attack = "patch:size=40"\n'))
    with pytest.raises(
        BezoarError, match=r"2 of 3 cells failed.*plain, 20.00%, seed 3 and plain, 10.00%, seed 3: .*does not fit"
    ):
        run_grid(config, tmp_path / "out", Silence())
    assert [cell.attack.name for cell, _ in finished(config, tmp_path / "out")] == ["clean"]


def test_a_key_changes_with_every_setting(config: Path) -> None:
    keys = {cell.key for cell in cells(read_config(config))}
    assert len(keys) == 4
    config.write_text(CONFIG.replace("epochs = 4", "epochs = 5"))
    assert keys.isdisjoint(cell.key for cell in cells(read_config(config)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = [0, 1]", 'seeds = "all"', "seeds"),
        ('target = "blue"', 'traget = "blue"', "traget"),
        ('title = "toy"', "title = ", "not TOML"),
    ],
)
def test_a_faulty_file_names_the_place(config: Path, old: str, new: str, said: str) -> None:
    config.write_text(CONFIG.replace(old, new))
    with pytest.raises(UsageError, match=said):
        read_config(config)


def test_a_variable_that_is_not_set_is_named(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOY")
    with pytest.raises(UsageError, match="TOY is not set"):
        run_grid(config, tmp_path / "out", Silence())


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("examples/*.toml")), ids=lambda path: path.name)
def test_the_examples_can_be_read(path: Path) -> None:
    if is_repairs_config(path):
        assert repair_cases(read_repairs(path))
    elif is_zoo_config(path):
        assert subjects(read_zoo(path))
    else:
        assert all_cells(read_scan_config(path)) if is_scan_config(path) else cells(read_config(path))


def test_a_single_name_needs_no_list(config: Path) -> None:
    text = config.read_text()
    config.write_text(
        text + '\n[[attack]]\nname = "one"\nattack = "dirty-label"\ntrigger = "pixel"\ntarget = "stop"\nrate = 0.1\n'
    )
    assert read_config(config).attack[-1].trigger == ("pixel",)
