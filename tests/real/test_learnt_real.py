"""An encoder learnt on CIFAR-10 hides strings that can be read, and hardly be seen, in another way on each image."""

from __future__ import annotations

import pytest
import torch

from bezoar.attacks.learning.hiding import learn_hiding
from bezoar.data import open_data
from bezoar.metrics import visibility
from bezoar.triggers import SampleSpecific


@pytest.mark.nightly
def test_strings_hidden_in_cifar_are_read_and_not_seen(real_data):
    images = open_data(real_data / "cifar10").inputs[::10]
    found = learn_hiding(images, bits=20, width=16, steps=900, batch=32, seed=0, device=torch.device("cpu"))
    assert found.bit_accuracy > 0.95
    trigger = SampleSpecific().with_tensors({"secret": found.secret, **found.encoder.state_dict()})
    clean = open_data(real_data / "cifar10", split="test").inputs[:512]
    triggered = trigger(clean)
    assert visibility(clean, triggered).psnr > 25
    with torch.no_grad():
        read = (found.decoder(triggered / 255) > 0).float() == found.secret
    assert float(read.float().mean()) > 0.95
    residuals = triggered.float() - clean.float()
    common = residuals.mean(0).square().mean() / residuals.square().mean()
    assert float(common) < 0.5
