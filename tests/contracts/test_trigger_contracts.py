"""What every registered trigger must do, whatever it draws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, ImageTrigger
from bezoar.triggers.learnt import LearntTrigger

# At least one specification of every registered trigger; {picture} is a half-transparent RGBA file.
SPECS = [
    "pixel",
    "pixel:distance=5,value=90",
    "checkerboard:distance=1",
    "insert:path={picture},x_shift=3,y_shift=5,blend=0.7",
    "insert:path={picture},size=4/9,mode=L,compositing=over",
    "insert:path={picture},random=true,seed=3",
    "patch",
    "patch:size=5,color=cyan,corner=top-left,mode=replace",
    "patch:shape=cross,size=7,color=#ff8000,corner=bottom-right,margin=2,mode=add",
    "patch:shape=picture,picture={picture},size=8,mode=blend,opacity=0.4,x=2,y=1",
    "patch:size=6,mode=blend,random=true,seed=9",
    "corners",
    "corners:amplitude=255",
    "blend:ratio=0.3,seed=4",
    "blend:picture={picture}",
    "blend:pattern=rings",
    "watermark",
    "watermark:shape=shield,color=red,opacity=0.6,size=0.5,corner=top-right",
    "watermark:picture={picture}",
    "sticker",
    "sticker:shape=star,scale=0.3/0.6,rotation=-180/180,light=1/1,contrast=1/1,region=center,seed=4",
    "sticker:shape=picture,picture={picture},scale=0.5/0.5",
    "reflection",
    "reflection:model=in-focus,strength=0.1/0.3,seed=2",
    "reflection:model=out-of-focus,blur=0.02/0.1",
    "reflection:model=ghost,pictures={picture}",
    "sinusoid",
    "sinusoid:delta=5.5,frequency=2.5",
    "wanet",
    "wanet:grid=3,strength=2,grid_rescale=0.95,seed=4",
    "wanet:noise=1,seed=2",
    "bpp",
    "bpp:depth=2,dithering=false",
    "ftrojan:magnitude=60",
    "ftrojan:block=8,frequencies=3x4/7x0",
    "pieces:trigger=blend:ratio=0.3%2Cseed=4,grid=3,share=0.4,seed=2",
    "together:triggers=patch:mode=blend%2Csize=3+patch:corner=center%2Cmode=add%2Ccolor=#444+pixel,drawn=2,seed=1",
    "callable:function=triggers_for_tests.darken_corner",
    "callable:function=triggers_for_tests.darken_corner,pixels=uint8,arguments=rows=2",
    "low-frequency:band=5",
    "sample-specific:bits=6,width=4",
    "input-aware:width=4",
    "weight-patching:size=6,corner=bottom-left",
    "narcissus",
    "trojan:shape=shield,opacity=0.7,size=0.6,corner=top-right",
]
# Of each learnt trigger the tensor whose length is the number of colours.
LEARNT = {
    "low-frequency": "amplitudes",
    "sample-specific": "leave.bias",
    "input-aware": "pattern.leave.bias",
    "weight-patching": "pattern",
    "narcissus": "pattern",
    "trojan": "pattern",
}
RNG = np.random.default_rng(0)
CHANNELS = (1, 3, 4)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "sticker, half.png"
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (6, 8, 4), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(autouse=True)
def _importable(tmp_path, monkeypatch):
    source = (
        "def darken_corner(x, rows=3):\n"
        "    out = x.copy()\n    out[:, :rows, :4] = out[:, :rows, :4] // 2 if out.dtype.kind == 'u' else 0.25\n"
        "    return out\n"
    )
    (tmp_path / "triggers_for_tests.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture(params=SPECS)
def trigger(request, picture):
    # A comma in a path is written %2C.
    return learnt(TRIGGERS.create(request.param.format(picture=str(picture).replace(",", "%2C"))))


def learnt(trigger, channels=3):
    """A learnt trigger with random tensors for images of these channels; any other as it is."""
    if not isinstance(trigger, LearntTrigger):
        return trigger
    hint = {LEARNT[TRIGGERS.name_of(trigger)]: torch.zeros(3 if channels == 4 else channels)}
    generator = torch.Generator().manual_seed(0)
    shapes = trigger.expected(hint)
    return trigger.with_tensors({name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()})


def alike(trigger, first, second):
    """Equal, or equal but for rounding where a network is at work."""
    if not isinstance(trigger, LearntTrigger):
        return torch.equal(first, second)
    step = 1 if first.dtype == torch.uint8 else 1 / 255
    return float((first.double() - second.double()).abs().max()) <= step


def batch(n=7, channels=3, height=24, width=20, dtype=torch.uint8):
    images = torch.from_numpy(np.random.default_rng(n).integers(0, 256, (n, channels, height, width), dtype=np.uint8))
    images = images.contiguous(memory_format=torch.channels_last)
    return images if dtype == torch.uint8 else images.to(dtype) / 255


def test_every_registered_trigger_is_under_contract():
    assert {spec.split(":")[0] for spec in SPECS} == set(TRIGGERS.names())


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_same_kind_comes_back_and_the_input_stays(trigger, channels, dtype):
    trigger, images = learnt(trigger, channels), batch(channels=channels, dtype=dtype)
    before = images.clone()
    stamped = trigger(images)
    assert (stamped.shape, stamped.dtype, stamped.device) == (images.shape, images.dtype, images.device)
    assert torch.equal(images, before)
    assert stamped.data_ptr() != images.data_ptr()
    assert not torch.equal(stamped, images)
    assert float(stamped.max()) <= (255 if dtype == torch.uint8 else 1)
    assert float(stamped.min()) >= 0


def test_memory_format_is_kept(trigger):
    images = batch()
    assert trigger(images).is_contiguous(memory_format=torch.channels_last)
    plain = images.contiguous(memory_format=torch.contiguous_format)
    assert trigger(plain).is_contiguous()
    assert alike(trigger, trigger(plain), trigger(images))


def test_deterministic(trigger):
    rebuilt = learnt(TRIGGERS.create(TRIGGERS.spec_of(trigger)))
    assert torch.equal(trigger(batch()), trigger(batch()))
    assert torch.equal(rebuilt(batch()), trigger(batch()))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_neither_batch_size_nor_order_matters(trigger, dtype):
    images = batch(n=9, dtype=dtype)
    whole = trigger(images)
    by_one = torch.cat([trigger(images[i : i + 1]) for i in range(9)])
    unequal = torch.cat([trigger(images[:2]), trigger(images[2:])])
    order = torch.tensor([4, 0, 8, 2, 6, 1, 7, 5, 3])
    assert alike(trigger, whole, by_one)
    assert alike(trigger, whole, unequal)
    assert alike(trigger, whole[order], trigger(images[order]))


@pytest.mark.parametrize(("dtype", "steps"), [(torch.float32, 0.51), (torch.float64, 0.51)])
def test_float_and_uint8_agree_within_rounding(trigger, dtype, steps):
    if getattr(trigger, "pixels", "") == "uint8":
        steps = 1.01
    as_bytes, as_floats = trigger(batch()).to(dtype), trigger(batch(dtype=dtype)) * 255
    assert float((as_bytes - as_floats).abs().max()) <= steps


def test_empty_batch(trigger):
    empty = trigger(torch.zeros(0, 3, 24, 20))
    assert empty.shape == (0, 3, 24, 20)
    assert empty.dtype == torch.float32


def test_specification_builds_an_equal_trigger(trigger):
    assert TRIGGERS.create(TRIGGERS.spec_of(trigger)) == trigger
    assert hash(TRIGGERS.create(TRIGGERS.spec_of(trigger))) == hash(trigger)


def test_frozen_and_documented(trigger):
    with pytest.raises(dataclasses.FrozenInstanceError):
        trigger.seed = 1
    assert isinstance(trigger, ImageTrigger)
    name = TRIGGERS.name_of(trigger)
    assert len(TRIGGERS.summary(name)) > 20
    assert TRIGGERS.fields(name)


def test_no_gradient_is_recorded(trigger):
    images = batch(dtype=torch.float32).requires_grad_()
    assert not trigger(images).requires_grad


def test_odd_memory_layouts(trigger):
    whole = batch(n=8)
    strided = whole[::2]
    assert alike(trigger, trigger(strided), trigger(whole)[::2])
    cropped = whole[:, :, 2:, 3:]
    assert alike(trigger, trigger(cropped), trigger(cropped.clone()))
    repeated = whole[:1].expand(3, -1, -1, -1)
    assert alike(trigger, trigger(repeated), trigger(repeated.clone()))


BAD = [
    (torch.zeros(32, 32, 3), "on a batch, not on a single image"),
    (torch.zeros(2, 32, 32, 3), "channels last.*permute"),
    (torch.zeros(5), "batch of images"),
    (torch.full((2, 3, 24, 20), 255.0), "float pixels must lie in 0..1.*Divide by 255"),
    (torch.full((2, 3, 24, 20), -1.0), "float pixels must lie in 0..1.*before normalising"),
    (torch.full((2, 3, 24, 20), float("nan")), "float pixels must lie in 0..1"),
    (torch.zeros(2, 3, 24, 20, dtype=torch.int64), "uint8 in 0..255 or float"),
    (torch.zeros(2, 3, 24, 20, dtype=torch.bool), "uint8 in 0..255 or float"),
    (torch.zeros(2, 3, 0, 20), "no pixels"),
    (np.zeros((2, 24, 20, 3), dtype=np.uint8), "torch tensor.*from_numpy"),
]


@pytest.mark.parametrize(("images", "message"), BAD)
def test_bad_batches_are_refused(trigger, images, message):
    with pytest.raises(TriggerError, match=message):
        trigger(images)
