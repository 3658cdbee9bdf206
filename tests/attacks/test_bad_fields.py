"""Fields that make no sense get a clear error, whichever attack they are of: what, expected, found, what to do."""

from __future__ import annotations

import dataclasses

import pytest
from drill_toys import picture_set

from bezoar.attacks import ATTACKS, create_attack
from bezoar.errors import AttackError, BezoarError, UsageError

PATCH = "patch:size=2"
NEEDS = {"dirty-label", "gradient-matching", "clean-label", "hidden-trigger", "adaptive-blend", "label-consistent"}
CLEAN = ("clean-label", "sig", "label-consistent", "hidden-trigger", "gradient-matching", "narcissus")
DATA = picture_set(20)


def built(name, spec="", **options):
    if name in NEEDS and "trigger" not in options:
        options["trigger"] = "blend" if name == "adaptive-blend" else PATCH
    return create_attack(name + spec, **options)


def poisoned(name, spec="", **options):
    return built(name, spec, **options).poison(DATA, seed=0)


def fields(name):
    return {field.name for field in dataclasses.fields(ATTACKS.get(name))}


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if "eps" in fields(name)])
@pytest.mark.parametrize("eps", ["-0.1", "0", "nan", "300"])
def test_eps_below_zero_or_none_or_out_of_range(name, eps):
    with pytest.raises(BezoarError, match="eps") as caught:
        built(name, f":eps={eps}", target="bird", count=3)
    assert caught.value.expected


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if name not in ("all-to-all", "several-triggers")])
def test_a_target_equal_to_the_only_source(name):
    with pytest.raises(AttackError, match="is the target itself"):
        poisoned(name, target="bird", source=("bird",), count=3)


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if name not in ("all-to-all", "several-triggers")])
def test_no_target_or_an_unknown_one(name):
    with pytest.raises(AttackError, match="target"):
        poisoned(name, source=("cat",), count=3)
    with pytest.raises(UsageError, match="no class 'dog'"):
        poisoned(name, source=("cat",), target="dog", count=3)


@pytest.mark.parametrize("name", ATTACKS.names())
def test_a_rate_that_rounds_to_no_poison(name):
    options = {"target": "bird", "source": ("cat",)} if name not in ("all-to-all", "several-triggers") else {}
    spec = ":targets=bird/cat/bird/cat" if name == "several-triggers" else ""
    with pytest.raises(AttackError, match="rounds to"):
        poisoned(name, spec, rate=0.0001, **options)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
@pytest.mark.parametrize("name", ATTACKS.names())
def test_a_rate_out_of_range(name, rate):
    with pytest.raises(AttackError, match="rate"):
        built(name, ":targets=bird/cat/bird/cat" if name == "several-triggers" else "", rate=rate)


@pytest.mark.parametrize("name", CLEAN)
def test_clean_label_with_more_poisons_than_the_class_holds(name):
    with pytest.raises(AttackError, match="holds fewer samples") as caught:
        poisoned(name, target="bird", source=("cat",), count=21)
    assert (caught.value.expected, caught.value.found) == ("at most 20", "21")


@pytest.mark.parametrize("name", ["dirty-label", "clean-label", "source-specific", "all-to-all", "hidden-trigger"])
def test_a_trigger_larger_than_the_image(name):
    options = {} if name == "all-to-all" else {"target": "bird", "source": ("cat",)}
    with pytest.raises(BezoarError, match="does not fit"):
        poisoned(name, trigger="patch:size=7", count=3, **options)


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if {"steps", "iterations", "batch"} & fields(name)])
def test_no_steps_or_no_batch(name):
    for field in sorted({"steps", "iterations", "batch"} & fields(name)):
        with pytest.raises(BezoarError, match=field):
            built(name, f":{field}=0", target="bird", count=3)


@pytest.mark.parametrize("text", ["-1/255", "-3/2", "+0/7", "300/1"])
def test_what_a_fraction_cannot_be_is_told_by_the_field(text):
    with pytest.raises(AttackError, match="eps is out of range"):
        create_attack(f"hidden-trigger:eps={text}", trigger="patch", target="bird", rate=0.1)
