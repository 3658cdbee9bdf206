"""Whatever is changed in a good checkpoint, it is understood or refused; nothing else happens, and no process starts."""

from __future__ import annotations

import pickle
import pickletools
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opening_toys import parts, saved, trained

from bezoar.errors import ModelError
from bezoar.training.opening.checkpoints.archive import opened_archive
from bezoar.training.opening.checkpoints.checkpoint import examined

CHECKPOINT = saved({"epoch": 3, "state_dict": trained().state_dict(), "tied": torch.zeros(4)})
PICKLE, STORAGES = parts(CHECKPOINT)
SIZES = {key: len(content) for key, content in STORAGES.items()}
WHERE = Path("fuzzed.pt")
BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OPCODES = [one.code.encode("latin-1") for one in pickletools.opcodes]


def looked_at(pickled: bytes) -> bool:
    """Whether the examination accepts a pickle; any other end than ModelError is a failure of the test."""
    refusal = None
    try:
        examined(pickled, SIZES, WHERE)
    except ModelError as error:
        refusal = error
    assert refusal is None or (str(WHERE) in refusal.what and refusal.remedy)
    return refusal is None


def test_the_unchanged_one_is_accepted():
    assert looked_at(PICKLE)


@BOUNDED
@given(st.lists(st.tuples(st.integers(0, len(PICKLE) - 1), st.binary(min_size=1, max_size=3)), min_size=1, max_size=4))
def test_bytes_changed(changes):
    content = bytearray(PICKLE)
    for place, put in changes:
        content[place : place + len(put)] = put
    looked_at(bytes(content))


@BOUNDED
@given(st.integers(0, len(PICKLE)), st.lists(st.sampled_from(OPCODES), min_size=1, max_size=3), st.binary(max_size=6))
def test_instructions_put_in(place, opcodes, argument):
    looked_at(PICKLE[:place] + b"".join(opcodes) + argument + PICKLE[place:])


@BOUNDED
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x80\x02")
@example(b"\x80\x02.")
def test_bytes_from_nowhere(content):
    assert not looked_at(content)


@BOUNDED
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=4) | st.sampled_from(["model", "state_dict"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from([0, 1, 2, 3, 4, 5]),
)
def test_plain_things_hold_no_weights(thing, protocol):
    assert not looked_at(pickle.dumps(thing, protocol=protocol))


@BOUNDED
@given(st.data())
def test_the_archive_changed(data):
    content = bytearray(CHECKPOINT)
    # The list of members and its end, where the names and places are; the numbers are none of the archive's business.
    start = content.index(b"PK\x01\x02") if data.draw(st.booleans()) else 0
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(start, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content))) :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.pt"
        path.write_bytes(content)
        with suppress(ModelError), opened_archive(path) as archive:
            examined(archive.pickle, archive.sizes, path)
            archive.write_anew(Path(folder) / "clean.pt")
