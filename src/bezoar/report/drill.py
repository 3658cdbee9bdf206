"""The sections of a drill's report, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from bezoar.records import (
    DatasetRecord,
    DrillRecord,
    EpochRecord,
    Measurement,
    ModelResult,
    Rate,
    Skipped,
    TrainingRecord,
)
from bezoar.report.backdoors import backdoor_table, backdoors, relabellings, sources
from bezoar.report.chart import Line, line_chart
from bezoar.report.classes import class_table, counts_by_class
from bezoar.report.confusion import MOST_CLASSES, largest_errors, matrix, step_labels
from bezoar.report.drill_repair import repair_view
from bezoar.report.drill_scan import scan_view
from bezoar.report.phrases import measured, percent, points
from bezoar.report.pictures import gallery
from bezoar.report.section import Section
from bezoar.report.standards import frameworks_for

MOST_EPOCH_ROWS = 60

View = Mapping[str, object]

_CARDS = (
    (
        "Clean accuracy",
        "clean_accuracy",
        "Share of untouched test images read correctly. A backdoored model should score about as well as the clean "
        "twin here; that is what makes it hard to notice.",
    ),
    (
        "Attack success rate (ASR)",
        "attack_success",
        "Share of test images with the trigger on them that are read as the attacker's target. Images that already "
        "belong to the target are left out. The clean twin is the control: what the trigger does by itself.",
    ),
    (
        "Robust accuracy (RA)",
        "robust_accuracy",
        "Share of the same triggered images still read as what they really show. High is good: the trigger is ignored.",
    ),
    (
        "ASR from any class",
        "attack_success_any_source",
        "The same trigger on images of every other class too. High means that it works far beyond the classes that "
        "were poisoned.",
    ),
)


_TRIGGERED = ("The same images with the trigger", "The same images with each trigger in turn")


def _numbers(record: DrillRecord) -> View:
    return {"cards": [_card(record, *card) for card in _CARDS], "backdoors": backdoor_table(record)}


def _card(record: DrillRecord, title: str, field: str, meaning: str) -> View:
    victim = _rate(record.victim.measurement, field)
    twin = record.twin if isinstance(record.twin, Skipped) else _rate(record.twin.measurement, field)
    difference = points(victim.value - twin.value) if isinstance(victim, Rate) and isinstance(twin, Rate) else ""
    return {"title": title, "meaning": meaning, "victim": victim, "twin": twin, "difference": difference}


def _rate(measurement: Measurement, field: str) -> Rate | Skipped:
    rate: Rate | Skipped = getattr(measurement, field)
    return measured(rate)


def _monitoring(record: DrillRecord) -> View:
    return {"answer": record.monitoring}


def _pictures(record: DrillRecord) -> View:
    shown = gallery(record.pairs, [dict(backdoor.relabelling) for backdoor in backdoors(record.attack)])
    return {"pairs": shown, "left_out": len(record.pairs) - len(shown)}


def _confusion(record: DrillRecord) -> View:
    names = record.test_dataset.class_names
    measurement = record.victim.measurement
    aims = frozenset(relabellings(record.attack))
    if len(names) > MOST_CLASSES:
        cells = largest_errors(names, measurement.confusion_clean, measurement.confusion_triggered, aims)
        return {"matrices": (), "cells": cells, "classes": len(names)}
    both = (
        ("Clean images", matrix(names, measurement.confusion_clean)),
        (_TRIGGERED[bool(record.attack.further)], matrix(names, measurement.confusion_triggered, aims)),
    )
    return {"matrices": both, "cells": (), "steps": step_labels()}


def _curves(record: DrillRecord) -> View:
    histories = [
        (name, model.training.history)
        for name, model in (("victim", record.victim), ("twin", record.twin))
        if isinstance(model, ModelResult) and isinstance(model.training, TrainingRecord)
    ]
    return {
        "charts": [
            _chart("Training loss", "loss", histories, lambda epoch: epoch.loss),
            _chart("Training accuracy", "accuracy", histories, lambda epoch: epoch.train_accuracy, share=True),
        ],
        "tables": [(role, *_thinned(history)) for role, history in histories if history],
    }


def _chart(
    title: str,
    y_label: str,
    histories: list[tuple[str, tuple[EpochRecord, ...]]],
    value: Callable[[EpochRecord], float],
    *,
    share: bool = False,
) -> tuple[str, Markup | None]:
    lines = [
        Line(role, role, tuple((float(epoch.epoch), value(epoch)) for epoch in history)) for role, history in histories
    ]
    ends = [f"{line.label} ends at {_value(line.points[-1][1], share)}" for line in lines if line.points]
    description = f"{title} by epoch. {'; '.join(ends)}."
    try:
        drawing = line_chart(
            lines,
            description=description,
            x_label="epoch",
            y_label=y_label,
            y_text=(lambda tick: f"{tick * 100:g}%") if share else (lambda tick: f"{tick:g}"),
            y_most=1.0 if share else None,
        )
    except ValueError:
        return title, None
    return title, drawing


def _value(value: float, share: bool) -> str:
    return percent(value) if share else f"{value:.3g}"


def _thinned(history: tuple[EpochRecord, ...]) -> tuple[tuple[EpochRecord, ...], int]:
    stride = -(-len(history) // MOST_EPOCH_ROWS)
    kept = history[::stride]
    return (kept if kept[-1] is history[-1] else (*kept, history[-1])), stride


def _classes(record: DrillRecord) -> View:
    return {"table": class_table(record)}


def _attack(record: DrillRecord) -> View:
    attack = record.attack
    return {
        "attack": attack,
        "backdoors": backdoors(attack),
        "sources": sources(attack),
        "visibility": record.visibility,
        "saturation": record.saturation,
    }


def _training(record: DrillRecord) -> View:
    models = [record.victim] if isinstance(record.twin, Skipped) else [record.victim, record.twin]
    known = [model for model in models if isinstance(model.training, TrainingRecord)]
    unknown = [model for model in models if isinstance(model.training, Skipped)]
    return {"models": known, "unknown": unknown, "total": sum(stage.seconds for stage in record.stages)}


def _data(record: DrillRecord) -> View:
    sets = (("Training data", record.dataset), ("Test data", record.test_dataset))
    known = [(title, dataset) for title, dataset in sets if isinstance(dataset, DatasetRecord)]
    unknown = [(title, dataset) for title, dataset in sets if isinstance(dataset, Skipped)]
    return {"sets": [(title, dataset, *counts_by_class(dataset)) for title, dataset in known], "unknown": unknown}


def _standards(record: DrillRecord) -> View:
    return {"frameworks": frameworks_for(record.kind)}


def _reproduce(record: DrillRecord) -> View:
    return {"commands": record.commands, "versions": record.versions}


SECTIONS = (
    Section("numbers", "The numbers that matter", "numbers.html", _numbers),
    Section("monitoring", "Would monitoring have noticed?", "monitoring.html", _monitoring),
    Section("scan", "Would a scan of the data have found it?", "drill_scan.html", scan_view),
    Section("repair", "Can it be taken out again?", "drill_repair.html", repair_view),
    Section("pictures", "What the model sees", "pictures.html", _pictures),
    Section("confusion", "What is taken for what", "confusion.html", _confusion),
    Section("curves", "How training went", "curves.html", _curves),
    Section("classes", "Class by class", "classes.html", _classes),
    Section("attack", "The attack", "attack.html", _attack),
    Section("training", "Training and time", "training.html", _training),
    Section("data", "The data", "data.html", _data),
    Section("standards", "Public catalogues", "standards.html", _standards),
    Section("reproduce", "Do it again", "reproduce.html", _reproduce),
)
