"""Class-style plugins that behave badly: they sleep, raise, swallow, quit, answer nonsense; others must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from pipulate.app import Application
from pipulate.errors import StoreFullError
from pipulate.storage.files import FileStore
from tests.support.explicit import ASLEEP, AWAKE, BENCH, LATER, SHAPES, Desk, explicit, held
from tests.support.flows import until
from tests.support.site import Browser

pytestmark = pytest.mark.anyio

FAULTY = """
import asyncio, sys
from fasthtml.common import *
from fasthtml.core import HttpHeader
from starlette.responses import FileResponse
from tests.support.explicit import ASLEEP, AWAKE

class Faulty:
    APP_NAME = "faulty"
    steps = []

    def __init__(self, app, pipulate):
        app.route("/faulty/plain")(self.plain)
        app.route("/faulty/quits/{how}")(self.quits)
        app.route("/faulty/{name}")(self.answers)

    async def landing(self, request):
        return P("Faulty, but here")

    def plain(self, request):
        ASLEEP.set()
        return P("woken" if AWAKE.wait(10) else "overslept: everything waited for this")

    async def quits(self, request, how):
        if how == "in-task":
            async def quit():
                sys.exit(3)
            asyncio.get_running_loop().create_task(quit())
            return P("gone")
        if how == "stops-loop":
            asyncio.get_running_loop().stop()
            return P("stopped")
        raise {"exit": SystemExit(3), "key": KeyboardInterrupt(), "cancel": asyncio.CancelledError(),
               "stop": StopIteration(1), "deep": RecursionError()}[how]

    async def answers(self, request, name):
        async def breaks():
            yield b"half"
            raise ValueError("the secret is 1234")
        made = {
            "none": lambda: None,
            "number": lambda: 7,
            "false": lambda: False,
            "list": lambda: ["<b>", P("<i>")],
            "generator": lambda: (P(each) for each in range(2)),
            "exception": lambda: ValueError("<b>"),
            "kind": lambda: ValueError,
            "bytes": lambda: b"<b>",
            "set": lambda: {"<b>"},
            "status": lambda: ("<b>", 500),
            "dict": lambda: {"a": "<b>"},
            "headers": lambda: (P("p"), HttpHeader("X-Own", "a"), HtmxResponseHeaders(trigger="t", redirect="/z")),
            "broken-header": lambda: (P("p"), HttpHeader("X-Own", "a\\r\\nSet-Cookie: b=c"), HttpHeader("X Own", "d")),
            "cookie-header": lambda: (P("p"), HttpHeader("Set-Cookie", "b=c"), HttpHeader("Content-Length", "900")),
            "response": lambda: Response("<b>", 418, {"X-Own": "a\\r\\nSet-Cookie: b=c"}),
            "no-status": lambda: Response("x", 999),
            "no-json": lambda: {"a": object()},
            "no-file": lambda: FileResponse("/not/there"),
            "file": lambda: FileResponse(__file__, headers={"Set-Cookie": "b=c"}),
            "breaks": lambda: StreamingResponse(breaks(), media_type="text/plain"),
        }
        return made[name]()
"""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("faults")
    async with explicit(folder, bench=BENCH, later=LATER, shapes=SHAPES, faulty=FAULTY) as made:
        yield made


@pytest.fixture
async def desk(application: Application) -> AsyncIterator[Desk]:
    made = Desk(application)
    yield made
    assert await made.problems() == []


_numbers = iter(range(1, 10_000))


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return f"fault {next(_numbers)}"


@pytest.fixture
def asleep() -> Any:
    """Let the handlers that sleep begin anew, and wake whoever still sleeps at the end."""
    for gate in (ASLEEP, AWAKE):
        gate.clear()
    with held(AWAKE):
        yield


async def begun() -> None:
    """Wait until a handler sleeps."""
    assert await asyncio.to_thread(ASLEEP.wait, 20), "it never began"


async def sleeps(application: Application, path: str) -> None:
    """Ask for something that sleeps until it is woken; fail where nobody could wake it meanwhile."""
    assert "woken" in (await Browser(application).get(path)).text


# Sleeping


async def test_handler_that_blocks_holds_up_no_other_app_and_no_page_of_ours(
    application: Application, asleep: None
) -> None:
    other = Browser(application, "tab-2")
    async with anyio.create_task_group() as group:
        group.start_soon(sleeps, application, "/shapes/sleep")
        await begun()
        assert (await other.get("/-/plugins")).status == 200
        assert (await other.get("/")).status == 200
        run, address = await other.start("hello")
        assert (await other.get(address)).status == 200
        assert (await other.submit(run, "name", await other.version(address), name="Ann")).status == 200
        AWAKE.set()


async def test_other_class_style_apps_wait_for_a_handler_that_blocks_and_lose_nothing(
    desk: Desk, application: Application, asleep: None, key: str
) -> None:
    await desk.begin(key)
    answers: list[Any] = []

    async def another(plugin: Any, _: Any) -> Any:
        return await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)

    async def ask() -> None:
        answers.append(await desk.do(another, key))

    async with anyio.create_task_group() as group:
        group.start_soon(sleeps, application, "/shapes/sleep")
        await begun()
        group.start_soon(ask)
        assert (await Browser(application).get("/-/plugins")).status == 200
        assert answers == []
        AWAKE.set()
    assert answers[0].answer.status == 200
    assert await desk.state(key) == {"first": {"wood": "oak"}}


async def test_log_names_the_line_of_a_handler_that_blocks_once(application: Application, asleep: None) -> None:
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeps, application, "/shapes/sleep")
            await until(lambda: any(each["event"] == "plugin.holds_up" for each in logs))
            with anyio.move_on_after(0.8):  # Three times as long as it takes to be told.
                await anyio.sleep_forever()
            AWAKE.set()
        assert (await Browser(application).get("/shapes/nothing", htmx=True)).status == 200
    told = [each for each in logs if each["event"] == "plugin.holds_up"]
    assert len(told) == 1
    assert told[0]["plugin"] == "plugins.shapes"
    assert told[0]["file"].endswith("shapes.py")
    assert "AWAKE.wait" in told[0]["stack"]


async def test_plain_function_that_blocks_holds_up_nobody(application: Application, asleep: None) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(sleeps, application, "/faulty/plain")
        await begun()
        assert "Faulty, but here" in (await Browser(application).get("/faulty")).text
        assert (await Browser(application).get("/shapes/nothing", htmx=True)).status == 200
        AWAKE.set()


async def test_handler_that_waits_properly_is_not_in_the_log(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        await anyio.to_thread.run_sync(go.wait, 20)

    go = threading.Event()
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            with held(go):
                group.start_soon(desk.do, job)
                with anyio.move_on_after(0.8):
                    await anyio.sleep_forever()
    assert [each for each in logs if each["event"] == "plugin.holds_up"] == []


# Raising and quitting


async def test_what_was_stored_before_a_handler_raised_stays_and_is_not_stored_twice(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.message_queue.add(plugin.pip, "half way", verbatim=True)
        await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)
        raise ValueError("the secret is 1234")

    answer = (await desk.do(job, key, submit="form-raised")).answer
    assert answer.status == 500
    assert "1234" not in answer.text + str(answer.headers)
    assert await desk.state(key) == {"first": {"wood": "oak"}}
    again = (await desk.do(job, key, submit="form-raised")).answer
    assert (again.status, await desk.told(key)) == (200, ["submitted first"])
    await until_said(desk, key, "half way")


async def until_said(desk: Desk, key: str, text: str) -> None:
    """Wait until a message of a plugin is stored, which is after the answer."""
    with anyio.fail_after(20):
        while text not in await desk.said(key):
            await anyio.lowlevel.checkpoint()


async def test_nothing_is_stored_where_a_handler_raises_first_and_the_form_can_be_sent_again(
    desk: Desk, key: str
) -> None:
    await desk.begin(key)
    fails = [True]

    async def job(plugin: Any, _: Any) -> Any:
        if fails.pop():
            raise ValueError("not yet")
        return await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)

    fails.insert(0, False)
    assert (await desk.do(job, key, submit="form-first")).answer.status == 500
    assert await desk.state(key) == {}
    assert (await desk.do(job, key, submit="form-first")).answer.status == 200
    assert await desk.state(key) == {"first": {"wood": "oak"}}


@pytest.mark.parametrize("how", ["exit", "key", "cancel", "stop", "deep"])
async def test_handler_that_quits_ends_itself_alone(application: Application, how: str) -> None:
    with capture_logs() as logs:
        answer = await Browser(application).get(f"/faulty/quits/{how}", htmx=True)
    assert answer.status == 500
    assert "x-pipulate-notice" in answer.headers
    events = [each["event"] for each in logs if each["event"] != "plugin.holds_up"]  # A busy machine is slow to answer.
    assert events == ["request.crashed"]


@pytest.mark.parametrize("how", ["in-task", "stops-loop"])
async def test_plugin_cannot_end_the_loop_of_the_others(application: Application, how: str) -> None:
    assert (await Browser(application).get(f"/faulty/quits/{how}", htmx=True)).status == 200
    with anyio.fail_after(20):
        for _ in range(3):
            assert (await Browser(application).get("/shapes/nothing", htmx=True)).status == 200


# Swallowing


def swallowing(work: Any) -> Any:
    """Return a job that does something, lets no exception out, and says that all went well."""

    async def job(plugin: Any, request: Any) -> Any:
        with contextlib.suppress(BaseException):
            await work(plugin)
        return "all is well"

    return job


async def test_person_is_told_of_a_lock_that_a_handler_swallowed(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak"}, finalize={"finalized": True})

    async def lock(plugin: Any, _: Any) -> Any:
        await plugin.pip.finalize_workflow(key)

    await desk.returned(lock)

    async def work(plugin: Any) -> None:
        await plugin.pip.set_step_data(key, "first", "elm", plugin.steps)

    answer = (await desk.do(swallowing(work), key)).answer
    assert answer.status == 409
    assert "This run is locked" in answer.text
    assert (await desk.state(key))["first"] == {"wood": "oak"}


async def test_person_is_told_of_a_run_that_is_gone_and_of_a_handler_that_swallowed_it(desk: Desk, key: str) -> None:
    async def work(plugin: Any) -> None:
        plugin.db["pipeline_id"] = key
        plugin.pip.write_state(key, {"first": {"wood": "oak"}})

    assert (await desk.do(swallowing(work))).answer.status == 404

    async def begins(plugin: Any) -> None:
        try:
            await work(plugin)
        except Exception:  # noqa: BLE001 - as plugins do
            plugin.pip.initialize_if_missing(key, {"app_name": "bench"})

    assert (await desk.do(swallowing(begins))).answer.status == 200
    assert await desk.state(key) == {}


async def test_person_is_told_of_a_full_disk_that_a_handler_swallowed(
    desk: Desk, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(key)

    def full(*_: Any) -> Any:
        raise StoreFullError

    async def work(plugin: Any) -> None:
        await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)

    with monkeypatch.context() as patched:
        patched.setattr(FileStore, "store", full)
        assert (await desk.do(swallowing(work), key)).answer.status == 507
    assert (await desk.do(swallowing(work), key)).answer.status == 200


# Answering


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none", ""), ("number", "7"), ("false", "False"), ("list", "&lt;b&gt;<p>&lt;i&gt;</p>"),
        ("generator", "<p>0</p><p>1</p>"), ("exception", "&lt;b&gt;"), ("kind", "&lt;class"), ("bytes", "&lt;b&gt;"),
        ("set", "&lt;b&gt;"), ("status", "&lt;b&gt;500"), ("dict", '{"a":"<b>"}'),
    ],
)  # fmt: skip
async def test_whatever_a_handler_returns_is_an_answer(application: Application, name: str, text: str) -> None:
    answer = await Browser(application).get(f"/faulty/{name}", htmx=True)
    assert answer.status == 200
    assert text in answer.text
    assert ("<b>" in answer.text) == (answer.headers["content-type"] == "application/json")
    whole = await Browser(application).get(f"/faulty/{name}")
    assert whole.status == 200
    assert text in whole.text


async def test_headers_beside_elements_are_headers(application: Application) -> None:
    for htmx in (True, False):
        answer = await Browser(application).get("/faulty/headers", htmx=htmx)
        assert "HttpHeader" not in answer.text
        own = [answer.headers[name] for name in ("x-own", "hx-trigger", "hx-redirect")]
        assert own == ["a", "t", "/z"]
    assert (await Browser(application).get("/faulty/headers", htmx=True)).text == "<p>p</p>"


@pytest.mark.parametrize("name", ["broken-header", "cookie-header", "response", "file"])
async def test_headers_of_a_plugin_add_no_others(application: Application, name: str) -> None:
    answer = await Browser(application).get(f"/faulty/{name}", htmx=True)
    assert "set-cookie" not in answer.headers
    assert not any("\r" in text or "\n" in text or " " in each for each, text in answer.every_header)
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("name", ["no-status", "no-json", "no-file"])
async def test_response_that_cannot_be_sent_is_a_mistake_with_an_id(application: Application, name: str) -> None:
    assert (await Browser(application).get(f"/faulty/{name}", htmx=True)).status == 500


async def test_stream_is_passed_on_and_one_that_breaks_is_never_taken_for_whole(application: Application) -> None:
    answer = await Browser(application).get("/shapes/stream", headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    with capture_logs() as logs, pytest.raises(RuntimeError, match="ended with an error"):
        await Browser(application).get("/faulty/breaks")
    assert [each["event"] for each in logs] == ["plugin.stream_failed"]
