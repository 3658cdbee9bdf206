"""What the scenarios share: the drill from data to report, and the command line `[--quick] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bezoar import default_recipe, open_data
from bezoar.attacks import Attack
from bezoar.cli.report import say_drill
from bezoar.data import Dataset
from bezoar.data.embedded import EMBEDDED
from bezoar.drill.demo import DEMO_FILES, MODEL
from bezoar.drill.stages import give_data, measure_damage, poison, train_twin, train_victim, write_record
from bezoar.drill.state import DrillPlan, DrillState, run_stages
from bezoar.errors import BezoarError
from bezoar.records import DrillRecord
from bezoar.report import write_report
from bezoar.training.listening import Silence

EPOCHS = 8
SEED = 0
QUICK_SAMPLES, QUICK_MODEL, QUICK_EPOCHS = 500, "fast:finest=8,stem=12,widths=12/24", 1


def drill(title: str, data: str, attack: Attack, out: Path, *, quick: bool, script: str) -> DrillRecord:
    """Poison a copy of an embedded set, train a victim on it and a clean twin beside it, measure both, report.

    Files of an earlier drill in the folder `out` are replaced. `quick` shows only that everything runs: few samples,
    one epoch, a tiny network.
    """

    def draw() -> tuple[Dataset, Dataset]:
        return part("train"), part("test")

    def part(split: str) -> Dataset:
        if quick:
            return EMBEDDED[data].draw(QUICK_SAMPLES, seed=SEED, split=split)
        return open_data(data, split=split, seed=SEED)

    for name in DEMO_FILES:
        (out / name).unlink(missing_ok=True)
    plan = DrillPlan(
        title=f"{title} (quick run, which shows no effect)" if quick else title,
        attack=attack,
        model=QUICK_MODEL if quick else MODEL,
        recipe=default_recipe("fast").with_changes(epochs=QUICK_EPOCHS if quick else EPOCHS),
        seed=SEED,
        commands=(f"python examples/scenarios/{Path(script).name}" + (" --quick" if quick else ""),),
    )
    stages = (give_data(draw, f"draw {data}"), poison(), train_victim(), train_twin(), measure_damage())
    state = run_stages(DrillState(plan, out), stages, Silence())
    record = write_record(state, out)
    say_drill(record, write_report(record, out))
    return record


def command_line(play: Callable[..., DrillRecord], script: str) -> None:
    """Play a scenario as the command line says."""
    parser = argparse.ArgumentParser(description=play.__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; shows no effect")
    parser.add_argument("--out", type=Path, default=Path("bezoar-scenarios") / Path(script).stem)
    arguments = parser.parse_args()
    try:
        play(arguments.out, quick=arguments.quick)
    except BezoarError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
