from __future__ import annotations

from collections.abc import Callable

import pytest

from bezoar.scan.calibration import Reference


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the references of this test."""

    def put(**references: Reference) -> None:
        monkeypatch.setattr("bezoar.scan.calibration.references", lambda: references)

    return put
