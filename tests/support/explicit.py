"""Class-style plugins for tests: one that does what the test hands in, and one for each shape of what they do."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.storage import lookups, messages
from pipulate.storage.check import check_runs
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event, fold
from pipulate.storage.ledger import RunRow, events, state_of
from tests.support.plugins import cleaned
from tests.support.site import Answer, Browser, running

Job = Callable[[Any, Any], Awaitable[Any]]
JOBS: dict[str, Job] = {}
"""What the bench does: name -> a coroutine function that is given the plugin and the request."""

ASLEEP, AWAKE = threading.Event(), threading.Event()
"""Set once the handler that sleeps has begun; what it waits for, on the thread of all class-style handlers."""

BENCH = """
from collections import namedtuple
from fasthtml.common import Div
from tests.support.explicit import JOBS

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Bench:
    APP_NAME = "bench"
    DISPLAY_NAME = "Work Bench"
    ENDPOINT_MESSAGE = "Does what it is told."
    steps = [
        Step("first", "wood", "First piece", False),
        Step("second", "nail", "Second piece", True),
        Step("third", "glue", "Third piece", False),
        Step("finalize", "finalized", "Finalize", False),
    ]

    def __init__(self, app, pipulate, pipeline, db, app_name=APP_NAME):
        self.pip, self.table, self.db = pipulate, pipeline, db
        app.route("/bench/do/{job}", methods=["GET", "POST"])(self.do)
        for step in self.steps:
            app.route(f"/bench/{step.id}", methods=["GET"])(self.cell)

    async def landing(self, request):
        return Div("A bench", Div(id="bench-container"))

    async def cell(self, request):
        return Div("A cell")

    async def do(self, request, job):
        return await JOBS[job](self, request)
"""
"""Own `Step`, as plugins of the first generation have it; its one handler does a job of the test's."""

LATER = """
from imports.crud import Step
from fasthtml.common import *
from starlette.responses import Response

class Later:
    APP_NAME = "later"
    DISPLAY_NAME = "Later Bench"

    def __init__(self, app, pipulate, pipeline, db, config):
        self.app, self.pip, self.config = app, pipulate, config
        self.steps = [Step("step_word", "word", "Word", False), Step("finalize", "finalized", "", False)]
        pipulate.register_workflow_routes(self)

    async def landing(self, request=None):
        return self.pip.create_standard_landing_page(self)

    async def init(self, request):
        pip, form = self.pip, await request.form()
        if not form.get("pipeline_id"):
            return Response("", headers={"HX-Refresh": "true"})
        key, _, _ = pip.generate_pipeline_key(self, form["pipeline_id"])
        pip.db["pipeline_id"] = key
        state, problem = pip.initialize_if_missing(key, {"app_name": self.APP_NAME})
        return problem or pip.run_all_cells(self.APP_NAME, self.steps)

    async def step_word(self, request):
        key = self.pip.db["pipeline_id"]
        word = self.pip.get_step_data(key, "step_word", {}).get("word", "")
        form = Form(Input(name="word"), hx_post="/later/step_word_submit", hx_target="#step_word")
        return Div(Card(H3("Word: ", word), form), id="step_word")

    async def step_word_submit(self, request):
        form = await request.form()
        await self.pip.set_step_data(self.pip.db["pipeline_id"], "step_word", form["word"], self.steps)
        return await self.step_word(request)
"""
"""`Step` from the old host's module and its routes by one call, as plugins of the second generation have it."""

SHAPES = """
import asyncio, json, time
from fasthtml.common import *
from starlette.responses import JSONResponse, PlainTextResponse

class Shapes:
    APP_NAME = NAME = "shapes"
    steps = []

    def __init__(self, app, pipulate):
        self.pip = pipulate
        for name in ("element", "several", "text", "answer", "nothing", "mapping", "stream", "fails", "cast", "named",
                     "upload", "script", "raw", "says", "background"):
            app.route(f"/shapes/{name}")(getattr(self, name))
        app.route("/shapes/plain")(plain)
        app.route("/shapes/part/{number:int}")(self.part)
        app.route("/shapes/sleep", methods=["GET"])(self.sleep)

    async def landing(self, render_items=None):
        return Div("Shapes")

    async def element(self, request):
        return P("an element ", request.query_params.get("q"), id=request.query_params.get("q"))

    async def several(self, req):
        return Div("one"), [Div("two")], "and <three>"

    async def text(self):
        return "<b>text</b>"

    async def answer(self, request):
        return PlainTextResponse("own", 418, {"HX-Trigger": '{"done": {}}', "set-cookie": "a=b"})

    async def nothing(self, request):
        return None

    async def mapping(self, request):
        return {"a": [1, "<b>"]}

    async def stream(self, request):
        async def lines():
            for number in range(3):
                yield f"data: {number}\\n\\n"
        return EventStream(lines())

    async def fails(self, request):
        raise ValueError("the secret is 1234")

    async def cast(self, number: int, part: float = 0.5, really: bool = False, name: str = "none"):
        return P(json.dumps([number, part, really, name]))

    async def named(self, auth=None, session=None, user: str = "nobody"):
        return P(repr((auth, session, user)))

    async def part(self, number: int):
        return P(repr(number))

    async def upload(self, request):
        form = await request.form()
        return JSONResponse([[file.filename, len(await file.read())] for file in form.getlist("files")])

    async def script(self, request):
        return Div(Script("console.log(1)"), Button("b", onclick="f()"))

    async def raw(self, request):
        return Div(NotStr("<script>f()</script>"))

    async def says(self, request):
        for number in range(int(request.query_params.get("count", 1))):
            await self.pip.message_queue.add(self.pip, f"word {number}", verbatim=True, spaces_before=0)
        return P("said")

    async def background(self, request):
        async def later():
            await self.pip.message_queue.add(self.pip, "from a task", verbatim=True)
        asyncio.get_running_loop().create_task(later())
        return P("going on")

    async def sleep(self, request):
        from tests.support.explicit import AWAKE, ASLEEP
        ASLEEP.set()
        return P("woken" if AWAKE.wait(10) else "overslept: everything waited for this")

def plain(request):
    return P("a plain function")
"""
"""A handler for each shape of what handlers take and return."""

DIARY = """
import itertools, os, signal
from collections import namedtuple

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Diary:
    APP_NAME = "diary"
    DISPLAY_NAME = "Diary"
    steps = [Step("one", "a", "One", False), Step("two", "b", "Two", True), Step("three", "c", "Three", False)]

    def __init__(self, app, pipulate, db):
        self.pip, self.db = pipulate, db
        app.route("/diary/write", methods=["POST"])(self.write)

    async def landing(self, request):
        return "<div id='diary-container'></div>"

    async def write(self, request):
        self.db["pipeline_id"] = "diary"
        self.pip.initialize_if_missing("diary", {"app_name": "diary"})
        mark = os.open("marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        first, last, dies_after = (int(os.environ.get(name, 10 ** 9)) for name in ("FIRST", "LAST", "DIES_AFTER"))
        for number in range(first, last + 1):
            for call in range(9):
                if (number - first) * 9 + call == dies_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                await self.call(call, number)
                os.write(mark, b".")

    async def call(self, call, number):
        pip, steps, key = self.pip, self.steps, "diary"
        if call == 0:
            await pip.unfinalize_workflow(key)
        elif call == 1:
            state = pip.read_state(key)
            state.update(count=number, four={"d": number}, five={"e": number})
            pip.write_state(key, state)
        elif call < 5:
            step = steps[call - 2]
            await pip.set_step_data(key, step.id, [number] * (30_000 if call == 3 else 3), steps)
        elif call == 5:
            await pip.set_temp_data(key, "half", number)
        elif call == 6:
            await pip.clear_steps_from(key, "one", steps)
        elif call == 7:
            state = pip.read_state(key)
            state["_revert_target"] = "one"
            pip.write_state(key, state)
        else:
            await pip.finalize_workflow(key, {"six": number})
"""
"""Writes, each call followed by a mark in a file, and dies after as many as it is told."""

DIARY_CALLS = 9


def diary_after(state: dict[str, Any], first: int, calls: int) -> dict[str, Any]:
    """Return the state of the diary after so many calls on a state, the first of them with the number `first`."""
    for each in range(calls):
        state = _diary_call(state, first + each // DIARY_CALLS, each % DIARY_CALLS)
    return state


def _diary_call(state: dict[str, Any], number: int, call: int) -> dict[str, Any]:
    """Return the state after one call; what it is kept beside stands under `half`."""
    given: dict[str, Any] = {}
    gone: set[str] = set()
    match call:
        case 0:
            gone = {"finalize"}
        case 1:
            given = {"count": number, "four": {"d": number}, "five": {"e": number}}
        case 2 | 3 | 4:
            step, done = (("one", "a"), ("two", "b"), ("three", "c"))[call - 2]
            given = {step: {done: [number] * (30_000 if call == 3 else 3)}}
            gone = {"_revert_target", *({"three"} if call < 4 else ())}  # Step two is refilled, so it stays.
        case 5:
            given = {"half": number}
        case 6:
            gone = {"three"}
        case 7:
            given = {"_revert_target": "one"}
        case 8:
            given = {"six": number, "finalize": {"finalized": True}}
    return {name: value for name, value in state.items() if name not in gone} | given


@dataclass(frozen=True)
class Done:
    """What a job came to: the answer, what it returned, what it raised."""

    answer: Answer
    value: Any
    error: BaseException | None


class Desk:
    """Hands jobs to the bench as a tab of a browser does, and looks into the store."""

    def __init__(self, application: Application, tab: str = "tab-1") -> None:
        self.application, self.browser = application, Browser(application, tab)

    async def do(
        self, job: Job, key: str = "", *, seen: int | None = None, submit: str = "", method: str = "POST",
        htmx: bool = True, headers: dict[str, str | None] | None = None,
    ) -> Done:  # fmt: skip
        """Have a job done on the run of a key; a job whose value is no answer answers with its text."""
        came: list[Any] = [None, None]

        async def noted(plugin: Any, request: Any) -> Any:
            try:
                came[0] = await job(plugin, request)
            except BaseException as error:
                came[1] = error
                raise
            return came[0] if hasattr(came[0], "tag") else "done"

        name = f"job-{id(noted)}"
        JOBS[name] = noted
        sent: dict[str, str | None] = {}
        if key:
            sent["x-pipulate-run"] = (await self.row(key)).id
        if seen is not None:
            sent["x-pipulate-seen"] = str(seen)
        if submit:
            sent["x-pipulate-submit"] = submit
        try:
            answer = await self.browser.send(
                method, f"/bench/do/{name}", htmx=htmx, headers={**sent, **(headers or {})}
            )
        finally:
            del JOBS[name]
        return Done(answer, *came)

    async def returned(self, job: Job, key: str = "", **more: Any) -> Any:
        """Have a job done that must succeed; return what it returned."""
        done = await self.do(job, key, **more)
        assert done.error is None, done.error
        assert done.answer.status == 200, done.answer.text
        return done.value

    async def begin(self, key: str, **values: Any) -> str:
        """Begin a run with some values; return its key."""

        async def job(plugin: Any, _: Any) -> Any:
            plugin.db["pipeline_id"] = key
            return plugin.pip.initialize_if_missing(key, {"app_name": "bench", **values})[1]

        assert await self.returned(job) is None
        return key

    async def state(self, key: str) -> dict[str, Any]:
        """Return the state of a run as a plugin sees it, without its moments."""

        async def job(plugin: Any, _: Any) -> Any:
            return dict(plugin.pip.read_state(key))

        found = await self.returned(job)
        return {name: value for name, value in found.items() if name not in ("created", "updated")}

    async def row(self, key: str, app: str = "bench") -> RunRow:
        """Return the row of a run."""
        return await self.application.site.db.read(lookups.by_key, app, key, OWNER)

    async def journal(self, key: str, app: str = "bench") -> list[Event]:
        """Return the events of a run."""
        return await self.application.site.db.read(events, (await self.row(key, app)).id)

    async def told(self, key: str) -> list[str]:
        """Return what happened in a run: kind and step of each event after the first."""
        return [f"{event.kind} {event.step or ''}".strip() for event in await self.journal(key)][1:]

    async def said(self, key: str = "", app: str = "bench") -> list[str]:
        """Return what plugins said in the conversation of a run, or in that beside an app; the oldest first."""
        conversation = (await self.row(key, app)).id if key else messages.of_app(OWNER, app)
        found = await self.application.site.db.read(messages.after, conversation, 0)
        return [each.text for each in found if each.role in ("system", "assistant", "user")]

    async def problems(self) -> list[str]:
        """Return what the check of the store finds, and runs that are not what their journal adds up to."""
        files = FileStore(self.application.layout.files)

        def look(tx: Transaction) -> list[str]:
            found = list(check_runs(tx, files))
            return found + [
                f"{row.key} is not what its journal adds up to"
                for row in lookups.listed(tx, OWNER, limit=500).runs
                if fold(events(tx, row.id)).steps != state_of(tx, row).steps
            ]

        return await self.application.site.db.read(look)


class Tab:
    """A tab at a class-style app: it names its run with every request, as the script of the page does.

    Attributes:
        browser: What it sends with.
        headers: The run that it names.
    """

    def __init__(self, application: Application, app: str) -> None:
        self.browser, self.headers, self._app = Browser(application), dict[str, str](), app

    async def get(self, path: str) -> Answer:
        """Ask for a part of the page."""
        return await self.browser.get(f"/{self._app}/{path}", htmx=True, headers=self.headers)

    async def post(self, path: str, **form: str) -> Answer:
        """Send a form, and go over to the run that the answer names."""
        answer = await self.browser.post(f"/{self._app}/{path}", form, htmx=True, headers=self.headers)
        if "x-pipulate-run" in answer.headers:
            self.headers = {"x-pipulate-run": answer.headers["x-pipulate-run"]}
        return answer


@asynccontextmanager
async def explicit(
    folder: Path, *, settings: Mapping[str, Any] | None = None, **plugins: str
) -> AsyncIterator[Application]:
    """Run the application with class-style plugins: module -> source."""
    with cleaned(folder):
        (folder / "plugins").mkdir(exist_ok=True)
        for module, source in plugins.items():
            (folder / "plugins" / f"{module}.py").write_text(source)
        async with running(folder, **(settings or {})) as application:
            table = application.site.plugins.table
            for module in plugins:
                assert table.by_module[module].app is not None, table.by_module[module].findings
            yield application


@contextmanager
def held(gate: Any) -> Iterator[None]:
    """Let go of whoever waits at a gate, whatever happens."""
    try:
        yield
    finally:
        gate.set()
