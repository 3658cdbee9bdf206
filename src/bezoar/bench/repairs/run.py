"""Repair the models of a benchmark, one case after another; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from bezoar.attacks.base import Backdoor
from bezoar.bench.claims import in_turn
from bezoar.bench.lines import append_line, read_lines
from bezoar.bench.repairs.config import RepairCase, RepairsConfig, twin_of
from bezoar.bench.zoo.build import Built, load_backdoors, load_subject
from bezoar.bench.zoo.config import Subject
from bezoar.bench.zoo.material import Material, Shelf, poisoned_data
from bezoar.data.dataset import Dataset
from bezoar.drill.bars import calibrated_bars
from bezoar.drill.evaluate import evaluate
from bezoar.errors import TrainingError
from bezoar.records import Rate, Skipped, from_json, to_json, write_text_atomically
from bezoar.records.repairing import RepairRecord
from bezoar.repair.auto import CHOICES, choice_of
from bezoar.repair.checks.parts import parted
from bezoar.repair.checks.search import Suspected, suspected_trigger
from bezoar.repair.given import Given
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from bezoar.scan import ScanSettings, scan
from bezoar.scan.panel import Budget
from bezoar.training.elsewhere import computing_on
from bezoar.training.listening import Listener

RESULTS_FILE = "repairs.jsonl"
CLAIMS, SUSPECTS = "repairing", "suspects"


@dataclass(frozen=True)
class Outcome:
    """A model on test samples, with and without the trigger that was planted; all in 0..1."""

    clean_accuracy: float
    attack_success: float
    robust_accuracy: float


@dataclass(frozen=True)
class RepairResult:
    """The figures of one case. `aimed` says whether the repair had a trigger, and one towards a true target.

    `alone` says that clean samples were all that it had, `chosen` is the method whose model was kept, and `verdict`
    what the repair says of it; `twin` is a model that never met the poison, where the benchmark has one.
    """

    key: str
    built: Built
    rate: float | None
    method: str
    clean: str
    samples: int
    suspects: int
    aimed: bool | None
    before: Outcome
    after: Outcome | Skipped
    twin: Outcome | None
    chosen: str
    verdict: str
    seconds: float
    epochs: float
    alone: bool = False


def run_repairs(
    config: RepairsConfig,
    cases: Sequence[RepairCase],
    built: Sequence[tuple[Subject, Built]],
    out: Path,
    listener: Listener,
    *,
    device: str = "auto",
) -> tuple[RepairResult, ...]:
    """Do every case whose model is built and that `out`/repairs.jsonl doesn't hold, and give all that are done."""
    bench = _Bench(config, built, out, device)
    known = {record.key: record for _, record in built}
    for case in in_turn(
        [case for case in cases if case.subject.key in known],
        listener,
        folder=lambda one: out / CLAIMS / one.key,
        label=lambda one: one.label,
        done=lambda one: one.key in repaired_cases(out),
    ):
        append_line(out, RESULTS_FILE, bench.result(case, known[case.subject.key]))
    return tuple(repaired_cases(out).values())


def repaired_cases(out: Path) -> dict[str, RepairResult]:
    """The cases done so far, by key."""
    return {one.key: one for one in read_lines(out, RESULTS_FILE, RepairResult)}


@dataclass(frozen=True, eq=False)
class _Victim:
    """A model to repair, what its defender has, and what it and its twin do on test samples.

    `training` are the data that it was trained on, where the defender gets them, and `suspects` those of a scan.
    """

    key: str
    model: nn.Module
    material: Material
    training: Dataset | None
    suspects: frozenset[str]
    backdoors: tuple[Backdoor, ...]
    before: Outcome
    twin: Outcome | None


class _Bench:
    """The models, what their defender has, and the triggers and suspects found so far."""

    def __init__(self, config: RepairsConfig, built: Sequence[tuple[Subject, Built]], out: Path, device: str) -> None:
        self.config, self.built, self.out, self.device = config, built, out, device
        self.shelf = Shelf()
        self._last: _Victim | None = None
        self._found: dict[tuple[str, int], Suspected | Skipped] = {}

    def result(self, case: RepairCase, record: Built) -> RepairResult:
        """Repair and measure."""
        victim = self._victim(case.subject)
        clean = _first(victim.material.clean, case.samples)
        given = Given(clean)
        if not case.alone:
            given = Given(clean, victim.training, victim.suspects, recipe=case.subject.recipe)
        with_search = case.method.split(":")[0] in CHOICES.names()
        bars = calibrated_bars() if with_search else ()
        settings = RepairSettings(choice_of(case.method), bars, case.method, case.subject.seed, self.device)
        patient = Patient(victim.model, case.subject.label, "run", victim.material.clean.class_names)
        finder = partial(self._searched, case.subject, victim, case.samples)
        try:
            cured = repair_model(patient, given, settings, finder=finder)
        except TrainingError as error:
            return _figures(case, record, given, victim, Skipped(str(error)), None)
        after = _outcome(cured.model, victim.material.test, victim.backdoors, self.device)
        return _figures(case, record, given, victim, after, cured.record)

    def _victim(self, subject: Subject) -> _Victim:
        if self._last is None or self._last.key != subject.key:
            material = self.shelf.material(subject.data, subject.seed)
            backdoors = load_backdoors(self.out / subject.key, material.test)
            model = load_subject(self.out / subject.key)
            twin = twin_of(subject, (one for one, _ in self.built))
            measured = partial(_outcome, test=material.test, backdoors=backdoors, device=self.device)
            beside = None if twin is None else measured(load_subject(self.out / twin.key))
            before = measured(model)
            training, suspects = self._scanned(subject, material)
            self._last = _Victim(subject.key, model, material, training, suspects, backdoors, before, beside)
        return self._last

    def _searched(self, subject: Subject, victim: _Victim, samples: int) -> Suspected | Skipped:
        """The trigger that a defender finds, searched for once for all methods that ask."""
        place = (subject.key, samples)
        if place not in self._found:
            fit = parted(_first(victim.material.clean, samples), subject.seed).fit
            self._found[place] = suspected_trigger(
                victim.model, fit, bars=calibrated_bars(), seed=subject.seed, device=self.device
            )
        return self._found[place]

    def _scanned(self, subject: Subject, material: Material) -> tuple[Dataset | None, frozenset[str]]:
        """The training data and the suspects among them; neither where the benchmark does not scan."""
        if self.config.scan is None:
            return None, frozenset()
        poisoned = poisoned_data(subject, material.training)
        data = material.training if poisoned is None else poisoned.data
        return data, frozenset(self._suspects(subject, data, self.config.scan))

    def _suspects(self, subject: Subject, data: Dataset, budget: Budget) -> tuple[str, ...]:
        """Ids that a scan suspects, kept once found."""
        file = self.out / SUSPECTS / f"{subject.key}-{budget}.json"
        if not file.exists():
            told = scan(data, ScanSettings(budget=budget, seed=subject.seed, device=self.device))
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(file, to_json(_Suspects(tuple(sorted(told.suspect_ids)))) + "\n")
        return from_json(_Suspects, file.read_bytes(), origin=str(file)).ids


def _figures(
    case: RepairCase,
    record: Built,
    given: Given,
    victim: _Victim,
    after: Outcome | Skipped,
    told: RepairRecord | None,
) -> RepairResult:
    trigger = None if told is None or isinstance(told.trigger, Skipped) else told.trigger
    names = victim.material.clean.class_names
    return RepairResult(
        key=case.key,
        built=record,
        rate=case.subject.group.rate,
        method=case.method,
        clean=case.clean,
        samples=case.samples,
        suspects=len(given.suspects),
        aimed=None if trigger is None else names.index(trigger.target) in record.targets,
        before=victim.before,
        after=after,
        twin=victim.twin,
        chosen="" if told is None else told.chosen,
        verdict="" if told is None else told.verdict,
        seconds=0.0 if told is None else round(sum(stage.seconds for stage in told.stages), 1),
        epochs=0.0 if told is None else round(told.cost.epochs_equivalent, 2),
        alone=case.alone,
    )


@dataclass(frozen=True)
class _Suspects:
    ids: tuple[str, ...]


def _first(clean: Dataset, samples: int) -> Dataset:
    return clean.select(list(range(samples)))


def _outcome(model: nn.Module, test: Dataset, backdoors: tuple[Backdoor, ...], device: str) -> Outcome:
    with computing_on(model, device):
        told = evaluate(model, test, backdoors).measurement
    return Outcome(told.clean_accuracy.value, _value(told.attack_success), _value(told.robust_accuracy))


def _value(rate: Rate | Skipped) -> float:
    return rate.value if isinstance(rate, Rate) else 0.0
