"""The server of the settings: what is imported when, where the key comes from, and that nobody sees it."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from pipulate._program import installing
from pipulate.errors import ModelError, ModelLoadingError
from pipulate.llm import opening, words
from pipulate.llm.opening import Later, key_of, open_models, opened
from pipulate.llm.port import Ended, Known
from pipulate.settings import Settings
from tests.support.models import parts
from tests.unit.llm.fakes import ASK, Server

pytestmark = pytest.mark.anyio

SECRET = "hunter2"
FAR = {"model_server": "openai", "model_url": "https://api.example.com/v1"}


def settings(**given: Any) -> Settings:
    return Settings(**given)


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring of this process."""
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setitem(
        sys.modules,
        "keyring",
        SimpleNamespace(get_password=lambda service, user: kept.get((service, user)), __spec__=object()),
    )
    return kept


def test_key_of_the_environment_goes_before_that_of_the_keyring(ring: dict[tuple[str, str], str]) -> None:
    ring["pipulate", "api.example.com"] = "from the ring"
    assert key_of(settings(**FAR)) == "from the ring"
    assert key_of(settings(**FAR, model_key=SECRET)) == SECRET


def test_key_of_the_keyring_is_of_the_host_alone(ring: dict[tuple[str, str], str]) -> None:
    ring["pipulate", "other.example.com"] = SECRET
    assert key_of(settings(**FAR)) == ""


def test_keyring_that_fails_or_is_missing_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(service: str, user: str) -> str:
        raise RuntimeError("no bus")

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=fails, __spec__=object()))
    assert key_of(settings(**FAR)) == ""
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    assert key_of(settings(**FAR)) == ""


@pytest.mark.parametrize("kept", ["a\nb", "é", "\n"])
def test_key_of_the_keyring_that_cannot_be_sent_is_no_key(ring: dict[tuple[str, str], str], kept: str) -> None:
    ring["pipulate", "api.example.com"] = kept
    assert key_of(settings(**FAR)) == ""


def test_keyring_is_not_opened_for_an_ollama_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "key_of", lambda _: pytest.fail("asked for a key"))
    opened(settings())


async def test_nobody_sees_the_key(ring: dict[tuple[str, str], str]) -> None:
    ring["pipulate", "api.example.com"] = SECRET
    given = settings(**FAR, model_key=SECRET)
    server: Any = opened(given)
    models = open_models(given, changed=lambda: None)
    shown = [given, server, server._wire, server._wire.client, server._wire.client.headers, models, models.status()]
    assert [
        each for each in shown if SECRET in f"{each!r}{each}{vars(each) if isinstance(each, Settings) else ''}"
    ] == []
    await server.close()


def test_server_that_needs_missing_packages_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=re.escape(installing("pydantic_ai"))):
        opened(settings(**FAR))


async def test_missing_packages_are_told_in_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    models = open_models(settings(**FAR), changed=lambda: None)
    await models.look()
    assert (models.status().condition, models.status().words) == ("down", words.not_installed())
    await models.close()


async def test_switched_off_nothing_is_opened() -> None:
    models = open_models(settings(model_server="off"), changed=lambda: None)
    assert models.status().condition == "off"
    await models.close()


async def test_models_that_were_never_asked_can_be_closed() -> None:
    await open_models(settings(), changed=lambda: None).close()


# Made later


async def test_server_is_made_once_when_it_is_first_asked_and_not_on_the_loop() -> None:
    made: list[threading.Thread] = []
    server = Server([Known("q")], [Ended("stop")])

    def make() -> Server:
        made.append(threading.current_thread())
        return server

    later = Later(make)
    assert made == []
    assert await later.known() == [Known("q")]
    assert await parts(later.stream(ASK)) == ([Ended("stop")], None)
    await later.close()
    assert len(made) == 1
    assert made[0] is not threading.main_thread()
    assert server.closed == 2


async def test_look_does_not_wait_for_a_server_that_takes_long_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_READY_S", 0.01)
    go = threading.Event()
    server = Server([Known("q")])

    def make() -> Server:
        go.wait(20)
        return server

    later = Later(make)
    with pytest.raises(ModelLoadingError, match="made ready"):
        await later.known()
    go.set()
    monkeypatch.setattr(opening, "_READY_S", 20)
    assert await later.known() == [Known("q")]
    await later.close()


async def test_closing_does_not_wait_for_a_keyring_that_nobody_unlocks() -> None:
    go = threading.Event()
    later = Later(lambda: go.wait(20) and Server())  # type: ignore[arg-type, return-value]
    asking = asyncio.create_task(parts(later.stream(ASK)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await later.close()
    go.set()
    asking.cancel()
    await asyncio.wait({asking})


async def test_server_that_cannot_be_made_says_so_whenever_it_is_asked() -> None:
    def make() -> Server:
        raise ModelError("No.")

    later = Later(make)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"^No\.$"):
            await later.known()
    _, error = await parts(later.stream(ASK))
    assert str(error) == "No."
    await later.close()
