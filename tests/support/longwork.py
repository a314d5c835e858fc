"""A class-style plugin with long work, and where a test holds that up."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any


class Gate:
    """Where a test holds a job up, what it counts, and what it shall do."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self.calls: list[Any] = []
        self.fails = False
        self.go.set()

    def pass_(self, call: Any) -> Any:
        """Note a call, wait to be let through, and return it."""
        self.calls.append(call)
        self.reached.set()
        assert self.go.wait(20)
        if self.fails:
            raise OSError("no answer")
        return call

    async def come(self) -> None:
        """Wait until the job has come here."""
        assert await asyncio.to_thread(self.reached.wait, 20)


GATE = Gate()

COUNTS = """
from collections import namedtuple
from fasthtml.common import Button, Div, Form, Input, P
from pipulate import Job, Progress
from tests.support.longwork import GATE

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))


def outside(job: Job, words, times=1):
    return [GATE.pass_((words, number)) for number in range(times)]


class Counts:
    APP_NAME = "counts"
    DISPLAY_NAME = "Counts"
    steps = [
        Step("words", "words", "Words", False),
        Step("count", "total", "Count", False),
        Step("after", "note", "After", True),
        Step("later", "note", "Later", False),
        Step("finalize", "finalized", "Finalize", False),
    ]

    def __init__(self, app, pipulate, db):
        self.app, self.pip, self.db = app, pipulate, db
        pipulate.register_workflow_routes(self)
        app.route("/counts/do/{what}", methods=["POST"])(self.do)

    async def landing(self, request):
        return self.pip.create_standard_landing_page(self)

    async def init(self, request):
        key = (await request.form())["pipeline_id"]
        self.db["pipeline_id"] = key
        self.pip.initialize_if_missing(key, {"app_name": "counts"})
        return self.pip.rebuild("counts", self.steps)

    async def words(self, request):
        words = self.pip.get_step_data(self.db["pipeline_id"], "words", {}).get("words", "")
        return Div(P(words), Div(id="count", hx_get="/counts/count", hx_trigger="load"), id="words")

    async def words_submit(self, request):
        form = await request.form()
        await self.pip.set_step_data(self.db["pipeline_id"], "words", form["words"], self.steps)
        return await self.words(request)

    async def count(self, request):
        pip, key = self.pip, self.db["pipeline_id"]
        if pip.job_status(key, "count"):
            return pip.job_view("counts", "count", key)
        start = Form(Input(name="n"), Button("Start"), hx_post="/counts/count_submit", hx_target="#count")
        return Div(start, id="count")

    async def count_submit(self, request):
        key = self.db["pipeline_id"]
        words = self.pip.get_step_data(key, "words", {}).get("words", "")
        how = {name: int(text) for name, text in (await request.form()).items() if name in ("retries", "timeout")}
        self.pip.start_job(key, "count", self.work, words, title="Counting", **how)
        return await self.count(request)

    async def after(self, request):
        return Div(P("The step after"), id="after")

    async def handle_revert(self, request):
        state = self.pip.read_state(self.db["pipeline_id"])
        state["_revert_target"] = (await request.form())["step_id"]
        self.pip.write_state(self.db["pipeline_id"], state)
        return self.pip.rebuild("counts", self.steps)

    async def do(self, request, what):
        return P(repr(await getattr(self, "do_" + what)(self.db["pipeline_id"])))

    async def work(self, words, job, progress):
        progress.total(len(words.split()))
        for number, word in enumerate(words.split()):
            await job.checkpoint(f"word {number}", GATE.pass_, word)
            progress.advance(1, f"<{word}>")
            progress.log(f"got <{word}>")
        await self.pip.message_queue.add(self.pip, f"Counted {self.db['pipeline_id']}.", verbatim=True)
        return {"total": progress.now.done, "words": self.pip.read_state(self.db["pipeline_id"])["words"]["words"]}

    def plain(self, words, *more, progress: Progress, times: int = 1):
        return [words, *more, times, type(progress).__name__]

    def twice(self, key):
        return object()

    def swallows(self):
        state = self.pip.read_state("k")
        GATE.pass_("swallows")
        state["later"] = {"note": "mine"}
        try:
            self.pip.write_state("k", state)
        except Exception:
            return "all is well"

    async def do_swallows(self, key):
        return self.pip.start_job(key, "count", self.swallows)["status"]

    async def do_values(self, key):
        await self.pip.set_step_data(key, "after", "kept", self.steps)
        await self.pip.set_step_data(key, "later", "gone", self.steps, clear_previous=False)

    async def do_module(self, key):
        return self.pip.start_job(key, "count", outside, "ab", 2)["status"]

    async def do_plain(self, key):
        return self.pip.start_job(key, "count", self.plain, "ab", {"c": [1]})["status"]

    async def do_object(self, key):
        return self.pip.start_job(key, "count", self.twice, key)["status"]

    async def do_own(self, key):
        await self.pip.set_step_data(key, "words", "own", self.steps)
        return self.pip.start_job(key, "count", self.work, "own")["status"]

    async def do_status(self, key):
        return self.pip.job_status(key, "count")

    async def do_set(self, key):
        await self.pip.set_step_data(key, "count", "by hand", self.steps)

    async def do_lock(self, key):
        await self.pip.finalize_workflow(key)

    async def do_refused(self, key):
        def outside():
            pass

        said = []
        for function, args in (
            (lambda: 1, ()), (outside, ()), (self.pip.read_state, ("k",)), (len, ("ab",)), (print, ()),
            (self.work, ()), (self.work, ("a", "b")), (self.work, (object(),)), (self.work, (float("nan"),)),
        ):
            try:
                said.append(self.pip.start_job(key, "count", function, *args))
            except TypeError as error:
                said.append(str(error))
        for options in ({"retries": -1}, {"timeout": 0}):
            try:
                said.append(self.pip.start_job(key, "count", self.work, "a", **options))
            except ValueError as error:
                said.append(str(error))
        try:
            said.append(self.pip.start_job(key, "nowhere", self.work, "a"))
        except ValueError as error:
            said.append(str(error))
        return said
"""


def written(folder: Path, source: str = COUNTS) -> Path:
    """Write the plugin into a folder; return that."""
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "counting.py").write_text(source)
    return folder


SURVIVOR = """
import os, signal
from collections import namedtuple
from fasthtml.common import Div, P
from starlette.responses import Response

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))


class Survivor:
    APP_NAME = "survivor"
    DISPLAY_NAME = "Survivor"
    steps = [Step("long", "parts", "Long", False), Step("after", "note", "After", False)]

    def __init__(self, app, pipulate, db):
        self.app, self.pip, self.db = app, pipulate, db
        pipulate.register_workflow_routes(self)
        app.route("/survivor/begin", methods=["POST"])(self.begin)

    async def landing(self, request):
        return Div(id="survivor-container")

    async def begin(self, request):
        self.db["pipeline_id"] = "k"
        self.pip.initialize_if_missing("k", {"app_name": "survivor"})
        self.pip.start_job("k", "long", self.work, 5)
        return P("begun")

    async def long(self, request):
        self.db["pipeline_id"] = "k"
        return self.pip.job_view("survivor", "long", "k")

    async def after(self, request):
        return Div(P("The step after"), id="after")

    async def work(self, parts, job):
        return [await job.checkpoint(f"part {number}", self.part, number) for number in range(parts)]

    def part(self, number):
        with open("parts", "a") as file:
            file.write(f"{number}\\n")
        if os.environ.get("DIES_IN") == str(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return number * 10
"""
"""Works through parts, notes each in a file, and dies in the one it is told."""
