"""Files of a run, in a folder of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.storage.files import FileStore
from pipulate.workflows.files import Files

RUN = "0" * 32


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(FileStore(tmp_path), RUN)
