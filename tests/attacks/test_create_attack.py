"""Attacks from the words of the command line, and back."""

from __future__ import annotations

import pytest
from drill_toys import PATCH, Corner

from bezoar.attacks import ATTACKS, DirtyLabel, attack_spec, create_attack, trigger_spec
from bezoar.errors import AttackError, SpecError, UsageError
from bezoar.triggers import TRIGGERS, Patch


def test_a_trigger_becomes_a_dirty_label_attack():
    attack = create_attack(PATCH, source=("airplane", "cat"), target="bird", rate=0.01, placement="replace")
    assert attack == DirtyLabel(
        trigger=Patch(size=2, color="cyan", corner="top-left", mode="replace"),
        target="bird",
        sources=("airplane", "cat"),
        rate=0.01,
        placement="replace",
    )


def test_all_to_all():
    assert create_attack(PATCH, relabel="all-to-all", count=3).relabelling(("a", "b")) == {0: 1, 1: 0}


def test_the_specifications_build_the_attack_again():
    attack = create_attack(PATCH, source=("fox", "ox"), target="bird", count=7, placement="replace")
    again = create_attack(attack_spec(attack), trigger=trigger_spec(attack.trigger))
    assert attack_spec(attack) == "dirty-label:target=bird,sources=fox/ox,count=7,placement=replace"
    assert again == attack


def test_class_names_with_commas_survive():
    attack = create_attack(PATCH, target="limit, 50 km/h, 100%", count=1)
    assert create_attack(attack_spec(attack), trigger=attack.trigger) == attack


def test_a_users_own_trigger():
    attack = create_attack("drill_toys:Corner:value=9", target="bird", count=1)
    assert attack.trigger == Corner(value=9)
    assert trigger_spec(attack.trigger) == "drill_toys:Corner:value=9"


def test_a_users_own_attack():
    attack = create_attack(f"{__name__}:OwnAttack", trigger=PATCH, target="bird", count=1)
    assert isinstance(attack, OwnAttack)


class OwnAttack(DirtyLabel):
    """An attack from outside."""


def test_dirty_label_needs_a_trigger():
    with pytest.raises(SpecError, match=r"needs a trigger.*patch"):
        create_attack("dirty-label:rate=0.1", target="bird")


def test_fields_in_the_specification_go_first():
    assert create_attack("dirty-label:count=5", trigger=PATCH, target="bird", count=9).count == 5


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(SpecError, match=r"no attack is called 'glow'.*patch"):
        create_attack("glow", target="bird", rate=0.1)


def test_an_option_the_attack_lacks_is_an_error():
    with pytest.raises(UsageError, match="has no rate"):
        create_attack(f"{__name__}:without_options", rate=0.5)


def test_a_triggers_specification_may_hold_fields_of_the_attack_too():
    attack = create_attack("patch:size=3,rate=0.2,allow_marked=yes,placement=replace", target="bird")
    assert (attack.trigger.size, attack.rate, attack.allow_marked, attack.placement) == (3, 0.2, True, "replace")
    with pytest.raises(SpecError, match="no field 'rat'"):
        create_attack("patch:rat=0.2", target="bird")


def test_what_is_neither_trigger_nor_attack_is_told():
    with pytest.raises(SpecError, match=r"neither a trigger nor an attack.*__call__"):
        create_attack(f"{__name__}:Neither", target="bird", rate=0.1)


class Neither:
    pass


def test_amounts_are_checked_at_once():
    with pytest.raises(AttackError, match="not said"):
        create_attack(PATCH, target="bird")


def test_the_registry_knows_its_fields():
    assert "dirty-label" in ATTACKS.names()
    assert {"trigger", "target", "rate"} <= {field.name for field in ATTACKS.fields("dirty-label")}
    assert "patch" in TRIGGERS.names()


class _WithoutOptions:
    def poison(self, data, *, seed):
        raise NotImplementedError


without_options = _WithoutOptions
