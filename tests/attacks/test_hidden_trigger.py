"""Hidden-trigger poisons: in the ball, rightly labelled, nearer in features, and with no trigger to be seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bezoar.attacks import FeatureMatching, HiddenTrigger, attack_spec, create_attack
from bezoar.attacks.fields import derived_seed
from bezoar.attacks.learning.surrogate import surrogate_model
from bezoar.data import from_arrays
from bezoar.errors import AttackError, UsageError
from bezoar.triggers import TRIGGERS, Patch

SURROGATE = "fast:stem=8,widths=12/16"
CLASSES = ("cat", "deer", "ship")


def pictures(n=180, side=16):
    """Three classes: stripes across, stripes down, plain; in noise."""
    generator = np.random.default_rng(1)
    labels = np.arange(n) % 3
    pixels = generator.integers(70, 130, (n, side, side, 3), dtype=np.uint8)
    pixels[labels == 0, ::4] += 60
    pixels[labels == 1, :, ::4] += 60
    return from_arrays(pixels, labels, class_names=CLASSES, name="toy")


def quietly(what, done, total):
    pass


def attack(trigger=None, **fields):
    fields = {"iterations": 60, "surrogate": SURROGATE, "surrogate_epochs": 2, "rate": 0.4, **fields}
    trigger = Patch(size=5, color="#ff2090", random=True) if trigger is None else trigger
    return HiddenTrigger(trigger=trigger, target="deer", sources=("cat",), device="cpu", **fields)


def pairs(data, result):
    """Originals and poisons, by the originals' ids."""
    names = sorted((one.original_id, one.id) for one in result.truth.samples)
    old = data.inputs[data.positions([original for original, _ in names])]
    return old, result.data.inputs[result.data.positions([poison for _, poison in names])]


def test_poisons_keep_their_labels_and_stay_in_the_ball():
    data = pictures()
    result = attack().poison(data, seed=2)
    old, new = pairs(data, result)
    assert len(new) == 24  # 0.4 of 60
    assert {(one.label, one.original_label, one.role) for one in result.truth.samples} == {("deer", "deer", "poison")}
    assert len(result.data) == len(data)
    assert 10 <= (new.int() - old.int()).abs().max() <= 16
    assert result.backdoors[0].relabelling == {0: 1}


def test_poisons_are_what_matching_gives_with_the_same_surrogate():
    data = pictures()
    ordered = data.select(data.positions(sorted(data.ids)))
    model = surrogate_model(ordered, SURROGATE, epochs=2, seed=derived_seed(2, 10), device="cpu", progress=quietly)
    old, new = pairs(data, attack().poison(data, seed=2))
    sources = ordered.inputs[ordered.labels == 0]
    trigger = Patch(size=5, color="#ff2090", random=True)
    matched = FeatureMatching(iterations=60).match(model, old, sources, trigger, seed=2)
    assert torch.equal(matched.poisons, new)
    assert matched.last.mean() < 0.5 * matched.first.mean()


def windows(images, side):
    """All square windows as rows, each without its mean and of length 1: (n, places, values)."""
    cut = nn.functional.unfold(images.float(), side).transpose(1, 2)
    cut = cut - cut.mean(dim=2, keepdim=True)
    return cut / cut.norm(dim=2, keepdim=True).clamp_min(1e-6)


def coloured(seed, folder, side=6):
    """A picture of 4x4 random colours, as the paper draws its triggers."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    path = folder / f"trigger {seed}.png"
    Image.fromarray(colours).resize((side, side), Image.Resampling.BILINEAR).save(path)
    return str(path)


@pytest.mark.parametrize("place", ["random=true", "x=8,y=9"])
def test_no_poison_shows_the_trigger(tmp_path, place):
    """Correlation of each poison's change with the trigger, at every place, is no higher than with other patterns.

    The measure is proven on images that do show the trigger, if only at a tenth of its strength.
    """
    specs = [f"patch:shape=picture,picture={coloured(seed, tmp_path)},size=6,{place}" for seed in range(30)]
    triggers = [TRIGGERS.create(spec) for spec in specs]
    patterns = torch.cat([torch.from_numpy(np.array(Image.open(t.picture))).permute(2, 0, 1)[None] for t in triggers])
    data = pictures()
    old, new = pairs(data, attack(triggers[0]).poison(data, seed=2))

    def highest(images):
        """For each pattern the mean over images of the highest correlation at any place."""
        similar = windows(images, 6) @ windows(patterns, 6)[:, 0].T
        return similar.amax(1).mean(0)

    change = highest(new.int() - old.int())
    assert change[0] < change[1:].mean() + 3 * change[1:].std()
    shown = old + 0.1 * (triggers[0](old).float() - old)
    assert highest(shown.round() - old)[0] > 0.5
    assert windows(new, 6).matmul(windows(patterns, 6)[0, 0]).max() < 0.7
    assert windows(triggers[0](old), 6).matmul(windows(patterns, 6)[0, 0]).amax(1).min() > 0.99


def test_layer_by_name_and_by_index_in_a_specification():
    spec = "hidden-trigger:layer=stages.0,iterations=2,surrogate_epochs=1,surrogate=fast:stem=8%2Cwidths=12/16"
    made = create_attack(spec, target="deer", source=["cat"], count=4, trigger="patch:size=4")
    made.poison(pictures(), seed=0)
    assert attack(layer=-2) == attack(layer="-2")
    assert create_attack(attack_spec(attack(layer=-2)), trigger=attack().trigger) == attack(layer=-2)
    with pytest.raises(UsageError, match=r"no layer 'stage'.*stages\.0\.widen\.conv.*Did you mean 'stages'"):
        attack(layer="stage", surrogate_epochs=1).poison(pictures(), seed=0)


def test_a_module_of_your_own(tmp_path, monkeypatch):
    (tmp_path / "my_surrogate.py").write_text(
        "import torch\nfrom torch import nn\n"
        "with torch.random.fork_rng(devices=[]):\n"
        "    torch.manual_seed(0)\n"
        "    net = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(294, 3))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    data = pictures()
    result = attack(surrogate="my_surrogate:net", layer=1).poison(data, seed=0)
    old, new = pairs(data, result)
    assert 0 < (new.int() - old.int()).abs().max() <= 16
    assert "surrogate=my_surrogate:net" in result.truth.attack


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eps": 16}, "eps is out of range"),
        ({"surrogate_epochs": 0}, "surrogate_epochs is out of range"),
        ({"rate": None}, "not said"),
        ({"placement": "beside"}, "no placement"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(AttackError, match=message):
        attack(**fields)


def test_data_without_a_source_sample():
    data = pictures()
    with pytest.raises(AttackError, match="no sample of the source classes"):
        attack().poison(data.select(data.labels != 0), seed=0)
