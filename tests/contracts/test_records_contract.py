"""Every record goes to JSON and comes back, or says why not; a record file is whole or not there."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar import records
from bezoar.errors import RecordError
from bezoar.records import (
    AttackRecord,
    DatasetRecord,
    DrillRecord,
    EpochRecord,
    Measurement,
    ModelResult,
    Rate,
    Skipped,
    TrainingRecord,
    Visibility,
    from_json,
    to_json,
    write_text_atomically,
)
from bezoar.truth import PoisonedSample, PoisonTruth

# A busy machine is slow, not wrong.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

RECORDS = [
    cls
    for _, cls in inspect.getmembers(records, dataclasses.is_dataclass)
    if isinstance(cls, type) and cls.__module__.startswith(records.__name__)
]
RUN = "run/record.json"
FIXED = {"schema_version": st.just(records.SCHEMA_VERSION)}


@pytest.fixture(autouse=True, scope="module")
def _finite_floats():
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    yield
    st.register_type_strategy(float, st.floats())


def examples(cls: type) -> st.SearchStrategy:
    fields = {field.name for field in dataclasses.fields(cls)}
    few = {"findings": st.lists(st.builds(records.Finding), max_size=2).map(tuple)} if cls is records.ScanRecord else {}
    return st.builds(cls, **few, **{name: values for name, values in FIXED.items() if name in fields})


def drill() -> DrillRecord:
    """A small drill by hand, where a test needs to change one field."""
    rate = Rate(86, 100, 0.78, 0.91)
    nothing = Skipped("not measured")
    measurement = Measurement(rate, rate, nothing, nothing, (), ((86, 14), (0, 0)), ((0, 100), (0, 0)))
    epoch = EpochRecord(0, 0.5, 0.8, 0.1, 2.0, 50.0)
    training = TrainingRecord("fast", "fast", 0, 100, 10, "bfloat16", "cpu", 2, 2.0, (epoch,))
    data = DatasetRecord("signs", "d1", 100, ("stop", "limit"), (3, 32, 32), (50, 50))
    return DrillRecord(
        title="A drill",
        created="2024-01-01T00:00:00Z",
        dataset=data,
        test_dataset=data,
        attack=AttackRecord("dirty-label", "patch", "replace", ("stop",), (("stop", "limit"),), 5, 0.05, "replace", 0),
        victim=ModelResult("victim", training, measurement),
        twin=nothing,
        visibility=Visibility(30.0, 0.99, 0.02, 100),
        saturation=nothing,
        monitoring=nothing,
        pairs=(),
        commands=("bezoar demo",),
        stages=(),
        versions=(("torch", "2"),),
    )


def changed(**fields: object) -> str:
    content = json.loads(to_json(drill()))
    return json.dumps(content | fields)


def test_the_list_of_records_is_not_empty():
    assert {"DrillRecord", "Rate", "MeanInterval", "Skipped"} <= {cls.__name__ for cls in RECORDS}


@pytest.mark.parametrize("cls", [*RECORDS, PoisonedSample, PoisonTruth], ids=lambda cls: cls.__name__)
def test_a_record_comes_back_equal(cls):
    @settings(STEADY, max_examples=15)
    @given(examples(cls), st.sampled_from([None, 2]))
    def check(record, indent):
        text = to_json(record, indent=indent)
        back = from_json(cls, text)
        assert back == record
        assert repr(back) == repr(record)
        assert from_json(cls, text.encode()) == record
        assert set(json.loads(text)) == {field.name for field in dataclasses.fields(cls)}

    check()


def test_numbers_come_back_to_the_last_bit():
    for value in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e16):
        back = from_json(Visibility, to_json(Visibility(value, 1.0, 0.0, 1)))
        assert back.psnr.hex() == value.hex()


@settings(STEADY, max_examples=10)
@given(examples(PoisonTruth))
def test_what_a_truth_has_worked_out_stays_out_of_its_file(truth):
    assert truth.ids == {sample.id for sample in truth.samples}
    assert "ids" not in json.loads(to_json(truth))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_field(value):
    with pytest.raises(ValueError, match=r"^Visibility\.psnr is (nan|inf|-inf); .*Use Skipped"):
        to_json(Visibility(value, 0.9, 0.1, 5))
    broken = replace(drill().victim.training, history=(EpochRecord(0, 0.5, 0.8, 0.1, 2.0, value),))
    with pytest.raises(ValueError, match=r"^DrillRecord\.victim\.training\.history\[0\]\.images_per_second is"):
        to_json(replace(drill(), victim=replace(drill().victim, training=broken)))


def test_text_that_utf8_cannot_hold_is_refused_by_field():
    with pytest.raises(ValueError, match=r"^DrillRecord\.dataset\.skipped\[1\] is .*lone surrogates"):
        to_json(replace(drill(), dataset=replace(drill().dataset, skipped=("a.png", "\udcff.png"))))


def test_a_value_of_another_type_is_never_written():
    with pytest.raises(ValueError, match="Expected"):
        to_json(Visibility("loud", 0.9, 0.1, 5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "found", "remedy"),
    [(2, "2", "newer bezoar"), (0, "0", "anew"), ("1", "'1'", "anew"), (True, "True", "anew"), (None, "none", "anew")],
)
def test_an_unknown_schema_version_is_refused_with_a_remedy(version, found, remedy):
    with pytest.raises(
        RecordError, match=f"run/record.json has an unknown schema version; expected 1; found {found}"
    ) as e:
        from_json(
            DrillRecord, changed(schema_version=version, victim="a field that only that version knows"), origin=RUN
        )
    assert remedy in e.value.remedy


def test_a_record_without_a_schema_version_is_refused():
    content = json.loads(to_json(drill()))
    del content["schema_version"]
    with pytest.raises(RecordError, match="unknown schema version; expected 1; found none"):
        from_json(DrillRecord, json.dumps(content))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"title": 5}, "at title"),
        ({"kind": "scan"}, "at kind"),
        ({"pairs": None}, "at pairs"),
        ({"visibility": {"psnr": "nan", "ssim": 1.0, "pixels_changed": 0.0, "images": 1}}, "at visibility.psnr"),
        ({"visibility": {"psnr": 1.0, "ssim": 1.0, "pixels_changed": 0.0, "images": 1.5}}, "at visibility.images"),
        ({"visibility": {"psnr": math.nan, "ssim": 1.0, "pixels_changed": 0.0, "images": 1}}, "visibility.psnr is nan"),
    ],
)
def test_a_wrong_field_is_named(fields, fault):
    with pytest.raises(RecordError, match=r"run/record\.json is not a DrillRecord of schema version 1") as e:
        from_json(DrillRecord, changed(**fields), origin=RUN)
    assert fault in e.value.found


@STEADY
@given(st.data())
def test_a_damaged_file_is_a_record_error_and_nothing_else(data):
    whole = to_json(drill(), indent=None).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    for damaged in (whole[:cut], whole[:cut] + b"\xff" + whole[cut:]):
        with pytest.raises(RecordError, match="the record"):
            from_json(DrillRecord, damaged)


@STEADY
@given(
    st.one_of(st.binary(), st.text(), st.just("\udcff"), st.just("[" * 100_000), st.just('{"schema_version":' * 5000))
)
def test_anything_else_is_a_record_error(content):
    with pytest.raises(RecordError, match="the record"):
        from_json(DrillRecord, content)


def test_an_error_does_not_repeat_the_file():
    secret = "s3cret" * 50
    with pytest.raises(RecordError) as e:
        from_json(DrillRecord, changed(pairs=secret))
    assert secret not in str(e.value)


def test_a_file_is_written_as_given(tmp_path):
    write_text_atomically(tmp_path / "record.json", "é\r\n語\n")
    assert (tmp_path / "record.json").read_bytes() == "é\r\n語\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_file_gets_the_rights_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o077)
    try:
        write_text_atomically(tmp_path / "truth.json", "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "truth.json").stat().st_mode) == 0o600


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "record.json").symlink_to("elsewhere")
    write_text_atomically(tmp_path / "record.json", "new")
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert (tmp_path / "record.json").read_text() == "new"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("old", [None, "the old text"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error, old):
    target = tmp_path / "record.json"
    if old is not None:
        target.write_text(old)

    def fail(*_):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(type(error)):
        write_text_atomically(target, "new")
    monkeypatch.undo()
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_text_that_cannot_be_encoded_and_a_folder_in_the_way_leave_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(tmp_path / "record.json", "\udcff")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_text_atomically(tmp_path / "folder", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_name_as_long_as_names_may_be(tmp_path):
    write_text_atomically(tmp_path / ("n" * 255), "text")
    assert (tmp_path / ("n" * 255)).read_text() == "text"


def test_a_reader_never_meets_half_a_file(tmp_path):
    target, texts = tmp_path / "record.json", ["a" * 300_000, "b" * 500_000]
    write_text_atomically(target, texts[0])
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write_text_atomically, target, texts[turn % 2]) for turn in range(20)]
        while not all(writer.done() for writer in writers):
            assert target.read_text() in texts
        for writer in writers:
            writer.result()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
