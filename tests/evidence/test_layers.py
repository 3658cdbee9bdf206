"""Features of layers: against a forward pass with hooks of its own, on networks of several kinds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from probe_toys import MODEL, rows_of_light
from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.evidence.blocks import block_names
from bezoar.evidence.layers import layer_features, projected
from bezoar.training import build_model
from bezoar.training.batches import to_unit_range

DATA = rows_of_light(23)[0]


def build(spec: str = MODEL, classes: int = 3) -> nn.Module:
    model = build_model(spec, classes=classes, sample=DATA.inputs, seed=0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return model


def gathered(model: nn.Module, names: tuple[str, ...], inputs: Tensor = DATA.inputs, size: int = 10, **options: object):
    parts = list(layer_features(model, inputs, names=names, device="cpu", batch_size=size, **options))
    rows = np.concatenate([np.arange(len(inputs))[part[0]] for part in parts])
    np.testing.assert_array_equal(rows, np.arange(len(inputs)))
    features = {name: np.concatenate([part[1][name] for part in parts]) for name in names}
    return features, np.concatenate([part[2] for part in parts])


def hooks_of(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_the_blocks_of_fast_in_order_of_depth() -> None:
    names = ("stages.0.widen", "stages.0", "stages.1.widen", "stages.1", "stages.2.widen", "stages.2")
    assert block_names(build("fast"), DATA.inputs) == names


def test_layers_equal_a_forward_of_their_own() -> None:
    model = build().train()
    names = block_names(model, DATA.inputs)
    features, logits = gathered(model, names, precision="float32")
    assert model.training
    assert all(module.training for module in model.modules())
    assert hooks_of(model) == 0
    model.eval()
    with torch.no_grad():
        x = torch.relu(model.stem(model.normalise(DATA.inputs.float() / 255)))
        for name, stage in (("stages.0", model.stages[0]), ("stages.1", model.stages[1])):
            for which, maps in ((f"{name}.widen", stage.widen(x)), (name, stage(x))):
                flat = maps.flatten(2).double()
                expected = torch.cat([flat.sum(2) / flat.shape[2], flat.max(2).values], 1)
                np.testing.assert_allclose(features[which], expected.numpy(), atol=1e-5)
            x = stage(x)
        np.testing.assert_allclose(logits, model(to_unit_range(DATA.inputs)).numpy(), atol=1e-5)
    assert all(block.dtype == np.float32 for block in (*features.values(), logits))
    assert features["stages.1"].std(axis=0).max() > 0.01


def test_the_batch_size_changes_nothing_and_samples_stay() -> None:
    model, before = build(), DATA.inputs.clone()
    one, _ = gathered(model, ("stages.1",), size=1, precision="float32")
    all_at_once, _ = gathered(model, ("stages.1",), size=100, precision="float32")
    np.testing.assert_allclose(one["stages.1"], all_at_once["stages.1"], atol=1e-5)
    assert torch.equal(DATA.inputs, before)


def test_between_batches_nothing_is_on_the_model() -> None:
    model = build().train()
    model.stages[0].eval()
    passes = layer_features(model, DATA.inputs, names=("stages.0",), device="cpu", batch_size=5)
    next(passes)
    assert hooks_of(model) == 0
    assert model.training
    assert not model.stages[0].widen.norm.training
    assert model.stages[1].widen.norm.training
    passes.close()


def test_preact_has_the_ends_of_its_stages_and_what_the_head_sees() -> None:
    model = build("preact-resnet18").eval()
    names = block_names(model, DATA.inputs)
    assert names == ("blocks.1", "blocks.3", "blocks.5", "blocks.7", "head:input")
    features, logits = gathered(model, names, precision="float32")
    assert [features[name].shape[1] for name in names] == [128, 256, 512, 1024, 512]
    head = model.head
    expected = features["head:input"] @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)


class Tokens(nn.Module):
    """Patches as tokens through transformer blocks in a ModuleList."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 4, 4)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(12, 2, 16, batch_first=True, dropout=0.5) for _ in range(depth)
        )
        self.classify = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        return self.classify(x[:, 0])


def test_tokens_are_summed_up_over_tokens() -> None:
    model = Tokens(2)
    names = block_names(model, DATA.inputs)
    assert names == ("layers.0", "layers.1", "classify:input")
    features, _ = gathered(model, names, precision="float32")
    with torch.no_grad():
        x = model.eval().embed(DATA.inputs.float() / 255).flatten(2).transpose(1, 2)
        expected = model.layers[1](model.layers[0](x))
    np.testing.assert_allclose(features["layers.1"][:, :12], expected.mean(1).numpy(), atol=1e-5)
    np.testing.assert_allclose(features["layers.1"][:, 12:], expected.amax(1).numpy(), atol=1e-5)
    np.testing.assert_allclose(features["classify:input"], expected[:, 0].numpy(), atol=1e-5)


def test_of_many_blocks_eight_are_taken_from_first_to_last() -> None:
    names = block_names(Tokens(20), DATA.inputs)
    assert len(names) == 8
    assert (names[0], names[-2], names[-1]) == ("layers.0", "layers.19", "classify:input")
    depths = [int(name.split(".")[1]) for name in names[:-1]]
    assert set(np.diff(depths)) <= {3, 4}


def block(inward: int, outward: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, 2, 1), nn.BatchNorm2d(outward), nn.ReLU(inplace=True))


def test_a_wrapped_sequential_network() -> None:
    """The inner network as a whole gives logits and contains the head: it is no block; its own blocks are."""
    inner = nn.Sequential(block(3, 4), block(4, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    model = nn.Sequential(nn.Identity(), inner)
    assert block_names(model, DATA.inputs) == ("1.0", "1.1", "1.4:input")


def test_blocks_within_blocks_count_once() -> None:
    stages = [nn.Sequential(block(3, 4), block(4, 4)), nn.Sequential(block(4, 6), block(6, 6))]
    model = nn.Sequential(*stages, nn.Flatten(), nn.Linear(6, 3))
    assert block_names(model, DATA.inputs) == ("0", "1", "3:input")


def test_without_blocks_single_layers_serve_and_are_not_overwritten_in_place() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(), nn.Linear(144, 3))
    names = block_names(model, DATA.inputs)
    assert names == ("0", "1", "4:input")
    features, _ = gathered(model, names, precision="float32")
    assert features["0"][:, :4].min() < 0
    assert features["1"].min() >= 0
    with torch.no_grad():
        maps = model[0](DATA.inputs.float() / 255)
    np.testing.assert_allclose(features["0"][:, 4:], maps.amax((2, 3)).numpy(), atol=1e-5)
    np.testing.assert_allclose(features["4:input"], maps.relu().flatten(1).numpy(), atol=1e-5)


class Stages(nn.Module):
    """Blocks that stand in no list."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late, self.flat, self.head = block(3, 4), block(4, 4), nn.Flatten(), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flat(self.late(self.early(x))))


def test_blocks_may_stand_anywhere() -> None:
    assert block_names(Stages(), DATA.inputs) == ("early", "late", "head:input")


class Shared(nn.Module):
    """One activation called twice, a side branch of another length, no parameters in modules but one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(192, 10), nn.ReLU(), nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act(self.act(self.first(x.flatten(1))) - 0.1))


def test_modules_called_twice_are_left_out() -> None:
    assert block_names(Shared(), DATA.inputs) == ("first", "last:input")


class Bare(nn.Module):
    """No modules at all."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(192, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


def test_a_network_without_modules_has_logits_alone() -> None:
    assert block_names(Bare(), DATA.inputs) == ()
    _, logits = gathered(Bare(), ())
    assert logits.shape == (23, 3)


def test_wide_features_keep_their_distances() -> None:
    wide = np.random.default_rng(0).normal(size=(40, 5000)).astype(np.float32)
    small = projected(wide)
    assert small.shape == (40, 1024)
    assert small.dtype == np.float32
    before = ((wide[:, None] - wide[None]) ** 2).sum(2)[np.triu_indices(40, 1)]
    after = ((small[:, None] - small[None]) ** 2).sum(2)[np.triu_indices(40, 1)]
    assert (after / before).mean() == pytest.approx(1, abs=0.03)
    assert (after / before).std() < 0.06
    np.testing.assert_array_equal(small, projected(wide.copy()))
    # Each coordinate goes to four places, with halves of its value.
    unit = projected(np.eye(5000, dtype=np.float32)[:50])
    assert ((unit != 0).sum(1) == 4).all()
    assert set(np.abs(unit[unit != 0])) == {0.5}
    np.testing.assert_array_equal(projected(wide[:, :1024]), wide[:, :1024])


def test_errors_say_what_is_wrong_and_leave_no_hook() -> None:
    model = build().train()
    with pytest.raises(ModelError, match="no module 'stage'"):
        gathered(model, ("stages.0", "stage"))
    with pytest.raises(ModelError, match="cannot take"):
        gathered(model, ("stages.0",), DATA.inputs[:, :2])
    with pytest.raises(ModelError, match="cannot take"):
        block_names(Tokens(1), DATA.inputs[:, :2])
    holder = Shared()
    holder.idle = nn.Linear(2, 2)
    with pytest.raises(ModelError, match="never calls its module 'idle'"):
        gathered(holder, ("idle",))
    model.head.weight.data[0] = float("inf")
    with pytest.raises(ModelError, match="not all finite"):
        gathered(model, ("stages.0",))
    with pytest.raises(ModelError, match="no logits"):
        gathered(build().stages[0].widen.conv, (), torch.zeros(2, 8, 4, 4))
    assert hooks_of(model) == 0
    assert model.training
