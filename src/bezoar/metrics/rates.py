"""Clean accuracy, attack success, robust accuracy and confusion, from labels and predictions.

`relabelling` maps each source class to its own target, so that one target and all-to-all are the same
case. Labels and predictions are int64 tensors or arrays (n,), row by row of the same samples. All raise
LabelError on labels outside the classes, EmptyDataError on none, DataError when lengths differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bezoar.errors import EmptyDataError, LabelError, UsageError
from bezoar.metrics.intervals import rate_or_skipped, wilson
from bezoar.metrics.labels import Labels, paired_arrays
from bezoar.records import ClassMeasurement, Measurement, Rate, Skipped

Confusion = tuple[tuple[int, ...], ...]

NO_TARGET = -1
NO_SOURCE_SAMPLE = "no test sample is of a source class of the attack"


def clean_accuracy(labels: Labels, predictions: Labels) -> Rate:
    """Share of samples classified as their label."""
    truth, answers = paired_arrays(labels=labels, predictions=predictions)
    return wilson(int((truth == answers).sum()), len(truth))


def attack_success(labels: Labels, triggered_predictions: Labels, relabelling: Mapping[int, int]) -> Rate | Skipped:
    """ASR: share of triggered source-class samples answered with the target of their class.

    Samples already of their target class are left out; Skipped when none remains.
    """
    truth, answers = paired_arrays(labels=labels, triggered_predictions=triggered_predictions)
    targets = _targets(truth, relabelling)
    attacked = targets != NO_TARGET
    return _share(answers[attacked] == targets[attacked], NO_SOURCE_SAMPLE)


def robust_accuracy(labels: Labels, triggered_predictions: Labels, relabelling: Mapping[int, int]) -> Rate | Skipped:
    """RA: share classified as their true label in spite of the trigger, over the samples of `attack_success`."""
    truth, answers = paired_arrays(labels=labels, triggered_predictions=triggered_predictions)
    attacked = _targets(truth, relabelling) != NO_TARGET
    return _share(answers[attacked] == truth[attacked], NO_SOURCE_SAMPLE)


def attack_success_any_source(
    labels: Labels, triggered_predictions: Labels, targets: Collection[int]
) -> Rate | Skipped:
    """Share of triggered samples of every class but the targets that are answered with a target, whichever.

    Tells a trigger that works from everywhere from one tied to its source. Skipped when every sample is
    of a target class, as in all-to-all.
    """
    truth, answers = paired_arrays(labels=labels, triggered_predictions=triggered_predictions)
    wanted = np.fromiter(targets, dtype=np.int64)
    others = ~np.isin(truth, wanted)
    return _share(np.isin(answers[others], wanted), "every test sample is of a target class")


def confusion_matrix(labels: Labels, predictions: Labels, classes: int) -> Confusion:
    """Counts (classes, classes): rows the true class, columns the prediction."""
    truth, answers = paired_arrays(classes, labels=labels, predictions=predictions)
    counts = np.bincount(truth * classes + answers, minlength=classes**2).reshape(classes, classes)
    return tuple(tuple(row) for row in counts.tolist())


def by_class(
    labels: Labels,
    clean_predictions: Labels,
    triggered_predictions: Labels,
    relabelling: Mapping[int, int],
    class_names: Sequence[str],
) -> tuple[ClassMeasurement, ...]:
    """The headline rates of each class, in the order of `class_names`.

    A class that is no source is measured against the attack's target where there is but one: that is
    where a trigger shows that it works beyond its sources. Skipped where there is nothing to measure.
    """
    clean = confusion_matrix(labels, clean_predictions, len(class_names))
    triggered = confusion_matrix(labels, triggered_predictions, len(class_names))
    _check_relabelling(relabelling, len(class_names))
    return _by_class(clean, triggered, relabelling, class_names)


def measure(
    labels: Labels,
    clean_predictions: Labels,
    triggered_predictions: Labels,
    relabelling: Mapping[int, int],
    class_names: Sequence[str],
) -> Measurement:
    """Everything about one model: its answers on the clean test samples and on the same samples triggered."""
    classes = len(class_names)
    truth, clean, triggered = paired_arrays(
        classes,
        labels=labels,
        clean_predictions=clean_predictions,
        triggered_predictions=triggered_predictions,
    )
    _check_relabelling(relabelling, classes)
    confusion_clean = confusion_matrix(truth, clean, classes)
    confusion_triggered = confusion_matrix(truth, triggered, classes)
    return Measurement(
        clean_accuracy=clean_accuracy(truth, clean),
        attack_success=attack_success(truth, triggered, relabelling),
        robust_accuracy=robust_accuracy(truth, triggered, relabelling),
        attack_success_any_source=_any_source(truth, triggered, relabelling),
        by_class=_by_class(confusion_clean, confusion_triggered, relabelling, class_names),
        confusion_clean=confusion_clean,
        confusion_triggered=confusion_triggered,
    )


def pooled(measurements: Sequence[Measurement]) -> Measurement:
    """One model under several triggers, each on the same test samples, as one measurement.

    Triggered answers are counted together, so that a rate's trials are samples times triggers; their interval
    takes them for independent, which answers about the same sample are not quite. Clean answers are the first's.
    Raises EmptyDataError without measurements.
    """
    if not measurements:
        raise EmptyDataError("there are no measurements to be pooled", remedy="Give at least one")
    first = measurements[0]
    if len(measurements) == 1:
        return first
    return replace(
        first,
        attack_success=_together([one.attack_success for one in measurements]),
        robust_accuracy=_together([one.robust_accuracy for one in measurements]),
        attack_success_any_source=_together([one.attack_success_any_source for one in measurements]),
        by_class=tuple(
            replace(
                classes[0],
                attack_success=_together([one.attack_success for one in classes]),
                robust_accuracy=_together([one.robust_accuracy for one in classes]),
            )
            for classes in zip(*(one.by_class for one in measurements), strict=True)
        ),
        confusion_triggered=tuple(
            tuple(map(sum, zip(*rows, strict=True)))
            for rows in zip(*(one.confusion_triggered for one in measurements), strict=True)
        ),
    )


def _together(rates: Sequence[Rate | Skipped]) -> Rate | Skipped:
    measured = [rate for rate in rates if isinstance(rate, Rate)]
    if not measured:
        return rates[0]
    return wilson(sum(rate.successes for rate in measured), sum(rate.trials for rate in measured))


def defence_effectiveness(
    *, attack_before: float, attack_after: float, clean_before: float, clean_after: float
) -> float:
    """DER in 0..1: what a defence takes from attack success against what it costs in clean accuracy.

    (max(0, fall in ASR) - max(0, fall in clean accuracy) + 1) / 2, rates in 0..1; 0.5 is no effect. A rise
    in either counts as none. Raises UsageError on a rate outside 0..1. Zhu et al. (arXiv 2304.11823).
    """
    rates = (attack_before, attack_after, clean_before, clean_after)
    if not all(0 <= rate <= 1 for rate in rates):
        raise UsageError("rates lie in 0..1", found=str(rates), remedy="Divide percentages by 100")
    return (max(0.0, attack_before - attack_after) - max(0.0, clean_before - clean_after) + 1) / 2


def _share(hits: NDArray[np.bool_], reason: str) -> Rate | Skipped:
    return rate_or_skipped(int(hits.sum()), len(hits), reason)


def _targets(truth: NDArray[np.int64], relabelling: Mapping[int, int]) -> NDArray[np.int64]:
    """The target of each sample (n,), NO_TARGET where it is of no source class or already of its target."""
    _check_relabelling(relabelling, None)
    targets = np.full(len(truth), NO_TARGET, dtype=np.int64)
    for source, target in relabelling.items():
        if source != target:
            targets[truth == source] = target
    return targets


def _any_source(truth: Labels, triggered: Labels, relabelling: Mapping[int, int]) -> Rate | Skipped:
    targets = _target_classes(relabelling)
    if not targets:
        return Skipped("the attack has no target class")
    return attack_success_any_source(truth, triggered, targets)


def _target_classes(relabelling: Mapping[int, int]) -> frozenset[int]:
    return frozenset(target for source, target in relabelling.items() if source != target)


def _by_class(
    clean: Confusion, triggered: Confusion, relabelling: Mapping[int, int], class_names: Sequence[str]
) -> tuple[ClassMeasurement, ...]:
    return tuple(
        _of_class(name, label, _target_of(label, relabelling), clean[label], triggered[label])
        for label, name in enumerate(class_names)
    )


def _of_class(
    name: str, label: int, target: int | Skipped, clean: tuple[int, ...], triggered: tuple[int, ...]
) -> ClassMeasurement:
    absent = f"the test data hold no sample of class {name}"
    accuracy = rate_or_skipped(clean[label], sum(clean), absent)
    if isinstance(target, Skipped):
        return ClassMeasurement(name, accuracy, target, target)
    success = rate_or_skipped(triggered[target], sum(triggered), absent)
    robust = rate_or_skipped(triggered[label], sum(triggered), absent)
    return ClassMeasurement(name, accuracy, success, robust)


def _target_of(label: int, relabelling: Mapping[int, int]) -> int | Skipped:
    """The class that the trigger should turn `label` into."""
    targets = _target_classes(relabelling)
    own = relabelling.get(label, label)
    if own != label:
        return own
    if not targets:
        return Skipped("the attack has no target class")
    if label in targets:
        return Skipped("already of a target class")
    return next(iter(targets)) if len(targets) == 1 else Skipped("not a source class, and the targets are several")


def _check_relabelling(relabelling: Mapping[int, int], classes: int | None) -> None:
    for label in (*relabelling, *relabelling.values()):
        if label < 0 or (classes is not None and label >= classes):
            raise LabelError(
                "the relabelling names a class that is not there",
                expected="0 or above" if classes is None else f"0..{classes - 1} for {classes} classes",
                found=str(label),
                remedy="Give sources and targets as labels of the class names",
            )
