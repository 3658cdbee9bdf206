"""The list of attacks: complete, ordered, and open to a user's own."""

from __future__ import annotations

import pytest

from bezoar.attacks import ATTACKS
from bezoar.attacks.catalogue import catalogue, entry
from bezoar.attacks.tampering import TAMPERINGS
from bezoar.errors import SpecError
from bezoar.records import from_json, to_json
from bezoar.triggers import TRIGGERS
from bezoar.triggers.about import FAMILIES

OWN = '''
from dataclasses import dataclass

@dataclass(frozen=True)
class Dark:
    """Darkens a stripe."""
    rows: int = 4
    def __call__(self, batch):
        return batch // 2

class Bare:
    def __call__(self, batch):
        return batch // 3
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_listed.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_every_registered_method_is_listed_once_by_family():
    names = [one.name for one in catalogue().entries]
    assert sorted(names) == sorted({*ATTACKS.names(), *TAMPERINGS.names(), *TRIGGERS.names()})
    places = [FAMILIES.index(one.family) for one in catalogue().entries]
    assert places == sorted(places)


def test_an_entry_says_all_that_a_user_must_know():
    for one in catalogue().entries:
        assert one.summary
        assert one.description.startswith(one.summary)
        assert one.paper
        assert one.controls
        assert set(one.controls) <= {"samples", "labels", "training", "model"}


def test_fields_are_its_own_and_the_shared_ones_stand_apart():
    found = catalogue()
    shared = {field.name for field in found.shared}
    assert {"target", "sources", "rate", "count", "placement"} <= shared
    assert [field.name for field in entry("dirty-label").fields] == ["relabel"]
    # Another default than the others' is worth saying.
    assert [(field.name, field.default) for field in entry("clean-label").fields] == [("placement", "replace")]
    assert entry("clean-label").takes_trigger
    # A field of a trigger that happens to bear the name of an attack's is its own all the same.
    assert {"trigger", "grid"} <= {field.name for field in entry("pieces").fields}
    assert not entry("pieces").takes_trigger
    size = next(field for field in entry("patch").fields if field.name == "size")
    assert (size.type, size.default) == ("a whole number", "5")


def test_a_users_own_is_shown_like_a_built_in_one(own):
    found = entry("own_listed:Dark")
    assert (found.kind, found.family, found.summary) == ("trigger", "own", "Darkens a stripe.")
    assert [(field.name, field.default) for field in found.fields] == [("rows", "4")]
    assert entry("own_listed:Bare").fields == ()


def test_it_goes_through_json():
    found = catalogue()
    assert from_json(type(found), to_json(found)) == found


def test_an_unknown_name_is_an_error_with_a_guess():
    with pytest.raises(SpecError, match="patch"):
        entry("pach")
