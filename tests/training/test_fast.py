"""The `fast` network on images of every size."""

from __future__ import annotations

import pytest
import torch

from bezoar.errors import SpecError, UsageError
from bezoar.training import build_model
from bezoar.training.models import create_architecture


@pytest.mark.parametrize(
    "shape", [(3, 32, 32), (1, 28, 28), (3, 8, 8), (3, 1, 1), (3, 48, 48), (3, 63, 95), (4, 96, 96), (3, 224, 224)]
)
@pytest.mark.parametrize("spec", ["fast", "fast:finest=16", "fast:stem=7,widths=8"])
def test_fast_takes_images_of_every_size(shape: tuple[int, ...], spec: str) -> None:
    sample = torch.randint(0, 256, (16, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = build_model(spec, classes=5, sample=sample, seed=0)
    seen: list[int] = []
    network.stem.register_forward_hook(lambda _module, _inputs, maps: seen.append(min(maps.shape[2:])))
    logits = network.eval()(sample.float() / 255)
    assert logits.shape == (16, 5)
    assert torch.isfinite(logits).all()
    # Neither so fine that it takes for ever, nor so coarse that nothing is left.
    finest = 16 if "finest" in spec else 32
    assert seen[0] < 1.5 * finest
    assert seen[0] >= min(0.6 * finest, max(1, min(shape[1:]) - 1))


@pytest.mark.parametrize("spec", ["fast:stem=0", "fast:finest=0", "fast:widths=8/0"])
def test_a_network_without_substance_is_refused(spec: str) -> None:
    with pytest.raises((UsageError, SpecError)):
        create_architecture(spec)
