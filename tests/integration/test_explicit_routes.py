"""Addresses that class-style plugins register, wherever they do it; and what the chain calls, called once."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.explicit.kept import LASTS_S, KeptAnswers
from tests.support.explicit import explicit
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

CALLS: Counter[str] = Counter()
"""How often each handler of the plugins here was called."""

EVERYWHERE = """
from fasthtml.common import Div, P
from server import rt
import helper_with_routes

@rt("/everywhere/module")
async def at_import(request):
    return P("module")

@rt
def everywhere_bare(request):
    return P("bare")

@rt("/everywhere/verb")
def post(request):
    return P("verb")

class Everywhere:
    NAME = "everywhere"

    def __init__(self, app, pipulate):
        self.app = app
        rt("/everywhere/constructor")(self.said)
        app.route("/everywhere/positional", ["POST"])(self.said)
        app("/everywhere/called")(self.said)
        app.add_route("/everywhere/added", self.said, methods=["PUT"])

    def register_routes(self, router):
        router("/everywhere/registered", methods=["GET"])(self.said)
        rt("/everywhere/registered-rt")(self.said)

    async def landing(self, request):
        self.app.get("/everywhere/late")(self.said)
        rt("/everywhere/late-rt")(self.said)
        return Div("here")

    async def said(self, request):
        return P("said by ", type(self).__name__)

    @rt("/everywhere/method")
    async def method(self, request):
        return P("method of ", type(self).__name__)
"""

HELPER = """
from fasthtml.common import P
from server import rt

@rt("/everywhere/helper")
def helped(request):
    return P("helper")
"""

STOPS = """
from collections import namedtuple
from fasthtml.common import *
from tests.integration.test_explicit_routes import CALLS

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Stops:
    APP_NAME = "stops"
    steps = [Step("step_01", "a", "One", False), Step("step_02", "b", "Two", False)]

    def __init__(self, app, pipulate, db):
        self.pip, self.db = pipulate, db
        for name in ("begin", "answers", "text", "fails", "writes", "asks", "stream", "step_01", "step_02"):
            app.route(f"/stops/{name}")(getattr(self, name))
        app.route("/stops/reverted", methods=["POST"])(self.reverted)

    async def landing(self, request):
        return Div(Div(id="stops-container"))

    async def begin(self, request):
        self.db["pipeline_id"] = request.query_params["key"]
        self.pip.initialize_if_missing(request.query_params["key"], {"app_name": "stops"})
        return Div(Div(id="x", hx_get=request.query_params["next"], hx_trigger="load"))

    def count(self, name):
        CALLS[name] += 1
        return CALLS[name]

    async def answers(self, request):
        number = self.count("answers")
        return HTMLResponse(f"<b>answer {number}</b>", headers={"HX-Trigger": "made"})

    async def text(self, request):
        return to_xml(Div("text ", self.count("text"), request.query_params.get("q", ""), hx_swap_oob="true"))

    async def fails(self, request):
        raise HTTPException(418, f"tea {self.count('fails')}")

    async def writes(self, request):
        await self.pip.set_step_data(self.db["pipeline_id"], "step_01", self.count("writes"), self.steps)
        return HTMLResponse("written")

    async def asks(self, request):
        return Form(Input(name="a"), P(self.count("asks")), hx_post="/stops/step_01_submit")

    async def stream(self, request):
        async def parts():
            yield f"data: {self.count('stream')}\\n\\n"
        return EventStream(parts())

    async def step_01(self, request):
        return Div("never")

    async def step_02(self, request):
        return Div("second ", self.count("step_02"), Form(Input(name="b"), hx_post="/stops/step_02_submit"))

    async def reverted(self, request):
        return self.pip.chain_reverter("step_01", 0, self.steps, "stops", "<oak>")
"""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "plugins").mkdir()
    helpers = folder / "plugins" / "helper_with_routes"
    helpers.mkdir()
    (helpers / "__init__.py").write_text(HELPER)
    async with explicit(folder, everywhere=EVERYWHERE, stops=STOPS) as made:
        yield made


@pytest.fixture
def browser(application: Application) -> Browser:
    CALLS.clear()
    return Browser(application)


# Where addresses are registered


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "/everywhere/module", "module"),
        ("POST", "/everywhere/module", "module"),
        ("GET", "/everywhere_bare", "bare"),
        ("POST", "/everywhere/verb", "verb"),
        ("GET", "/everywhere/helper", "helper"),
        ("GET", "/everywhere/constructor", "said by Everywhere"),
        ("POST", "/everywhere/positional", "said by Everywhere"),
        ("GET", "/everywhere/called", "said by Everywhere"),
        ("PUT", "/everywhere/added", "said by Everywhere"),
        ("GET", "/everywhere/registered", "said by Everywhere"),
        ("GET", "/everywhere/registered-rt", "said by Everywhere"),
        ("GET", "/everywhere/method", "method of Everywhere"),
    ],
)
async def test_address_is_served_wherever_it_is_registered(browser: Browser, method: str, path: str, says: str) -> None:
    answer = await browser.send(method, path, htmx=True)
    assert (answer.status, answer.text) == (200, f"<p>{says}</p>")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/everywhere/verb"), ("GET", "/everywhere/positional"), ("POST", "/everywhere/registered")],
)
async def test_address_answers_to_its_own_methods_only(browser: Browser, method: str, path: str) -> None:
    assert (await browser.send(method, path, htmx=True)).status in (404, 405)


async def test_address_that_is_registered_by_a_handler_is_served_from_then_on_and_once(
    browser: Browser, application: Application
) -> None:
    app: Any = application.site.plugins.table.by_module["everywhere"].app
    assert (await browser.get("/everywhere/late", htmx=True)).status == 404
    for _ in range(3):
        assert (await browser.get("/everywhere")).status == 200
    for name in ("late", "late-rt"):
        assert (await browser.get(f"/everywhere/{name}", htmx=True)).text == "<p>said by Everywhere</p>"
        assert [each.path for each in app.routes].count(f"/everywhere/{name}") == 1


async def test_address_of_a_file_that_was_saved_anew_is_the_new_one(browser: Browser, application: Application) -> None:
    path = application.site.plugins.folder / "everywhere.py"
    path.write_text(EVERYWHERE.replace('"module"', '"anew"').replace("/everywhere/constructor", "/everywhere/moved"))
    application.site.plugins.refresh([path])
    said = [
        await browser.get(f"/everywhere/{name}", htmx=True) for name in ("module", "moved", "constructor", "helper")
    ]
    path.write_text(EVERYWHERE)
    application.site.plugins.refresh([path])
    assert [each.status for each in said] == [200, 200, 404, 200]
    assert said[0].text == "<p>anew</p>"


# What the chain asked for and could not put in


async def shown(browser: Browser, address: str, key: str = "once", nonce: str = "n" * 20) -> dict[str, str | None]:
    """Have a step answered whose chain leads to an address; return the headers of the page's next request."""
    answer = await browser.get(f"/stops/begin?key={key}&next={address}", htmx=True, headers={"x-pipulate-nonce": nonce})
    assert answer.status == 200
    assert f'hx-get="{address}"' in answer.text
    return {"x-pipulate-run": answer.headers["x-pipulate-run"], "x-pipulate-nonce": nonce}


async def test_answer_that_stops_the_chain_is_what_the_browser_gets_then(browser: Browser) -> None:
    headers = await shown(browser, "/stops/answers")
    first = await browser.get("/stops/answers", htmx=True, headers=headers)
    second = await browser.get("/stops/answers", htmx=True, headers=headers)
    assert (first.text, first.headers["hx-trigger"]) == ("<b>answer 1</b>", "made")
    assert second.text == "<b>answer 2</b>"
    assert CALLS["answers"] == 2


async def test_text_that_stops_the_chain_is_called_once_with_its_query(browser: Browser) -> None:
    headers = await shown(browser, "/stops/text?q=deep")
    answer = await browser.get("/stops/text?q=deep", htmx=True, headers=headers)
    assert "text 1deep" in answer.text
    assert CALLS["text"] == 1
    assert "text 2other" in (await browser.get("/stops/text?q=other", htmx=True, headers=headers)).text


async def test_handler_that_fails_in_the_chain_is_called_once(browser: Browser) -> None:
    headers = await shown(browser, "/stops/fails")
    answer = await browser.get("/stops/fails", htmx=True, headers=headers)
    assert (answer.status, "tea 1" in answer.text, CALLS["fails"]) == (418, True, 1)


async def test_handler_that_writes_and_stops_the_chain_writes_once(browser: Browser, application: Application) -> None:
    headers = await shown(browser, "/stops/writes", key="written once")
    answer = await browser.get("/stops/writes", htmx=True, headers=headers)
    assert (answer.text.startswith("written"), CALLS["writes"]) == (True, 1)
    assert answer.headers["x-pipulate-version"] == "2"


async def test_stream_that_stops_the_chain_is_sent_once(browser: Browser) -> None:
    headers = await shown(browser, "/stops/stream")
    assert (await browser.get("/stops/stream", htmx=True, headers=headers)).text == "data: 1\n\n"


async def test_answer_is_not_kept_for_another_page_or_another_version(browser: Browser) -> None:
    headers = await shown(browser, "/stops/answers")
    other_page = headers | {"x-pipulate-nonce": "o" * 20}
    assert (await browser.get("/stops/answers", htmx=True, headers=other_page)).text == "<b>answer 2</b>"
    await browser.get("/stops/writes", htmx=True, headers=headers)
    assert (await browser.get("/stops/answers", htmx=True, headers=headers)).text == "<b>answer 3</b>"


async def test_address_that_nothing_answers_is_not_found_until_something_does(
    browser: Browser, application: Application
) -> None:
    headers = await shown(browser, "/stops/nowhere")
    assert (await browser.get("/stops/nowhere", htmx=True, headers=headers)).status == 404
    await shown(browser, "/stops/nowhere")
    app: Any = application.site.plugins.table.by_module["stops"].app
    app.registered.get("/stops/nowhere")(app.instance.answers)
    assert (await browser.get("/stops/nowhere", htmx=True, headers=headers)).text == "<b>answer 1</b>"


async def test_answer_of_a_form_is_put_in_and_asked_for_no_more(browser: Browser) -> None:
    answer = await browser.get("/stops/begin?key=asked&next=/stops/asks", htmx=True)
    assert "<p>1</p>" in answer.text
    assert 'hx-get="/stops' not in answer.text
    assert CALLS["asks"] == 1


async def test_next_step_of_a_chain_reverter_comes_with_its_answer(browser: Browser) -> None:
    headers = await shown(browser, "/stops/asks2", key="reverted")
    answer = await browser.post("/stops/reverted", htmx=True, headers=headers)
    assert answer.status == 200
    assert "One: &lt;oak&gt;" in answer.text
    assert "second 1" in answer.text
    assert "hx-get" not in answer.text
    assert answer.headers["hx-trigger-after-settle"] == '{"scrollToLeftPanelBottom": true}'
    assert f'data-pip-seen="{answer.headers["x-pipulate-version"]}"' in answer.text


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_kept_answers_are_handed_out_once_and_not_for_long() -> None:
    clock = _Clock()
    kept = KeptAnswers(clock)
    kept.keep("a", None)
    kept.keep("b", 1)
    assert kept.take("a") == (None,)
    assert kept.take("a") is None
    clock.now = LASTS_S
    assert kept.take("b") is None
    assert not kept


def test_kept_answers_are_few() -> None:
    kept = KeptAnswers(_Clock())
    for number in range(500):
        kept.keep(number, number)
    assert kept.take(0) is None
    assert kept.take(499) == (499,)
    assert len(kept._held) < 51


def test_kept_answers_that_are_too_old_make_room(tmp_path: Path) -> None:
    clock = _Clock()
    kept = KeptAnswers(clock)
    kept.keep("old", 1)
    clock.now = LASTS_S
    kept.keep("new", 2)
    assert len(kept._held) == 1


async def test_modules_of_the_old_host_are_those_of_the_newest_program(tmp_path: Path) -> None:
    for folder in (tmp_path / "old", tmp_path / "new"):
        folder.mkdir()
    async with running(tmp_path / "old") as old, running(tmp_path / "new") as new:
        assert old.site.explicit is not None
        assert new.site.explicit is not None
        assert importlib.import_module("server").pipulate is new.site.explicit.host().pip
