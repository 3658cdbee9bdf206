"""ONNX models are black boxes: any batch, either layout, no gradient; and no file outside their folder is read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from opening_toys import CLASSES, SHAPE, images

from bezoar.errors import MissingExtraError, ModelError, UsageError
from bezoar.training.opening import open_model
from bezoar.training.opening.black_box import inventory as inventories
from bezoar.training.opening.black_box.inventory import DOMAIN, WITHIN, inventory
from bezoar.training.opening.black_box.wire import DamagedMessageError

WEIGHTS = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)


def made(
    *,
    batch: int | str = "n",
    last: bool = False,
    sides=("h", "w"),
    nodes=(),
    outputs=("y",),
    kind=TensorProto.FLOAT,
    **more,
) -> onnx.ModelProto:
    """The mean colour of an image, times a matrix: three logits."""
    shape = [batch, *sides, 3] if last else [batch, 3, *sides]
    steps = [
        helper.make_node("ReduceMean", ["x", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["y"]),
        *nodes,
    ]
    axes = numpy_helper.from_array(np.array([1, 2] if last else [2, 3]), "axes")
    graph = helper.make_graph(
        steps,
        "toy",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(WEIGHTS, "weights"), axes],
    )
    opsets = [helper.make_opsetid("", 18), *more.get("opsets", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=more.get("functions", []))


def written(path: Path, model: onnx.ModelProto) -> str:
    path.write_bytes(model.SerializeToString())
    return str(path)


def keep_beside(model: onnx.ModelProto, location: str, **more: object) -> onnx.ModelProto:
    """The model with its matrix in a file called `location`."""
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        weights.external_data.add(key=key, value=str(value))
    return model


@pytest.mark.parametrize("batch", ["n", 1, 4])
@pytest.mark.parametrize("last", [False, True])
def test_any_layout_and_batch(last, batch, tmp_path):
    found = open_model(written(tmp_path / "m.onnx", made(batch=batch, last=last)), class_names=CLASSES, shape=SHAPE)
    assert (found.kind, found.name, found.differentiable, found.card) == ("onnx", "m.onnx", False, None)
    wanted = images(7).mean((2, 3)) @ torch.from_numpy(WEIGHTS)
    assert torch.allclose(found.model(images(7)), wanted, atol=1e-5)
    assert found.model(images(0)).shape == (0, 3)


def test_the_shape_is_taken_from_the_file_where_it_says_it(tmp_path):
    found = open_model(written(tmp_path / "m.onnx", made(sides=(8, 8), last=True)))
    assert found.model.sample_shape == SHAPE
    assert not any("tried on no sample" in note for note in found.notes)
    unknown = open_model(written(tmp_path / "m.onnx", made()))
    assert any("tried on no sample" in note for note in unknown.notes)


def test_a_gradient_is_an_error_and_never_zero(tmp_path):
    box = open_model(written(tmp_path / "m.onnx", made()), shape=SHAPE).model
    asked = images().requires_grad_()
    logits = box(asked)
    with pytest.raises(ModelError, match="no gradient goes through an ONNX model"):
        logits.sum().backward()
    with pytest.raises(RuntimeError):
        box(images()).sum().backward()
    with torch.no_grad():
        assert not box(asked).requires_grad
    assert asked.grad is None


def test_probabilities_are_told(tmp_path):
    softmax = helper.make_node("Softmax", ["y"], ["p"], axis=1)
    found = open_model(written(tmp_path / "m.onnx", made(nodes=[softmax], outputs=["p"])), shape=SHAPE)
    assert any("probabilities" in note for note in found.notes)


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        (made(), {"class_names": ("a", "b"), "shape": SHAPE}, "does not fit the data.*2 classes"),
        (made(), {"shape": (1, 8, 8)}, "no classifier of such images"),
        (made(sides=(9, 9)), {"shape": SHAPE}, "no classifier of such images"),
        (made(kind=TensorProto.DOUBLE), {}, "can be run|no classifier of such images"),
        (made(outputs=["y", "colour"]), {}, "no classifier of such images"),
        (
            made(nodes=[helper.make_node("ReduceMean", ["y"], ["z"])], outputs=["z"]),
            {"shape": SHAPE},
            "no classifier|no logits",
        ),
        (
            made(nodes=[helper.make_node("Own", ["y"], ["z"], domain="evil")], outputs=["z"]),
            {},
            "not built in; found some of evil",
        ),
        (
            made(nodes=[helper.make_node("Div", ["y", "no"], ["z"])], outputs=["z"]),
            {},
            r"m\.onnx is no ONNX model that can be run",
        ),
    ],
)
def test_a_model_that_does_not_fit(model, options, told, tmp_path):
    with pytest.raises(ModelError, match=told):
        open_model(written(tmp_path / "m.onnx", model), **options)


def test_answers_that_are_no_numbers(tmp_path):
    infinite = [helper.make_node("Div", ["y", "zero"], ["z"]), helper.make_node("Sub", ["y", "y"], ["zero"])]
    with pytest.raises(ModelError, match=r"m\.onnx cannot be used: the model's logits are not all finite"):
        open_model(written(tmp_path / "m.onnx", made(nodes=infinite[::-1], outputs=["z"])), shape=SHAPE)


def test_a_function_that_the_file_itself_explains(tmp_path):
    step = helper.make_node("Neg", ["a"], ["b"])
    function = helper.make_function("here", "Minus", ["a"], ["b"], [step], [helper.make_opsetid("", 18)])
    node = helper.make_node("Minus", ["y"], ["z"], domain="here")
    model = made(nodes=[node], outputs=["z"], functions=[function], opsets=[helper.make_opsetid("here", 1)])
    found = open_model(written(tmp_path / "m.onnx", model), shape=SHAPE)
    assert torch.allclose(found.model(images()), -images().mean((2, 3)) @ torch.from_numpy(WEIGHTS), atol=1e-5)


def test_weights_in_a_file_beside_it(tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "w.bin").write_bytes(b"\0" * 64 + WEIGHTS.tobytes())
    place = written(tmp_path / "m.onnx", keep_beside(made(), "parts/w.bin", offset=64, length=36))
    monkeypatch.chdir(tmp_path.parent)
    found = open_model(place, class_names=CLASSES, shape=SHAPE)
    assert torch.allclose(found.model(images()), images().mean((2, 3)) @ torch.from_numpy(WEIGHTS), atol=1e-5)
    monkeypatch.setattr(inventories, "LARGEST_BESIDE", 50)
    with pytest.raises(ModelError, match="too many weights in other files"):
        open_model(place)


def test_a_file_beside_it_that_is_too_short(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"\0" * 8)
    with pytest.raises(ModelError, match="no ONNX model that can be run"):
        open_model(written(tmp_path / "m.onnx", keep_beside(made(), "w.bin", offset=0, length=36)))


@pytest.mark.parametrize(
    "location",
    [
        "../w.bin",
        "a/../../w.bin",
        "/etc/hostname",
        "link.bin",
        "linked/w.bin",
        "*/_ORT_MEM_ADDR_/*",
        "C:\\w.bin",
        "",
        ".",
        "w\n.bin",
        "~/w.bin",
        "nowhere.bin",
        "folder",
        "file:///etc/hostname",
        "pipe",
    ],
)
def test_weights_elsewhere_are_not_read(location, tmp_path):
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    (home / "link.bin").symlink_to(tmp_path / "w.bin")
    (home / "linked").symlink_to(tmp_path)
    os.mkfifo(home / "pipe")
    with pytest.raises(ModelError, match=r"keeps weights outside|lacks a file|no regular file") as caught:
        open_model(written(home / "m.onnx", keep_beside(made(), location)))
    assert caught.value.remedy


def test_external_weights_that_are_no_initialiser(tmp_path):
    constant = keep_beside(made(), "w.bin").graph.initializer[0]
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(WEIGHTS)))
    node.attribute[0].t.CopyFrom(constant)
    with pytest.raises(ModelError, match="weights in another file that are no initialisers"):
        open_model(written(tmp_path / "m.onnx", made(nodes=[node])))


def test_graphs_within_graphs_end(tmp_path):
    graph = helper.make_graph([], "inner", [], [])
    for _ in range(30):
        node = helper.make_node("If", ["c"], [])
        node.attribute.append(helper.make_attribute("then_branch", graph))
        graph = helper.make_graph([node], "outer", [], [])
    model = helper.make_model(graph)
    with pytest.raises(ModelError, match="graphs within graphs"):
        open_model(written(tmp_path / "deep.onnx", model))


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02}.", b"\x08", b"\x3a\xff\xff\xff\xff\x0f", b"PK\x03\x04", b"ORTM" * 9]
)
def test_what_is_no_onnx(content, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx is no ONNX model"):
        open_model(str(tmp_path / "bad.onnx"))


def test_a_file_that_is_too_large(tmp_path):
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(ModelError, match=r"m\.onnx is too large to be opened; expected at most 1,073,741,824 bytes"):
        open_model(str(tmp_path / "m.onnx"))


def test_a_factory_is_not_for_onnx(tmp_path):
    with pytest.raises(UsageError, match="needs no factory"):
        open_model(written(tmp_path / "m.onnx", made()), factory="opening_toys:network")


def test_without_onnxruntime_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="ONNX models need onnxruntime; expected the extra 'onnx'"):
        open_model(written(tmp_path / "m.onnx", made()))


def test_fields_are_numbered_as_in_onnx_itself():
    """All places where a tensor may lie, against the description that the onnx package carries."""
    kinds = {
        "model": onnx.ModelProto, "graph": onnx.GraphProto, "function": onnx.FunctionProto, "node": onnx.NodeProto,
        "attribute": onnx.AttributeProto, "tensor": TensorProto, "sparse": onnx.SparseTensorProto,
        "training": onnx.TrainingInfoProto, "entry": onnx.StringStringEntryProto,
    }  # fmt: skip
    names = {kind.DESCRIPTOR.name: name for name, kind in kinds.items()}
    for name, kind in kinds.items():
        within = {
            field.number: names[field.message_type.name]
            for field in kind.DESCRIPTOR.fields
            if field.message_type is not None and field.message_type.name in names
        }
        entries = {
            field.number
            for field in kind.DESCRIPTOR.fields
            if field.name in ("metadata_props", "initialization_binding", "update_binding")
        }
        assert {number: inner for number, inner in within.items() if number not in entries} == WITHIN[name]
    for name, number in DOMAIN.items():
        assert kinds[name].DESCRIPTOR.fields_by_number[number].name == "domain"


GOOD = keep_beside(made(), "w.bin").SerializeToString()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_file_is_read_or_refused(data):
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for one in (content, content[:cut]):
        try:
            inventory(memoryview(bytes(one)))
        except (DamagedMessageError, UnicodeDecodeError):
            continue
