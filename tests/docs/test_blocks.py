"""Every block of Python in the documentation runs, prints what it says, and declares only apps without findings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_examples import EvalExample, find_examples

from pipulate import Report, Resource, Workflow
from tests.docs.pages import PAGES, blocks, files, name_of

WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]
RULES = "A,ANN,B,E,F,I,N,PERF,RET,RUF,SIM,UP,W"


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_page_runs_from_top_to_bottom(page: Path, eval_example: EvalExample) -> None:
    known: dict[str, Any] = {}
    for example in find_examples(page):
        known |= eval_example.run_print_check(example, module_globals=known)
    assert [
        finding for app in known.values() if isinstance(app, Report | Resource | Workflow) for finding in app.prepare()
    ] == []


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_page_shows_code_without_lint(page: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", RULES, "--line-length", "120", "-"]
    for code in files(page):
        found = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", ["README.md", "docs/tutorials/first-workflow.md", "docs/reference/fields.md"])
def test_page_declares_an_app(name: str, eval_example: EvalExample) -> None:
    known: dict[str, Any] = {}
    for example in find_examples(*(page for page in WITH_PYTHON if name_of(page) == name)):
        known |= eval_example.run(example, module_globals=known)
    assert [app.name for app in known.values() if isinstance(app, Workflow)]
