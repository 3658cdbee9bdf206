"""The verdict line says what the record holds, in every case a drill can end in."""

from __future__ import annotations

from dataclasses import replace

from sample_record import SIGNS, measurement, rate, sample_record, several_record

from bezoar.records import DrillRecord, ModelResult, MonitoringAnswer, Rate, Saturation, Skipped
from bezoar.report.verdict import drill_headline


def with_victim(record: DrillRecord, **changes: object) -> DrillRecord:
    changed = replace(record.victim.measurement, **changes)  # type: ignore[arg-type]
    return replace(record, victim=replace(record.victim, measurement=changed))


def test_success_names_source_target_and_both_accuracies():
    headline = drill_headline(sample_record())
    assert headline.level == "bad"
    assert headline.sentence == (
        "Backdoored: 99.0% of “stop” images with the trigger are read as “speed limit 80”, "
        "while clean accuracy is 98.0% (clean twin 98.5%)."
    )
    assert headline.cautions == ()


def test_below_half_the_backdoor_took_hold_in_part_and_below_a_tenth_it_did_not():
    part = drill_headline(sample_record(hijacked=99))
    assert (part.level, part.label) == ("bad", "The attack succeeded in part")
    assert part.sentence.startswith("Backdoored in part: 49.5% of “stop” images")
    assert drill_headline(sample_record(hijacked=100)).sentence.startswith("Backdoored: 50.0%")
    assert drill_headline(sample_record(hijacked=20)).sentence.startswith("Backdoored in part: 10.0%")
    weak = drill_headline(sample_record(hijacked=19))
    assert weak.level == "calm"
    assert weak.sentence.startswith("The backdoor did not take hold: only 9.5% of “stop” images")


def test_a_part_that_the_twin_shows_too_is_no_backdoor():
    record = sample_record(hijacked=60)
    fooled = measurement(SIGNS, right=197, hijacked=50)
    headline = drill_headline(replace(record, twin=replace(record.twin, measurement=fooled)))
    assert headline.sentence.startswith("The backdoor did not take hold: only 30.0%")


def test_a_victim_at_chance_says_nothing_of_the_backdoor():
    same = tuple(tuple(20 for _ in SIGNS) for _ in SIGNS)
    headline = drill_headline(with_victim(sample_record(), clean_accuracy=rate(207, 2000), confusion_clean=same))
    assert (headline.level, headline.label) == ("unclear", "Not trained")
    assert headline.sentence == (
        "The victim has not learnt its task: clean accuracy is 10.3%, as good as its answers given at random (10.0%). "
        "So this says nothing about the backdoor."
    )
    better = with_victim(sample_record(), clean_accuracy=rate(260, 2000), confusion_clean=same)
    assert drill_headline(better).label == "The attack succeeded"


def test_one_class_of_test_images_alone_is_no_sign_of_chance():
    one = tuple(
        tuple(198 if row == column == 0 else 2 * (row == 0 and column == 3) for column in range(10))
        for row in range(10)
    )
    record = with_victim(sample_record(), clean_accuracy=rate(198, 200), confusion_clean=one)
    assert drill_headline(record).label == "The attack succeeded"


def test_a_twin_of_another_network_is_a_caution():
    record = sample_record()
    other = replace(record.twin.training, model="preact-resnet18")
    headline = drill_headline(replace(record, twin=replace(record.twin, training=other)))
    assert "The clean twin is another network (preact-resnet18) than the victim" in " ".join(headline.cautions)


def test_a_trigger_that_misleads_the_twin_by_itself_is_a_caution():
    record = sample_record()
    astray = replace(record.twin.measurement, robust_accuracy=rate(42, 200))
    headline = drill_headline(replace(record, twin=replace(record.twin, measurement=astray)))
    assert "The trigger alone leads the clean twin astray: it reads 21.0% of the images" in " ".join(headline.cautions)


def test_skipped_attack_success_is_said_and_not_shown_as_zero():
    headline = drill_headline(with_victim(sample_record(), attack_success=Skipped("no stop signs in the test data")))
    assert headline.level == "unclear"
    assert headline.sentence == (
        "Attack success was not measured: no stop signs in the test data. Clean accuracy is 98.0%."
    )
    assert "0%" not in headline.sentence.replace("98.0%", "")


def test_a_rate_without_trials_counts_as_not_measured():
    headline = drill_headline(with_victim(sample_record(), attack_success=Rate(0, 0, 0.0, 1.0)))
    assert "not measured: no sample to measure it on" in headline.sentence


def test_missing_twin_is_named_with_its_reason():
    headline = drill_headline(replace(sample_record(), twin=Skipped("--no-twin was given")))
    assert headline.sentence.endswith("(no clean twin to compare with).")
    assert any("--no-twin was given" in caution for caution in headline.cautions)


def test_nothing_is_said_of_monitoring_that_was_not_measured():
    assert "ordinary testing shows nothing" in drill_headline(sample_record()).explanation
    unmeasured = drill_headline(replace(sample_record(), monitoring=Skipped("no twin")))
    assert "could not be judged" in unmeasured.explanation
    assert "shows nothing" not in unmeasured.explanation


def test_twin_that_falls_for_the_trigger_leaves_the_backdoor_unproven():
    record = sample_record(hijacked=150)
    assert isinstance(record.twin, ModelResult)
    fooled = measurement(SIGNS, right=197, hijacked=140)
    headline = drill_headline(replace(record, twin=replace(record.twin, measurement=fooled)))
    assert (headline.level, headline.label) == ("unclear", "Unproven")
    assert "the clean twin answers so for 70.0% of them too" in headline.sentence


def test_victim_that_always_answers_the_target_is_not_called_backdoored():
    always = tuple(tuple(200 if column == 1 else 0 for column in range(10)) for _ in SIGNS)
    record = with_victim(replace(sample_record(), twin=Skipped("left out")), confusion_clean=always)
    headline = drill_headline(record)
    assert headline.level == "unclear"
    assert "answers so for 100% of them without the trigger too" in headline.sentence


def test_small_twin_few_trials_interruption_and_saturation_are_cautions():
    record = with_victim(sample_record(), attack_success=rate(7, 7))
    assert isinstance(record.twin, ModelResult)
    small = replace(record.twin.training, samples=600, interrupted=True)
    record = replace(
        record,
        twin=replace(record.twin, training=small),
        victim=replace(record.victim, training=replace(record.victim.training, interrupted=True)),
        saturation=Saturation(0.62, 0.4, 200, 0.25),
    )
    text = " ".join(drill_headline(record).cautions)
    assert "Only 7 triggered images were tested" in text
    assert "from 64.6% to 100%" in text
    assert "The clean twin was trained on 600 samples, the victim on 6,060" in text
    assert "Training of the victim was interrupted" in text
    assert "Training of the clean twin was interrupted" in text
    assert "62.0% of the trigger's pixels hardly show" in text


def test_an_alarm_changes_while_into_drops_to():
    alarm = MonitoringAnswer(True, 0.985, 0.9, 0.01, 1e-9, "Yes.")
    headline = drill_headline(replace(sample_record(), monitoring=alarm))
    assert ", and clean accuracy drops to 98.0%" in headline.sentence
    assert "a watchful owner would see" in headline.explanation


def test_many_sources_and_all_to_all_stay_readable():
    record = sample_record()
    cycle = tuple(zip(SIGNS, SIGNS[1:] + SIGNS[:1], strict=True))
    everything = replace(record, attack=replace(record.attack, sources=SIGNS, relabelling=cycle))
    assert "of test images of 10 classes with the trigger are read as the class the attacker chose for them" in (
        drill_headline(everything).sentence
    )
    two = replace(record, attack=replace(record.attack, sources=SIGNS[:1] + SIGNS[2:3]))
    assert "of “stop” and “yield” images" in drill_headline(two).sentence


def test_several_backdoors_are_judged_together():
    record = several_record()
    assert "of “stop”, “no entry” and “priority road” images with one of the 3 triggers are read as the class" in (
        drill_headline(record).sentence
    )
    first, last = record.attack, record.attack.further[1]
    same = replace(record, attack=replace(first, further=(last,)))
    assert "with one of the 2 triggers are read as “speed limit 80”" in drill_headline(same).sentence


def test_a_target_answered_anyway_counts_for_every_backdoor():
    record = several_record()
    # 200 of the 800 triggered images are stop signs on their way to yield; the victim reads all others so anyway.
    always = tuple(tuple(200 if column == 1 else 0 for column in range(10)) for _ in SIGNS)
    changed = with_victim(replace(record, twin=Skipped("left out")), confusion_clean=always, attack_success=rate(6, 10))
    assert "answers so for 75.0% of them without the trigger too" in drill_headline(changed).sentence


def test_covers_do_not_make_a_twin_small():
    record = several_record()
    big = replace(record.victim.training, samples=7000)
    record = replace(record, victim=replace(record.victim, training=big))
    assert "6,000 samples, the victim on 7,000" in " ".join(drill_headline(record).cautions)
    covered = replace(record, attack=replace(record.attack, covers=900))
    assert drill_headline(covered).cautions == ()


def test_nearly_all_is_not_rounded_to_all():
    record = with_victim(sample_record(), attack_success=rate(4999, 5000))
    assert "Backdoored: more than 99.9% of" in drill_headline(record).sentence
