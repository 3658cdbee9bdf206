"""`bezoar attack --model RUN`: a backdoor in the weights of a trained model, instead of in data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from bezoar.attacks import default_truth_path
from bezoar.attacks.tampering import TAMPERINGS, create_tampering, is_tampering
from bezoar.attacks.tampering.specs import single
from bezoar.cli.console import TerminalListener, own_code_speaks_on_stderr, print_json, say
from bezoar.cli.folders import free_folder, new_folder
from bezoar.cli.options import Reading, values_of_the_call
from bezoar.cli.sentences import backdoor_sentences
from bezoar.drill.tamper_run import tamper_run
from bezoar.errors import UsageError


def tamper(
    spec: str,
    *,
    run: Path | None,
    data: str,
    reading: Reading,
    source: Sequence[str],
    target: str | None,
    trigger: Sequence[str],
    out: Path | None,
    truth: Path | None,
    seed: int,
    json: bool,
    refused: Mapping[str, object],
) -> None:
    """Write a copy of `run` with a backdoor to the folder `out`. `refused` are options that make no sense here."""
    if not is_tampering(spec):
        raise UsageError(
            "--model is for attacks on trained models",
            expected="--attack with one of " + ", ".join(TAMPERINGS.names()),
            found=spec or "no attack",
        )
    if run is None or out is None:
        raise UsageError(
            f"{spec} tampers with a trained model",
            expected="--model RUN, a run folder of bezoar train, and --out for the tampered copy",
        )
    for option, value in refused.items():
        if value not in (None, False):
            raise UsageError(f"{option} is for attacks on data, and {spec} touches none", remedy="Leave it out")
    with values_of_the_call():
        method = create_tampering(spec, source=source, target=target, trigger=single(trigger))
    free_folder(out)
    own = reading.open(data)
    with new_folder(out), own_code_speaks_on_stderr(), TerminalListener(quiet=json).bars() as works:
        done = tamper_run(method, run, own, out, truth or default_truth_path(out), seed=seed, progress=works)
    if json:
        print_json(done.record)
        return
    for sentence in (*backdoor_sentences(done.record.attack, own.class_names), *done.notes):
        say(escape(sentence))
    say(f"the truth is sealed in {done.record.truth_file}; keep it from whoever defends")
    say(f"next: bezoar evaluate {out} --twin {run} --truth {done.record.truth_file} --data TEST")
