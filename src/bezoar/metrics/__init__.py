"""What a model or a detector is worth, from its answers alone: pure functions that never run a model."""

from bezoar.metrics.detection import auroc, measure_detection, realised_fpr, tpr_at_fpr
from bezoar.metrics.intervals import accuracy_lost, mcnemar_exact, rate_or_skipped, t_interval, wilson
from bezoar.metrics.monitoring import accuracy_alarm
from bezoar.metrics.rates import (
    attack_success,
    attack_success_any_source,
    by_class,
    clean_accuracy,
    confusion_matrix,
    defence_effectiveness,
    measure,
    pooled,
    robust_accuracy,
)
from bezoar.metrics.visibility import visibility

__all__ = [
    "accuracy_alarm",
    "accuracy_lost",
    "attack_success",
    "attack_success_any_source",
    "auroc",
    "by_class",
    "clean_accuracy",
    "confusion_matrix",
    "defence_effectiveness",
    "mcnemar_exact",
    "measure",
    "measure_detection",
    "pooled",
    "rate_or_skipped",
    "realised_fpr",
    "robust_accuracy",
    "t_interval",
    "tpr_at_fpr",
    "visibility",
    "wilson",
]
