"""The question that monitoring would ask: would an alarm on overall accuracy have gone off?"""

from __future__ import annotations

from bezoar.errors import UsageError
from bezoar.metrics.intervals import mcnemar_exact
from bezoar.metrics.labels import Labels, paired_arrays
from bezoar.records import MonitoringAnswer


def accuracy_alarm(
    labels: Labels,
    victim_predictions: Labels,
    twin_predictions: Labels,
    allowed_drop: float = 0.01,
    significance: float = 0.01,
) -> MonitoringAnswer:
    """Set the victim's clean accuracy against its clean twin's on the same clean samples, labels (n,).

    The alarm goes off when the victim is lower by more than `allowed_drop` (a share: 0.01 is one point) and
    a one-sided exact McNemar test gives at most `significance`. Raises LabelError, EmptyDataError or
    DataError on predictions that do not fit the labels, UsageError on limits outside 0..1.
    """
    _check_limits(allowed_drop, significance)
    truth, victim, twin = paired_arrays(
        labels=labels, victim_predictions=victim_predictions, twin_predictions=twin_predictions
    )
    victim_right, twin_right = victim == truth, twin == truth
    victim_only_wrong = int((twin_right & ~victim_right).sum())
    twin_only_wrong = int((victim_right & ~twin_right).sum())
    p_value = mcnemar_exact(victim_only_wrong, twin_only_wrong).first_worse
    # In samples, not shares: a drop of exactly the allowed size must not tip over by a rounding error.
    dropped = victim_only_wrong - twin_only_wrong > allowed_drop * len(truth) + 1e-9
    alarm = bool(dropped and p_value <= significance)
    shares = float(victim_right.mean()), float(twin_right.mean())
    return MonitoringAnswer(
        alarm=alarm,
        twin_accuracy=shares[1],
        victim_accuracy=shares[0],
        allowed_drop=allowed_drop,
        p_value=p_value,
        sentence=_sentence(alarm, bool(dropped), *shares, allowed_drop, p_value, len(truth), significance),
        significance=significance,
    )


def _sentence(
    alarm: bool,
    dropped: bool,
    victim: float,
    twin: float,
    allowed_drop: float,
    p_value: float,
    samples: int,
    significance: float,
) -> str:
    heard = "gone off" if alarm else "stayed silent"
    said = (
        f"An alarm on overall accuracy (a drop of more than {_points(allowed_drop, 4)}) would have {heard}: "
        f"{victim:.1%} against the clean twin's {twin:.1%}"
    )
    if not dropped:
        return f"{said}."
    weight = "" if alarm else f" that chance could explain on {samples} samples"
    p_text = "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"
    limit = "" if alarm else f", and an alarm asks for less than {significance:g}"
    return f"{said}, a drop of {_points(twin - victim, 2)}{weight} ({p_text}{limit})."


def _points(share: float, digits: int) -> str:
    points = round(100 * share, digits)
    return f"{points} point" if points == 1 else f"{points} points"


def _check_limits(allowed_drop: float, significance: float) -> None:
    if not 0 <= allowed_drop < 1:
        raise UsageError(
            "the allowed drop is a share",
            expected="0 or more, below 1",
            found=str(allowed_drop),
            remedy="One point is 0.01",
        )
    if not 0 < significance < 1:
        raise UsageError(
            "a significance level lies between 0 and 1", expected="for instance 0.01", found=str(significance)
        )
