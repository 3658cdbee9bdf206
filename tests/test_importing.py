"""A user's own objects: a name that is not there is told from a file that fails."""

from __future__ import annotations

import pytest

from bezoar.errors import SpecError
from bezoar.importing import import_object


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of this text, under a name that no other test has imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (tmp_path / f"{tmp_path.name}.py").write_text(text)
        return tmp_path.name

    return write


def failure(path):
    with pytest.raises(SpecError) as caught:
        import_object(path, "trigger")
    return caught.value


@pytest.mark.parametrize("path", ["nowhere_to_be:found", "nowhere_to_be.at.all:found", ":x", ".here:x", "..:x"])
def test_a_module_that_is_not_there(path):
    assert "Check the spelling" in failure(path).remedy


def test_a_name_that_is_not_there(module):
    name = module("class MyTrigger: ...")
    assert failure(f"{name}:MyTriger").remedy == "Did you mean 'MyTrigger'?"
    assert f"{name}.py" in failure(f"{name}:x").remedy


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import nowhere_to_be\n", "line 1: ModuleNotFoundError"),
        ("def f():\n    return 1 / 0\nf()\n", "line 2: ZeroDivisionError"),
        ("x = 1\ndef f(\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
    ],
)
def test_a_file_that_fails_is_named_with_the_line(module, text, found):
    error = failure(f"{module(text)}:x")
    assert "fails when it is imported" in error.what
    assert found in error.found
    assert "Check the spelling" not in error.remedy


def test_an_object_is_found(module):
    assert import_object(f"{module('answer = 42')}:answer", "number") == 42
