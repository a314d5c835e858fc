"""Files of a run, in a folder of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.fields.files import Files
from pipulate.storage.files import FileStore

RUN = "0" * 32


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(FileStore(tmp_path), RUN)
