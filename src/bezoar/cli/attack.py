"""`bezoar attack`: poison a copy of your own data, and take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bezoar.attacks import Poisoned, create_attack, default_truth_path, require_truth_place, save_truth
from bezoar.attacks import undo as restore
from bezoar.attacks.catalogue import catalogue
from bezoar.attacks.composing.layout import Placement
from bezoar.attacks.tampering import is_tampering
from bezoar.cli.console import TerminalListener, errors, own_code_speaks_on_stderr, print_json, say
from bezoar.cli.folders import check_output, next_file
from bezoar.cli.options import Data, Json, Reading, Seed, reads_data, values_of_the_call
from bezoar.cli.sentences import backdoor_sentences, poisons_sentence
from bezoar.cli.tamper import tamper
from bezoar.data import Dataset, require_free, write_data
from bezoar.drill.preview import contact_sheet
from bezoar.drill.record import attack_record
from bezoar.errors import OutputExistsError, UsageError
from bezoar.records import AttackRunRecord, Saturation

ATTACK_HELP = (
    "Attacks: "
    + ", ".join(one.name for one in catalogue().entries)
    + ". bezoar attacks lists them with their papers and fields, bezoar attacks NAME shows one in full."
)


def add_to(app: typer.Typer) -> None:
    """Make `attack` a verb."""
    app.command("attack", epilog=ATTACK_HELP)(attack)


@reads_data
def attack(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="The poisoned copy: an .npz, a .parquet or a new folder.")] = None,
    attack: Annotated[
        str | None, typer.Option(metavar="SPEC", help="As patch:size=5,color=cyan,corner=top-left,mode=replace")
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="The trigger of an attack that takes one; repeated where it takes several."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Class that the trigger shall lead to the target; may be repeated. All others if left out."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The class the trigger shall lead to.")] = None,
    all_to_all: Annotated[bool, typer.Option("--all-to-all", help="Every class leads to the next one.")] = False,
    rate: Annotated[
        float | None, typer.Option(help="Poisons as a share of all samples; clean label: of the target class.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Poisons as a number.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write a contact sheet of six samples; without --out nothing else.")
    ] = False,
    placement: Annotated[
        Placement | None, typer.Option(help="add poisons to the data, or replace their originals.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Where to seal the truth; beside --out otherwise.")] = None,
    undo: Annotated[
        Path | None, typer.Option("--undo", metavar="TRUTH", help="Restore the original with this truth file.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The trained run whose model an attack on models tampers with.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Poison a copy of DATA and seal the truth in a file of its own; with --undo, give back the original.

    An attack on models tampers with a copy of the run --model instead, and DATA are the attacker's own clean samples.
    """
    if undo is None and attack is None:
        raise UsageError("which attack?", remedy="Give --attack SPEC, as patch:size=5,color=cyan, or --undo TRUTH")
    if model is not None or is_tampering(attack or ""):
        only_data = {"--rate": rate, "--count": count, "--placement": placement, "--all-to-all": all_to_all}
        tamper(
            attack or "",
            run=model,
            data=data,
            reading=reading,
            source=source or (),
            target=target,
            trigger=trigger or (),
            out=out,
            truth=truth,
            seed=seed,
            json=json,
            refused={**only_data, "--preview": preview, "--undo": undo},
        )
        return
    if out is None and (undo is not None or not preview):
        raise UsageError("where shall the poisoned copy go?", remedy="Give --out, or --preview for a look alone")
    # All that can be asked is asked before the data are read: a slip of the pen shall not cost minutes.
    if out is not None:
        check_output(out, data)
        require_free(out)
        if undo is None:
            require_truth_place(truth or default_truth_path(out))
    with values_of_the_call():
        method = (
            None
            if attack is None
            else create_attack(
                attack,
                source=tuple(source or ()),
                target=target,
                rate=rate,
                count=count,
                placement=placement,
                relabel="all-to-all" if all_to_all else None,
                trigger=trigger or None,
            )
        )
    sheet = _sheet_path(out) if preview and method is not None else None
    opened = reading.open(data)
    if undo is not None and out is not None:
        _undo(opened, undo, out, json=json)
    elif method is not None:
        with own_code_speaks_on_stderr(), TerminalListener(quiet=json).bars() as works:
            poisoned = method.poison(opened, seed=seed, progress=works)
        _keep(poisoned, out, truth, sheet, seed=seed, json=json)


def _keep(
    poisoned: Poisoned, out: Path | None, truth: Path | None, sheet: Path | None, *, seed: int, json: bool
) -> None:
    """Write what was asked for, and say where it lies."""
    picture = None if sheet is None else contact_sheet(poisoned, seed=seed)
    if out is not None:
        _write(poisoned, out, truth or default_truth_path(out), json=json)
    if sheet is not None and picture is not None:
        sheet.write_bytes(picture)
    if sheet is not None and out is None and json:
        print_json({"preview_file": str(sheet)})
    if sheet is not None:
        (errors.print if json else say)(f"{sheet}: samples before and after; it shows who defends where to look")


def _sheet_path(out: Path | None) -> Path:
    """Where the contact sheet goes: beside the data, or to the first free preview.png of the working folder.

    Raises OutputExistsError when there is one beside the data already.
    """
    if out is None:
        return next_file(Path("preview.png"))
    path = out.with_name(f"{out.name}.preview.png")
    if path.exists():
        raise OutputExistsError(f"{path} exists", remedy="Move it away, or give another --out")
    return path


def _write(poisoned: Poisoned, out: Path, truth_path: Path, *, json: bool) -> None:
    # The truth first: no poisoned set shall exist without the way back.
    save_truth(poisoned, truth_path)
    try:
        write_data(poisoned.data, out)
    except BaseException:
        truth_path.unlink(missing_ok=True)
        raise
    record = AttackRunRecord(
        dataset=poisoned.originals.data.record(),
        attack=attack_record(poisoned.truth, poisoned.backdoors[0].trigger),
        saturation=poisoned.saturation,
        data_file=str(out),
        truth_file=str(truth_path),
    )
    if json:
        print_json(record)
        return
    say(escape(poisons_sentence(record.attack, poisoned, out)))
    for sentence in backdoor_sentences(record.attack, poisoned.data.class_names):
        say(escape(sentence))
    if isinstance(record.saturation, Saturation):
        say(f"swallowed by saturation: {record.saturation.swallowed:.1%} of the trigger's pixels")
    say(f"the truth is sealed in {truth_path}; keep it from whoever defends")
    say(f"next: bezoar train {out} --out victim")


def _undo(poisoned: Dataset, truth_path: Path, out: Path, *, json: bool) -> None:
    restored = restore(poisoned, truth_path)
    write_data(restored, out)
    if json:
        print_json(restored.record())
    else:
        say(f"{out}: the {len(restored)} original samples, checked byte for byte against the truth file")
