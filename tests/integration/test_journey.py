"""The way of a run through the whole application, without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio


async def test_a_run_is_started_answered_and_finished(tmp_path: Path) -> None:
    async with running(tmp_path) as application:
        browser = Browser(application)
        run, address = await browser.start("hello")
        answer = await browser.submit(run, "name", 1, name="Ada")
        assert answer.status == 200
        assert 'id="step-language"' in answer.text
        await browser.submit(run, "language", 2, language="Deutsch")
        page = await browser.get(address)
        assert "Hallo, Ada!" in page.text
        assert "All steps are done" in page.text
