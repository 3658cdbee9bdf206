"""`bezoar train`: a model from a data set, into a run folder."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.codes import INTERRUPTED
from bezoar.cli.console import (
    TerminalListener,
    command_line,
    counted,
    errors,
    own_code_speaks_on_stderr,
    print_json,
    say,
)
from bezoar.cli.folders import check_output, free_folder, new_folder
from bezoar.cli.options import Data, Device, Epochs, Flips, Json, Model, Out, Reading, Seed, reads_data
from bezoar.drill.train_run import CHECKPOINT_FILE, RUN_FILES, train_run
from bezoar.errors import UsageError
from bezoar.records import TrainingRunRecord
from bezoar.training import default_recipe
from bezoar.training.distributed import is_first_process
from bezoar.training.models import create_architecture


def add_to(app: typer.Typer) -> None:
    """Make `train` a verb."""
    app.command("train")(train)


@reads_data
def train(
    data: Data,
    out: Out = Path("run"),
    model: Model = "fast",
    trainer: Annotated[
        str | None, typer.Option(help="Your own training function, package.module:function(data, seed=...).")
    ] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Fine-tune this run's model instead.")] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(help="With --from: train only this module, such as head. Can be given more than once."),
    ] = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    shift: Annotated[int | None, typer.Option(help="Shift images by up to this many pixels at random.")] = None,
    flips: Flips = False,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished epoch in --out.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Train a model and keep it with its record. Ctrl-C keeps the last finished epoch; --resume goes on."""
    if resume and not (out / CHECKPOINT_FILE).exists():
        raise UsageError(f"{out} holds nothing to resume", expected=CHECKPOINT_FILE, remedy="Leave --resume out")
    if tune and (start is None or trainer is not None):
        raise UsageError(
            "there is no trained model to tune",
            expected="--tune together with --from RUN" + (", and no --trainer" if trainer else ""),
        )
    check_output(out, data)
    own_files = RUN_FILES if resume else frozenset[str]()
    if is_first_process():
        free_folder(out, own_files=own_files)
    create_architecture(model)  # raises for a slip of the pen before the data are read
    recipe = default_recipe(model).with_changes(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, shift=shift, flips=flips or None
    )
    opened = reading.open(data)
    with new_folder(out, own_files=own_files) if is_first_process() else nullcontext(), own_code_speaks_on_stderr():
        record = train_run(
            opened,
            out,
            model=model,
            recipe=recipe,
            seed=seed,
            trainer=trainer,
            start=start,
            tune=tuple(tune or ()),
            device=device,
            precision=precision,
            resume=resume,
            command=command_line(),
            listener=TerminalListener(quiet=json or not is_first_process()),
        )
    if not is_first_process():
        return
    if json:
        print_json(record)
    else:
        _say_how_it_went(record, out)
    if record.training.interrupted:
        errors.print(
            f"the model after epoch {len(record.training.history)} is kept: go on with the same command and --resume"
        )
        raise typer.Exit(INTERRUPTED)


def _say_how_it_went(record: TrainingRunRecord, out: Path) -> None:
    last = record.training.history[-1] if record.training.history else None
    accuracy = f", training accuracy {last.train_accuracy:.1%}" if last else ""
    say(f"{out}: {counted(len(record.training.history), 'epoch')} in {record.training.seconds:.0f} s{accuracy}")
    if not record.training.interrupted:
        say(f"next: bezoar evaluate {out} --truth TRUTH --data TEST")
