"""Strangers' functions: what they are given, and what they may not give back."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, CallableTrigger
from bezoar.triggers.callables import find_function, format_arguments, parse_arguments


def batch(dtype=torch.uint8, n=2):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, 3, 6, 5), dtype=np.uint8))
    return images if dtype == torch.uint8 else images.to(dtype) / 255


@pytest.mark.parametrize(
    ("dtype", "pixels", "given"),
    [
        (torch.uint8, "float", "float32"),
        (torch.uint8, "uint8", "uint8"),
        (torch.float16, "float", "float32"),
        (torch.float64, "float", "float64"),
        (torch.float32, "uint8", "uint8"),
    ],
)
def test_the_function_gets_a_writable_nhwc_copy(dtype, pixels, given):
    seen = []

    def spoil(array):
        seen.append((array.shape, str(array.dtype), array.flags.writeable, float(array.max())))
        array[:] = 0
        return array

    images = batch(dtype)
    before = images.clone()
    assert not CallableTrigger(spoil, pixels=pixels)(images).any()
    assert torch.equal(images, before)
    assert seen[0][:3] == ((2, 6, 5, 3), given, True)
    assert (seen[0][3] > 1) == (pixels == "uint8")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_untouched_pixels_stay_bit_for_bit(dtype):
    assert torch.equal(CallableTrigger(lambda array: array)(batch(dtype)), batch(dtype))


@pytest.mark.parametrize(
    ("function", "pixels", "message"),
    [
        (lambda a: a[:1], "float", r"returned something else.*shape \(2, 6, 5, 3\), floats in 0..1; found shape \(1"),
        (lambda a: a.transpose(0, 3, 1, 2), "float", "found shape"),
        (lambda a: a * 255, "float", "found values 0 to 255"),
        (lambda a: a - 1, "float", "found values -1 to"),
        (lambda a: a * np.nan, "float", "found values nan"),
        (lambda a: a.astype(np.uint8), "float", "uint8"),
        (lambda a: a / 255, "uint8", "integers in 0..255.*float64"),
        (lambda a: a.astype(int) + 1, "uint8", "found values 1 to 256"),
        (lambda a: None, "float", "object"),
        (lambda a: 1 / 0, "float", "failed; found ZeroDivisionError"),
    ],
)
def test_wrong_results_are_refused(function, pixels, message):
    images = batch()
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 0, 255
    with pytest.raises(TriggerError, match=message):
        CallableTrigger(function, pixels=pixels)(images)


def test_a_drawing_function_is_reproducible_by_seed():
    def noisy(array):
        return np.random.random(array.shape) * 0.5 + float(torch.rand(())) * 0.5

    state = torch.get_rng_state()
    assert torch.equal(CallableTrigger(noisy, seed=1)(batch()), CallableTrigger(noisy, seed=1)(batch()))
    assert not torch.equal(CallableTrigger(noisy, seed=1)(batch()), CallableTrigger(noisy, seed=2)(batch()))
    assert torch.equal(torch.get_rng_state(), state)


def test_importable_functions_are_kept_by_name():
    assert TRIGGERS.spec_of(CallableTrigger(np.flip)) == "callable:function=numpy.flip"
    partial = functools.partial(np.clip, a_min=0.25, a_max=(1.0))
    spec = TRIGGERS.spec_of(CallableTrigger(partial))
    assert spec == "callable:function=numpy.clip,arguments=a_min=0.25;a_max=1.0"
    assert TRIGGERS.create(spec) == CallableTrigger(partial)
    assert float(TRIGGERS.create(spec)(batch(torch.float32)).min()) == 0.25


def test_a_lambda_works_and_cannot_be_rebuilt():
    spec = TRIGGERS.spec_of(CallableTrigger(lambda array: array))
    with pytest.raises(TriggerError, match="cannot import"):
        TRIGGERS.create(spec)


@pytest.mark.parametrize("name", ["nowhere.function", "numpy.nothing", "len", "", "numpy..flip", ".flip"])
def test_functions_that_are_not_there(name):
    with pytest.raises(TriggerError, match="cannot import the trigger function"):
        CallableTrigger(name)


def test_a_module_that_fails_to_import_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_trigger.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TriggerError, match="No module named 'not_installed_anywhere'"):
        CallableTrigger("broken_trigger.function")


def test_something_that_cannot_be_called():
    with pytest.raises(TriggerError, match="cannot be called"):
        CallableTrigger("math.pi")
    with pytest.raises(TriggerError, match="unknown pixels"):
        CallableTrigger(np.flip, pixels="int")
    with pytest.raises(SpecError, match="needs a value for 'function'"):
        TRIGGERS.create("callable")


def test_attributes_of_classes_are_found():
    assert find_function("bezoar.registry.Registry.names").__name__ == "names"


def test_arguments_are_python_literals_or_text():
    text = "size=(3, 4);path=/a/b.png;on=True;name='a';none=None;rate=0.5"
    read = parse_arguments(text)
    assert read == {"size": (3, 4), "path": "/a/b.png", "on": True, "name": "a", "none": None, "rate": 0.5}
    assert parse_arguments(format_arguments(read)) == read
    with pytest.raises(TriggerError, match="cannot read '3=4'"):
        parse_arguments("3=4")
