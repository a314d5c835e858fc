"""What every test in here relies on."""

from __future__ import annotations

import pytest

from pipulate.explicit import chain


@pytest.fixture(autouse=True)
def _chains_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of steps is followed to its end however busy the machine is; only users want it cut short."""
    monkeypatch.setattr(chain, "LASTS_S", 30.0)
