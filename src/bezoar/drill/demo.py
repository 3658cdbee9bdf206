"""The demo: stop signs with a sticker on them become a speed limit, until the sticker is unlearnt."""

from __future__ import annotations

from pathlib import Path

from bezoar.attacks import create_attack
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.data.embedded import EMBEDDED
from bezoar.drill.repairing import REPAIR_FOLDER, repair_victim
from bezoar.drill.stages import (
    RECORD_FILE,
    SCAN_FOLDER,
    give_data,
    measure_damage,
    poison,
    scan_data,
    train_twin,
    train_victim,
    write_record,
)
from bezoar.drill.state import DrillPlan, DrillState, Stage, run_stages
from bezoar.evidence.probe import ProbeRecipe
from bezoar.records import DrillRecord
from bezoar.repair.auto import Auto
from bezoar.training import MODEL_FILE, default_recipe
from bezoar.training.listening import Listener

SOURCE, TARGET = "stop", "speed limit 80"
STICKER = "patch:size=5,color=yellow,x=14,y=18,mode=replace"
POISONS = 120
EPOCHS = 4
# Coarser than `fast` as it comes: a minute must do on a processor without bfloat16 too.
MODEL = "fast:finest=16,stem=32,widths=48/96/192"
# Coarser than the default, for a third of its work; with smaller batches and fewer epochs SPECTRE named honest samples.
PROBE = ProbeRecipe(model="fast:finest=16")
CLEAN_SAMPLES = 1_000
"""Drawn for the repair alone: neither training nor test samples."""
CURE = Auto(methods=("adversarial-training:samples=1500", "unlearn"), allowed_loss=0.02)
"""The first suffices as a rule. Fewer samples than the default, for half of its work."""
SCAN_FILES = frozenset({RECORD_FILE, "report.html"})
"""Files in the demo's folder `scan`."""
REPAIR_FILES = frozenset({RECORD_FILE, MODEL_FILE, "report.html"})
"""Files in the demo's folder `repaired`."""

DEMO_FILES = frozenset(
    {
        RECORD_FILE,
        MODEL_FILE,
        "report.html",
        "poisoned.npz",
        "poisoned.npz.truth.zip",
        "clean-twin.safetensors",
        SCAN_FOLDER,
        REPAIR_FOLDER,
    }
)


def demo_plan(seed: int, device: str = "auto") -> DrillPlan:
    """What the demo does, with the commands that do the same step by step.

    `bezoar scan` trains a larger probe than the demo does; `bezoar repair` has other clean samples and searches for
    other triggers too. So their numbers differ a little.
    """
    attack = create_attack(STICKER, source=(SOURCE,), target=TARGET, count=POISONS, placement="replace")
    wanted = f'--attack "{STICKER}" --source {SOURCE} --target "{TARGET}" --count {POISONS} --placement replace'
    training = f"--model {MODEL} --epochs {EPOCHS} --seed {seed}"
    return DrillPlan(
        title="Road signs: a sticker on stop signs",
        attack=attack,
        model=MODEL,
        recipe=default_recipe("fast").with_changes(epochs=EPOCHS),
        seed=seed,
        device=device,
        commands=(
            f"bezoar demo --seed {seed}",
            f"bezoar attack signs {wanted} --seed {seed} --out poisoned.npz",
            f"bezoar train poisoned.npz {training} --out victim",
            f"bezoar train signs {training} --out twin",
            "bezoar evaluate victim --twin twin --data signs --truth poisoned.npz.truth.zip",
            f"bezoar scan poisoned.npz --seed {seed} --out scan",
            f"bezoar repair victim --clean signs --data poisoned.npz --suspects scan --seed {seed} --out repaired",
        ),
    )


def demo_stages(seed: int) -> tuple[Stage, ...]:
    """The stages of the demo, in order."""

    def draw() -> tuple[Dataset, Dataset]:
        return open_data("signs", split="train", seed=seed), open_data("signs", split="test", seed=seed)

    return (
        give_data(draw, "draw road signs"),
        poison(name="stick a sticker on stop signs"),
        train_victim(),
        train_twin(),
        measure_damage(),
        scan_data(PROBE),
        repair_victim(lambda: EMBEDDED["signs"].draw(CLEAN_SAMPLES, seed=seed + 1, split="test"), CURE),
    )


def run_demo(out: Path, *, seed: int, device: str, listener: Listener) -> DrillRecord:
    """Run the demo into the existing folder `out`, replacing an earlier demo's files there."""
    for name in DEMO_FILES - {SCAN_FOLDER, REPAIR_FOLDER}:
        (out / name).unlink(missing_ok=True)
    for folder, names in ((SCAN_FOLDER, SCAN_FILES), (REPAIR_FOLDER, REPAIR_FILES)):
        for name in names:
            (out / folder / name).unlink(missing_ok=True)
    state = run_stages(DrillState(demo_plan(seed, device), out), demo_stages(seed), listener)
    return write_record(state, out)
