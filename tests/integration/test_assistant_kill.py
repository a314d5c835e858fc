"""A program that is killed in the middle of an answer, and the next that finds what it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.chat import turn
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import messages
from tests.support.ollama import MODEL, Ollama, Turn
from tests.support.scripted import until
from tests.support.site import running
from tests.support.store_faults import kill, script

TALK, ME = messages.general(OWNER), Who(OWNER)

ASKS = """
import asyncio, sys
from pathlib import Path
from pipulate.storage import messages
from tests.support.site import running
from tests.integration.test_assistant_kill import ME, TALK
from tests.support.scripted import until

async def main():
    async with running(Path(sys.argv[1]), model_server="ollama", model_url=sys.argv[2]) as application:
        site = application.site
        await until(lambda: site.models.status().condition == "up")
        for text in ("one", "two"):
            await site.assistant.ask(TALK, ME, text)
        def text():
            return [each.text for each in site.db.read_now(messages.after, TALK, 0) if each.role == "answer"]
        await until(lambda: any(text()))
        print("in the middle", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_what_an_answer_had_is_there_after_a_kill_and_what_waited_is_answered(tmp_path: Path) -> None:
    with Ollama() as ollama:
        ollama.script(Turn("These words are kept", holds_at=3), Turn("Second."))
        process = script(ASKS, tmp_path, ollama.url)
        try:
            assert process.stdout is not None
            assert "in the middle\n" in iter(process.stdout.readline, "")  # Before it, lines of the log.
        finally:
            kill(process)
        async with running(tmp_path, model_server="ollama", model_url=ollama.url) as application:
            await until(lambda: application.site.db.read_now(messages.waiting) == [])
            log = await application.site.assistant.conversations.after(TALK, OWNER, 0)
    asked = [(each.text, each.state) for each in log if each.role == messages.USER]
    first, second = (each for each in log if each.role == messages.ANSWER)
    assert asked == [("one", "done"), ("two", "done")]
    assert [first.state, second.state] == ["stopped", "done"]
    assert "These words are kept".startswith(first.text)
    assert first.text
    assert second.text.strip() == "Second."
    assert first.data["error"]["words"] == turn.ENDED
    assert second.data["model"] == MODEL
