"""What lets a browser in: the one-time link, the cookie it is swapped for, and the file that holds its secret."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipulate.app import Application
from pipulate.errors import StorageError
from pipulate.security import capability
from pipulate.security.capability import LINK_S, open_capability
from tests.support.site import HOST, Answer, Browser, running

pytestmark = pytest.mark.anyio

STRANGER = {"cookie": None, "sec-fetch-site": "none"}


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with running(tmp_path) as made:
        yield made


async def follow(application: Application, link: str) -> Answer:
    """Open a link in a browser that has not been let in."""
    return await Browser(application).get(link.removeprefix(f"http://{HOST}"), headers=STRANGER)


async def test_link_lets_one_browser_in_once(application: Application) -> None:
    link = application.new_link(5001)
    answer = await follow(application, link)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert (await Browser(application).get("/", headers={"cookie": cookie})).status == 200
    assert "set-cookie" not in (await follow(application, link)).headers


async def test_cookie_is_for_this_server_alone_and_out_of_reach_of_scripts(application: Application) -> None:
    cookie = (await follow(application, application.new_link(5001))).headers["set-cookie"]
    name, *flags = re.split("[=;] ?", cookie, maxsplit=1)[0], *cookie.lower().split("; ")[1:]
    assert name == f"pipulate_{application.capability.instance}"
    assert set(flags) == {"httponly", "samesite=lax", "path=/", "max-age=31536000"}


async def test_link_that_was_used_or_made_up_leads_to_the_front_door(application: Application) -> None:
    for token in ("", "x", "x" * 43, "%00", application.capability.secret, application.capability.instance):
        answer = await follow(application, f"/-/open?token={token}")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert "set-cookie" not in answer.headers


async def test_link_ends_after_its_time(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = application.new_link(5001), application.new_link(5001)
    began = time.monotonic()
    monkeypatch.setattr(capability, "time", SimpleNamespace(monotonic=lambda: began + LINK_S - 5))
    assert "set-cookie" in (await follow(application, early)).headers
    monkeypatch.setattr(capability, "time", SimpleNamespace(monotonic=lambda: began + LINK_S + 5))
    assert "set-cookie" not in (await follow(application, late)).headers
    assert LINK_S <= 3_600


async def test_links_that_nobody_used_do_not_pile_up(application: Application) -> None:
    links = [application.new_link(5001) for _ in range(100)]
    assert len(application.capability._links) <= 32
    assert "set-cookie" in (await follow(application, links[-1])).headers
    assert "set-cookie" not in (await follow(application, links[0])).headers


async def test_answer_to_a_link_does_not_hand_the_link_on(application: Application) -> None:
    answer = await follow(application, application.new_link(5001))
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body == b""


async def test_page_for_a_stranger_says_which_command_lets_him_in(tmp_path: Path) -> None:
    async with running(tmp_path, data=tmp_path / "my data") as application:
        answer = await Browser(application).get("/", headers=STRANGER)
    assert answer.status == 401
    assert "pipulate link --data" in answer.text
    assert "my data" in answer.text
    assert application.capability.secret not in answer.text
    assert "<nav" not in answer.text


async def test_cookie_is_good_after_a_restart_and_links_are_not(tmp_path: Path) -> None:
    async with running(tmp_path) as application:
        cookie, link = Browser(application).cookie, application.new_link(5001)
    async with running(tmp_path) as application:
        assert (await Browser(application).get("/", headers={"cookie": cookie})).status == 200
        assert "set-cookie" not in (await follow(application, link)).headers


async def test_cookie_of_another_folder_is_no_good(tmp_path: Path) -> None:
    async with running(tmp_path, data=tmp_path / "one") as one:
        secret, name = one.capability.secret, one.capability.cookie
    async with running(tmp_path, data=tmp_path / "two") as two:
        assert two.capability.cookie != name
        headers = {"cookie": f"{two.capability.cookie}={secret}; {name}={secret}"}
        assert (await Browser(two).get("/", headers=headers)).status == 401


async def test_secret_is_in_a_file_of_this_user_alone(application: Application) -> None:
    root = application.layout.root
    held = json.loads((root / "capability.json").read_text())
    assert held["secret"] == application.capability.secret
    assert len(held["secret"]) >= 43
    for name in ("capability.json", "server.json", "server.lock"):
        assert (root / name).stat().st_mode & 0o777 == 0o600, name
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666, 0o601])
def test_secret_that_others_can_read_is_refused_with_the_cure(mode: int, tmp_path: Path) -> None:
    open_capability(tmp_path)
    path = tmp_path / "capability.json"
    path.chmod(mode)
    with pytest.raises(StorageError, match=f"chmod 600 {re.escape(str(path))}"):
        open_capability(tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"instance": "abcdef01"}', "null", "\x00", "1", '{"instance": "abcdef01", "secret": ""}',
     '{"instance": "abcdef01", "secret": null}', '{"instance": "a=b; c", "secret": "' + "x" * 43 + '"}'],
)  # fmt: skip
def test_damaged_secret_is_refused_with_the_cure_and_kept(content: str, tmp_path: Path) -> None:
    path = tmp_path / "capability.json"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(StorageError, match=r"damaged\. Delete it"):
        open_capability(tmp_path)
    assert path.read_text() == content


def test_every_folder_has_a_secret_of_its_own(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(20)]
    for folder in folders:
        folder.mkdir()
    held = [open_capability(folder) for folder in folders]
    assert len({each.secret for each in held}) == len({each.instance for each in held}) == 20
    assert open_capability(folders[0]).secret == held[0].secret
