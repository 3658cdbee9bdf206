"""A grid of scans: resumable, shared, honest in its bookkeeping, and its tables right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bezoar.attacks import Backdoor
from bezoar.bench import (
    ScanResult,
    all_cells,
    finished_scans,
    is_scan_config,
    read_scan_config,
    run_scans,
    scan_tables,
)
from bezoar.bench.claims import claimed
from bezoar.bench.scan_coding import coded, coded_images
from bezoar.bench.scan_config import quality_of
from bezoar.bench.scan_grid import CLAIMS, attack_success_of
from bezoar.bench.scan_results import RESULTS_FILE, FoundClass, read_scans
from bezoar.cli.app import run
from bezoar.data import Dataset, from_arrays, write_data
from bezoar.errors import BezoarError, ShapeError, UsageError
from bezoar.records import ScanRecord
from bezoar.scan import Scanned, ScanSettings
from bezoar.training.listening import Silence
from bezoar.triggers import TRIGGERS

CONFIG = """
scan = true
title = "toy"
seeds = [0, 1]
codings = ["lossless", "jpeg-75"]
budget = "quick"
[data]
source = "$TOY/toy"
[train]
model = "fast:stem=8,widths=8/16"
recipe = { epochs = 1, batch_size = 64 }
[[attack]]
name = "white patch"
attack = ["patch:size=4,color=white", "patch:size=3,color=red"]
target = ["blue", "green"]
placement = "replace"
rates = [0.1, 0.05]
choosing = true
"""


class Heard(Silence):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def begins(self, stage: str) -> None:
        self.stages.append(stage)


def drawn(samples: int, seed: int) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 3
    images = torch.randint(0, 120, (samples, 3, 16, 16), generator=generator, dtype=torch.uint8)
    images[torch.arange(samples), labels] += 60
    return from_arrays(images, labels, class_names=("red", "green", "blue"), layout="nchw")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy").mkdir()
    for part, samples, seed in (("train", 300, 0), ("test", 90, 1)):
        write_data(drawn(samples, seed), tmp_path / "toy" / f"{part}-00000.parquet", "parquet")
    monkeypatch.setenv("TOY", str(tmp_path))
    path = tmp_path / "toy.toml"
    path.write_text(CONFIG)
    return path


def silent_record(data: Dataset) -> ScanRecord:
    """The record of a scan that looked at nothing."""
    return ScanRecord("a scan", "now", "no evidence", "", "", data.record(), "quick", 0, None, None, *[()] * 10)


Suspicion = Callable[[Dataset], dict[str, float]]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Suspicion], list[Dataset]]:
    """Puts another scan in place of the real one; the list fills with the data it was shown."""

    def put(suspicion: Suspicion) -> list[Dataset]:
        shown: list[Dataset] = []

        def scan_all(data: Dataset, settings: ScanSettings) -> Scanned:
            shown.append(data)
            return Scanned(silent_record(data), suspicion(data), ())

        monkeypatch.setattr("bezoar.bench.scan_grid.scan_all", scan_all)
        return shown

    return put


def white_patch(data: Dataset) -> dict[str, float]:
    """A detector that knows of the white patch, JPEG-coded or not: 48 values that nothing else reaches."""
    brightest = data.inputs.flatten(1).float().topk(40).values.mean(1)
    return dict(zip(data.ids, brightest.tolist(), strict=True))


def at_random(data: Dataset) -> dict[str, float]:
    generator = np.random.default_rng(3)
    return dict(zip(data.ids, generator.normal(size=len(data)).tolist(), strict=True))


def backwards(data: Dataset) -> dict[str, float]:
    return {sample_id: -value for sample_id, value in white_patch(data).items()}


@pytest.mark.parametrize(
    ("detector", "area", "hits"),
    [(white_patch, (1.0, 1.0), (1.0, 1.0)), (at_random, (0.3, 0.7), (0.0, 0.3)), (backwards, (0.0, 0.0), (0.0, 0.0))],
)
def test_a_perfect_a_random_and_a_backward_detector_are_measured_as_such(
    config: Path,
    tmp_path: Path,
    stand_in: Callable[[Suspicion], list[Dataset]],
    detector: Suspicion,
    area: tuple,
    hits: tuple,
) -> None:
    shown = stand_in(detector)
    results = run_scans(config, tmp_path / "out", Silence(), device="cpu", only="seed 0")
    assert [(one.rate, one.coding, one.poisons) for one in results] == [
        (0.1, "lossless", 30),
        (0.05, "lossless", 15),
        (0.1, "jpeg-75", 30),
        (0.05, "jpeg-75", 15),
    ]
    for one in results:
        assert one.auroc is not None
        assert one.tpr_at_1_percent is not None
        assert area[0] <= one.auroc <= area[1]
        assert hits[0] <= one.tpr_at_1_percent <= hits[1]
        assert (one.targets, one.device, one.choosing, one.honest) == (("blue",), "cpu", True, False)
        assert 0 <= one.attack_success <= 1
    assert all(data.mark is None for data in shown)  # no detector is told that there was a drill


def test_what_is_done_is_not_done_again(
    config: Path, tmp_path: Path, stand_in: Callable[[Suspicion], list[Dataset]]
) -> None:
    shown, heard, out = stand_in(at_random), Heard(), tmp_path / "out"
    some = run_scans(config, out, heard, device="cpu", only="lossless, seed 1")
    assert heard.stages == ["white patch, 10.0%, lossless, seed 1", "white patch, 5.0%, lossless, seed 1"]
    assert [one.targets for one in some] == [("green",)] * 2
    every = run_scans(config, out, heard, device="cpu")
    assert len(heard.stages) == len(set(heard.stages)) == len(shown) == 8
    assert [one.key for one in every] == [cell.key for cell in all_cells(read_scan_config(config))]
    assert run_scans(config, out, heard, device="cpu") == every == finished_scans(config, out)
    assert len(heard.stages) == 8
    # A line that a dying process left half written is done again, and takes no other with it.
    file = out / RESULTS_FILE
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:7]) + lines[7][:40])
    assert len(read_scans(out)) == 7
    run_scans(config, out, heard, device="cpu")
    assert len(heard.stages) == 9
    assert len(read_scans(out)) == 8


def test_a_cell_of_another_process_is_left_alone_and_waited_for(
    config: Path, tmp_path: Path, stand_in: Callable[[Suspicion], list[Dataset]]
) -> None:
    stand_in(at_random)
    out = tmp_path / "out"
    first = all_cells(read_scan_config(config))[0]
    heard, entered, leave = Heard(), threading.Event(), threading.Event()

    def other() -> None:
        with claimed(out / CLAIMS / first.key) as mine:
            assert mine
            entered.set()
            leave.wait(30)

    process = threading.Thread(target=other)
    process.start()
    entered.wait(30)
    ours = threading.Thread(target=lambda: run_scans(config, out, heard, device="cpu", only="lossless, seed 0"))
    ours.start()
    while len(heard.stages) < 1 and ours.is_alive():
        ours.join(0.05)
    assert heard.stages[0] != first.label
    leave.set()
    process.join(30)
    ours.join(30)
    # The other one left without a result: its cell is taken over.
    assert heard.stages[-1] == first.label
    assert len(read_scans(out)) == 2


def test_a_cell_that_fails_is_named_and_the_others_run(
    config: Path, tmp_path: Path, stand_in: Callable[[Suspicion], list[Dataset]]
) -> None:
    stand_in(at_random)
    config.write_text(CONFIG.replace('"patch:size=3,color=red"', '"patch:size=30,color=red"'))
    with pytest.raises(BezoarError, match=r"4 of 8 cells failed.*seed 1"):
        run_scans(config, tmp_path / "out", Silence(), device="cpu")
    assert {one.seed for one in finished_scans(config, tmp_path / "out")} == {0}


def test_keys_are_distinct_and_change_with_what_changes_a_result(config: Path) -> None:
    def keys(text: str) -> list[str]:
        config.write_text(text)
        return [cell.key for cell in all_cells(read_scan_config(config))]

    first = keys(CONFIG)
    assert len(set(first)) == len(first) == 8
    assert keys(CONFIG) == first
    for old, new in (
        ('budget = "quick"', 'budget = "standard"'),
        ("epochs = 1", "epochs = 2"),
        ("$TOY/toy", "$TOY/other"),
        ("size=4", "size=5"),
        ('["blue", "green"]', '["red", "red"]'),
    ):
        assert keys(CONFIG.replace(old, new))[0] != first[0]
    assert keys(CONFIG.replace('title = "toy"', 'title = "another"')) == first


def test_cells_hold_honest_cases_and_their_kinds_apart(config: Path) -> None:
    def honest(which: str) -> set[str]:
        config.write_text(CONFIG.replace('budget = "quick"', f'budget = "quick"\nhonest = "{which}"'))
        return {cell.honest for cell in all_cells(read_scan_config(config)) if cell.attack is None}

    every, choosing, reporting = honest("all"), honest("choosing"), honest("reporting")
    assert choosing | reporting == every
    assert choosing.isdisjoint(reporting)
    assert choosing
    assert reporting
    assert honest("none") == set()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = [0, 1]", 'seeds = "all"', "seeds"),
        ('target = ["blue", "green"]', 'traget = "blue"', "traget"),
        ('title = "toy"', "title = ", "not TOML"),
        ('"jpeg-75"', '"jpg-75"', r"codings.*jpg-75"),
        ('"jpeg-75"', '"jpeg-101"', r"codings.*jpeg-101"),
        ('budget = "quick"', 'budget = "lavish"', "budget"),
    ],
)
def test_a_faulty_file_names_the_place(config: Path, old: str, new: str, said: str) -> None:
    config.write_text(CONFIG.replace(old, new))
    with pytest.raises(UsageError, match=said):
        read_scan_config(config)


def test_which_files_are_of_scans(config: Path, tmp_path: Path) -> None:
    assert is_scan_config(config)
    config.write_text(CONFIG.replace("scan = true", ""))
    assert not is_scan_config(config)
    assert not is_scan_config(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="does not exist"):
        read_scan_config(tmp_path / "nowhere.toml")
    assert is_scan_config(Path(__file__).parents[2] / "examples" / "scan.toml")


def test_a_name_that_no_cell_has_is_told_before_anything_runs(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'black patch'.*seed 1"):
        run_scans(config, tmp_path / "out", Silence(), only="black patch")
    assert not (tmp_path / "out").exists()


def test_coding_changes_pixels_and_nothing_else() -> None:
    data = drawn(12, 0)
    assert coded(data, "lossless") is data
    after = coded(data, "jpeg-75")
    assert after.ids == data.ids
    assert after.labels.equal(data.labels)
    assert after.inputs.shape == data.inputs.shape
    assert after.inputs.dtype == torch.uint8
    assert not after.inputs.equal(data.inputs)
    smooth = torch.arange(16, dtype=torch.uint8).mul(8).expand(2, 3, 16, 16).contiguous()
    errors = [(coded_images(smooth, f"jpeg-{quality}").int() - smooth.int()).abs().max() for quality in (95, 20)]
    assert errors[0] <= 4 < errors[1]
    assert coded_images(smooth[:, :1], "jpeg-75").shape == (2, 1, 16, 16)
    with pytest.raises(ShapeError, match="1 or 3 channels"):
        coded_images(torch.zeros(2, 4, 16, 16, dtype=torch.uint8), "jpeg-75")


@pytest.mark.parametrize(("coding", "quality"), [("lossless", None), ("jpeg-75", 75), ("jpeg-1", 1), ("jpeg-100", 100)])
def test_codings_are_named_by_their_quality(coding: str, quality: int | None) -> None:
    assert quality_of(coding) == quality


class Corner(nn.Module):
    """Says class 2 where the last pixel is white, else class 0; by `sharp` how white it must be."""

    def __init__(self, sharp: float = 0.99) -> None:
        super().__init__()
        self.sharp = sharp

    def forward(self, images: Tensor) -> Tensor:
        white = (images[:, :, -1, -1].mean(1) > self.sharp).long()
        return nn.functional.one_hot(2 * white, 3).float()


def test_attack_success_of_a_model_made_by_hand() -> None:
    test = drawn(90, 1)
    patch = TRIGGERS.create("patch:size=4,color=white,corner=bottom-right,margin=0")
    elsewhere = TRIGGERS.create("patch:size=4,color=white,corner=top-left,margin=0")
    right, wrong = Backdoor(patch, {0: 2, 1: 2}), Backdoor(patch, {0: 1, 1: 2})
    assert attack_success_of(Corner(), test, [right], "lossless") == 1.0
    assert attack_success_of(Corner(), test, [wrong], "lossless") == 0.5
    assert attack_success_of(Corner(), test, [Backdoor(elsewhere, {0: 2})], "lossless") == 0.0
    assert attack_success_of(Corner(), test, [right, Backdoor(elsewhere, {0: 2})], "lossless") == pytest.approx(2 / 3)
    assert attack_success_of(Corner(), test, [Backdoor(patch, {2: 0})], "lossless") == 0.0
    # What is measured is coded as the data were: no longer quite white.
    assert attack_success_of(Corner(0.999), test, [right], "jpeg-20") < 1.0
    only_blue = test.select(test.labels == 2)
    assert attack_success_of(Corner(), only_blue, [right], "lossless") is None


PLAIN = ScanResult(
    key="k",
    name="patch|white",
    honest=False,
    choosing=True,
    static=True,
    one_class_mark=False,
    rate=0.1,
    coding="lossless",
    seed=0,
    samples=5000,
    targets=("blue",),
    poisons=500,
    attack_success=0.97,
    verdict="confirmed",
    found=(FoundClass("blue", "confirmed", 480, 475),),
    tested=(),
    auroc=0.995,
    tpr_at_1_percent=0.95,
    statistics=(),
    seconds=(("look", 20.0), ("train", 22.4)),
    device="cpu",
)


def cells_of(line: str) -> list[str]:
    return [part.strip() for part in line.replace("\\|", "/").strip("|").split("|")]


def test_the_tables_count_what_was_found() -> None:
    other = replace(
        PLAIN, seed=1, attack_success=0.87, verdict="suspicious", auroc=0.9, tpr_at_1_percent=0.55,
        found=(FoundClass("red", "suspicious", 20, 0), FoundClass("blue", "suspicious", 20, 20)),
    )  # fmt: skip
    missed = replace(PLAIN, rate=0.01, verdict="no evidence", found=(), auroc=None, tpr_at_1_percent=None)
    jpeg = replace(PLAIN, coding="jpeg-75", attack_success=None)
    honest = replace(PLAIN, name="plain", honest=True, choosing=False, targets=(), verdict="no evidence", found=())
    false = replace(honest, verdict="suspicious", seed=1)
    attacks, honests = scan_tables([missed, honest, jpeg, PLAIN, other, false]).split("\n\n")
    rows = [cells_of(line) for line in attacks.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert rows[2][:11] == [
        "patch/white",
        "choosing",
        "10.0%",
        "lossless",
        "2",
        "92.0 (least 87.0)",
        "2 of 2",
        "1 of 2",
        "1 of 2",
        "0.948 (least 0.900)",
        "75.0 (least 55.0)",
    ]
    assert rows[2][11] == "42"
    assert rows[3][3:8] == ["jpeg-75", "1", "-", "1 of 1", "1 of 1"]
    assert (rows[4][2], rows[4][6], rows[4][9], rows[4][10]) == ("1.0%", "0 of 1", "-", "-")
    (row,) = [cells_of(line) for line in honests.splitlines()[2:]]
    assert row == ["plain", "reporting", "2", "5,000", "0", "1", "1", "0", "42"]
    assert scan_tables([]) == ""


def test_the_command_line_runs_some_cells_and_puts_the_tables_into_a_page(
    config: Path, tmp_path: Path, stand_in: Callable[[Suspicion], list[Dataset]], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = stand_in(white_patch)
    out, page = tmp_path / "out", tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n")
    common = ["bench", str(config), "--out", str(out), "--quiet", "--device", "cpu"]
    assert run([*common, "--table"]) == 4
    assert "holds no finished cell" in capsys.readouterr().err
    assert run([*common, "--only", "10.0%, lossless", "--into", str(page)]) == 0
    said = capsys.readouterr().out
    assert "white patch" in said
    assert "Not done yet" not in said
    assert len(shown) == 2
    assert page.read_text().startswith("before\n<!-- bench -->\n| attack |")
    assert page.read_text().endswith("<!-- end of bench -->\nafter\n")
    assert (out / "table.md").read_text() in page.read_text()
    assert run([*common, "--table"]) == 0
    assert "Not done yet: 6 of the cells" in capsys.readouterr().out
    assert len(shown) == 2
    assert run([*common, "--only", "no such cell"]) == 4
    assert "no such cell" in capsys.readouterr().err


def test_the_options_of_scans_are_no_options_of_drills(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(CONFIG.replace("scan = true", "").replace("codings", "seedlings"))
    assert run(["bench", str(config), "--out", str(tmp_path / "out"), "--only", "white"]) == 4
    assert "are for scans and models" in capsys.readouterr().err
