"""What is measured, a function a row. Everything that is compared is measured in turns, so that noise meets both."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jinja2
import websockets.sync.client
from playwright.sync_api import sync_playwright
from websockets.typing import Origin

from benchmarks import assistant, jobs, large_file, records
from benchmarks.client import Client, ask_async, request, run_of, version_of
from benchmarks.data import EVENTS, FEW_RUNS, LONG_FROM, NOTES, ORDER, RUNS, SHORT_FROM
from benchmarks.servers import Process, floor, product
from benchmarks.table import Row
from pipulate.ui.html import table, table_rows

TABS = 3


@contextmanager
def tabs(server: Process, run: str) -> Iterator[None]:
    """Keep three pages open on a run, each with its socket, read as they come."""
    opened = [
        websockets.sync.client.connect(
            f"ws://127.0.0.1:{server.port}/-/live?run={run}&after=0&version=0&tab=t{number}",
            additional_headers={"Cookie": server.cookie}, origin=Origin(f"http://127.0.0.1:{server.port}"),
        )
        for number in range(TABS)
    ]  # fmt: skip

    def read(socket: Any) -> None:
        try:
            while True:
                socket.recv()
        except websockets.exceptions.ConnectionClosed:
            return

    readers = [threading.Thread(target=read, args=(each,), daemon=True) for each in opened]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        for each in opened:
            each.close()


class Walker:
    """Answers the forty questions of a run that three pages show, then starts another one."""

    def __init__(self, server: Process) -> None:
        self._server, self._client = server, server.client()
        self._number = 0
        self._open = ExitStack()
        self._begin()

    def _begin(self) -> None:
        self.close()
        self._run, _, self._version = self._client.start("many")
        self._open.enter_context(tabs(self._server, self._run))
        self._step = 0

    def close(self) -> None:
        """Close the pages that are open on its run."""
        self._open.close()

    def submit(self) -> float:
        """Answer the next question; return how long the answer took, in seconds."""
        if self._step == 40:
            self._begin()
        self._number += 1
        form = {"_seen": self._version, "_submit": f"bench-{os.getpid()}-{self._number:08d}", "answer": "an answer"}
        path = f"/-/runs/{self._run}/steps/question_{self._step:02d}"
        began = time.perf_counter()
        head, _ = self._client.ask("POST", path, form)
        took = time.perf_counter() - began
        assert b" 200 " in head[:20], head
        self._version, self._step = version_of(head), self._step + 1
        return took


def in_turns(measured: dict[str, Callable[[], float]], *, rounds: int, each: int) -> dict[str, float]:
    """Return the median of each in seconds, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            times[name] += [measure() for _ in range(each)]
    return {name: statistics.median(values) for name, values in times.items()}


_FORMS = itertools.count(1)


def floor_asker(client: Client, path: str) -> Callable[[], float]:
    """Return what asks the floor once and times it; each form has an id of its own, whoever asks."""

    def ask() -> float:
        form = {"_seen": 1, "_submit": f"bench-{next(_FORMS):08d}", "answer": "an answer"}
        began = time.perf_counter()
        head, _ = client.ask("POST", path, form)
        assert b" 200 " in head[:20], head
        return time.perf_counter() - began

    return ask


def submit_one(server: Process, bare: Process) -> Row:
    """Time a submit against the floor, one client."""
    walker, theirs = Walker(server), bare.client()
    found = in_turns(
        {"ours": walker.submit, "floor": floor_asker(theirs, "/thread"), "loop": floor_asker(theirs, "/loop")},
        rounds=60, each=15,
    )  # fmt: skip
    walker.close()
    ratio = found["ours"] / found["floor"]
    how = ", ".join(f"{name} {value * 1e6:,.0f} us" for name, value in found.items())
    return Row(
        "submit, one client", f"{ratio:.2f} x the floor", "<= 1.5 x", ratio <= 1.5, f"{how}; {TABS} tabs on the run"
    )


def class_style(server: Process, bare: Process) -> Row:
    """Time the first answer of the class-style Hello, its messages included, against the floor."""
    ours, theirs, number = server.client(), bare.client(), [0]
    state: dict[str, str] = {}

    def submit() -> float:
        if number[0] % 20 == 0:
            head, _ = ours.ask("POST", "/hello/init", {"pipeline_id": f"bench-{os.getpid()}-{number[0]:06d}"})
            assert b" 200 " in head[:20], head
            state.update({"x-pipulate-run": run_of(head), "x-pipulate-seen": str(version_of(head))})
        number[0] += 1
        began = time.perf_counter()
        head, _ = ours.ask(
            "POST", "/hello/step_01_submit", {"name": f"somebody {number[0]}"},
            state | {"x-pipulate-submit": f"bench-{os.getpid()}-{number[0]:08d}"},
        )  # fmt: skip
        took = time.perf_counter() - began
        assert b" 200 " in head[:20], head
        state["x-pipulate-seen"] = str(version_of(head))
        return took

    found = in_turns({"ours": submit, "floor": floor_asker(theirs, "/thread")}, rounds=40, each=15)
    ratio = found["ours"] / found["floor"]
    how = ", ".join(f"{name} {value * 1e6:,.0f} us" for name, value in found.items())
    return Row("submit, class-style Hello", f"{ratio:.2f} x the floor", "<= 4 x", ratio <= 4, how)


def class_style_many(server: Process) -> tuple[Row, Row]:
    """Send ten thousand answers to the class-style Hello from ten clients: how even they are, and what they leave."""
    times: list[float] = []

    async def one(number: int, each: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        state: dict[str, str] = {}
        for turn in range(each):
            if turn % 50 == 0:
                form: dict[str, object] = {"pipeline_id": f"many-{os.getpid()}-{number}-{turn}"}
                head, _ = await ask_async(
                    reader, writer, request("POST", server.port, "/hello/init", form, server.cookie)
                )
                state = {"x-pipulate-run": run_of(head), "x-pipulate-seen": str(version_of(head))}
            sent = state | {"x-pipulate-submit": f"many-{number}-{turn:08d}"}
            began = time.perf_counter()
            question = request("POST", server.port, "/hello/step_01_submit", {"name": f"{turn}"}, server.cookie, sent)
            head, _ = await ask_async(reader, writer, question)
            times.append(time.perf_counter() - began)
            state["x-pipulate-seen"] = str(version_of(head))
        writer.close()

    async def all_of(each: int) -> None:
        await asyncio.gather(*(one(number, each) for number in range(10)))

    asyncio.run(all_of(100))
    before = server.rss_mb()
    times.clear()
    asyncio.run(all_of(1_000))
    middle, latest = statistics.median(times), max(times)
    grown = server.rss_mb() - before
    how = f"median {middle * 1e3:.1f} ms, latest {latest * 1e3:.1f} ms of {len(times):,}"
    return (
        Row(
            "class-style Hello, ten clients",
            f"latest {latest / middle:.1f} x median",
            "<= 10 x",
            latest <= 10 * middle,
            how,
        ),
        Row("memory, 10,000 class-style", f"{grown:+.0f} MB", "<= 20 MB", grown <= 20, f"{before:.0f} MB before"),
    )


def submit_ten(server: Process, bare: Process) -> Row:
    """Compare the throughput of ten clients with the floor's."""

    async def ours(stop_at: float, counts: list[int]) -> None:
        client = server.client()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        run, version, step = "", 0, 40
        while time.perf_counter() < stop_at:
            if step == 40:
                (run, _, version), step = client.start("many"), 0
            form: dict[str, object] = {"_seen": version, "_submit": f"ten-{run[-6:]}-{step:04d}", "answer": "an answer"}
            path = f"/-/runs/{run}/steps/question_{step:02d}"
            head, _ = await ask_async(reader, writer, request("POST", server.port, path, form, server.cookie))
            version, step = version_of(head), step + 1
            counts[0] += 1
        writer.close()
        client.close()

    async def theirs(stop_at: float, counts: list[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", bare.port)
        me = id(writer)
        while time.perf_counter() < stop_at:
            form: dict[str, object] = {
                "_seen": 1,
                "_submit": f"ten-{me}-{time.perf_counter_ns()}",
                "answer": "an answer",
            }
            await ask_async(reader, writer, request("POST", bare.port, "/thread", form, ""))
            counts[0] += 1
        writer.close()

    async def rate(kind: Callable[[float, list[int]], Any], seconds: float) -> float:
        counts, began = [0], time.perf_counter()
        await asyncio.gather(*(kind(began + seconds, counts) for _ in range(10)))
        return counts[0] / (time.perf_counter() - began)

    rates: dict[str, list[float]] = {"ours": [], "floor": []}
    for _ in range(6):
        rates["ours"].append(asyncio.run(rate(ours, 1.5)))
        rates["floor"].append(asyncio.run(rate(theirs, 1.5)))
    found = {name: statistics.median(values) for name, values in rates.items()}
    ratio = found["ours"] / found["floor"]
    how = ", ".join(f"{name} {value:,.0f}/s" for name, value in found.items())
    return Row("submit, ten clients", f"{ratio:.2f} x its throughput", ">= 0.7 x", ratio >= 0.7, how)


def submit_long(server: Process) -> Row:
    """Compare a submit after 1,000 finished steps with one after ten."""
    client = server.client()

    def walker(key: str, position: int) -> Callable[[], float]:
        run, version = client.run_at(f"/long/{key}")
        at = [version, position]

        def submit() -> float:
            form: dict[str, object] = {"_seen": at[0], "_submit": f"long-{key}-{at[1]:06d}", "answer": "an answer"}
            began = time.perf_counter()
            head, _ = client.ask("POST", f"/-/runs/{run}/steps/{ORDER[at[1]]}", form)
            took = time.perf_counter() - began
            assert b" 200 " in head[:20], head
            at[:] = version_of(head), at[1] + 1
            return took

        return submit

    found = in_turns({"long": walker("long", LONG_FROM), "short": walker("short", SHORT_FROM)}, rounds=30, each=12)
    ratio = found["long"] / found["short"]
    long, short = found["long"] * 1e6, found["short"] * 1e6
    how = f"{long:,.0f} us after {LONG_FROM:,} steps and {EVENTS:,} events, {short:,.0f} us after {SHORT_FROM}"
    return Row("submit after 1,000 steps", f"{ratio:.2f} x after 10", "<= 1.2 x", ratio <= 1.2, how)


def landing(server: Process) -> Row:
    """Compare the page of an app with 10,000 runs with one with 100."""
    client = server.client()

    def get(app: str) -> float:
        began = time.perf_counter()
        head, _ = client.ask("GET", f"/{app}")
        assert b" 200 " in head[:20], head
        return time.perf_counter() - began

    found = in_turns({"many": lambda: get("many"), "few": lambda: get("few")}, rounds=30, each=5)
    ratio = found["many"] / found["few"]
    how = f"{found['many'] * 1e3:.1f} ms with {RUNS:,} runs, {found['few'] * 1e3:.1f} ms with {FEW_RUNS}"
    return Row("landing page, 10,000 runs", f"{ratio:.2f} x with 100", "<= 1.5 x", ratio <= 1.5, how)


def start(folder: Path, empty: Path) -> tuple[Row, Row]:
    """Measure what a start costs until the first page is served, with the apps in the box, and the memory then."""
    cpu, rss = [], []
    for _ in range(5):
        with product(folder, plugins=empty) as server:
            cpu.append(server.cpu_s())
            time.sleep(1.0)
            rss.append(server.rss_mb())
    seconds, memory = min(cpu), max(rss)
    return (
        Row(
            "start to first page",
            f"{seconds:.2f} s CPU",
            "<= 1.0 s",
            seconds <= 1.0,
            f"best of {len(cpu)}, {RUNS:,} runs in the store",
        ),
        Row("idle memory", f"{memory:.0f} MB", "<= 100 MB", memory <= 100, "resident, after the first page"),
    )


def browser(server: Process, chromium: str, flags: tuple[str, ...]) -> tuple[Row, Row]:
    """Count what a browser fetches: for the first page with a cold cache, and to resume a finished run."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=list(flags))
        context = found.new_context()
        name, _, value = server.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{server.port}"}])
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        seen: list[tuple[str, float]] = []
        addresses: dict[str, str] = {}
        session.on(
            "Network.requestWillBeSent", lambda event: addresses.update({event["requestId"]: event["request"]["url"]})
        )
        session.on("Network.webSocketCreated", lambda event: seen.append((event["url"], 0)))
        session.on(
            "Network.loadingFinished",
            lambda event: seen.append((addresses.get(event["requestId"], ""), event["encodedDataLength"])),
        )
        page.goto(f"http://127.0.0.1:{server.port}/many", wait_until="networkidle")
        cold = [each for each in seen if not each[0].startswith("data:")]
        seen.clear()
        page.goto(f"http://127.0.0.1:{server.port}/ten/done", wait_until="networkidle")
        after = [address for address, _ in seen if not re.search("/ten/done|/-/static/|^data:", address)]
        found.close()
    size = sum(length for _, length in cold) / 1000
    others = [address for address, _ in cold if not re.match(rf"(http|ws)://127\.0\.0\.1:{server.port}/", address)]
    good = len(cold) <= 8 and size <= 120 and not others
    return (
        Row(
            "first page, cold cache", f"{len(cold)} requests, {size:.0f} kB, {len(others)} other hosts",
            "<= 8, <= 120 kB, 0", good, f"an app with {RUNS:,} runs; the socket counts",
        ),
        Row(
            "resume of a finished 10-step run", f"{len(after)} requests after the page", "<= 1", len(after) <= 1,
            f"{', '.join(re.sub(r'[?].*', '', address) for address in after) or 'none'}; {NOTES} messages",
        ),
    )  # fmt: skip


def big_table() -> Row:
    """Compare a table of 500 rows with Jinja2's for the same markup."""
    rows = [(number, f"name {number}", f"a < b & {number}", number * 1.5) for number in range(500)]
    template = jinja2.Environment(autoescape=True).from_string(
        "<table>{% for row in rows %}<tr><td>{{ row[0] }}</td><td>{{ row[1] }}</td><td>{{ row[2] }}</td>"
        '<td class="number">{{ row[3] }}</td></tr>{% endfor %}</table>'
    )

    def timed(draw: Callable[[], str]) -> float:
        began = time.perf_counter()
        draw()
        return time.perf_counter() - began

    def ours() -> str:
        return table(table_rows(rows, ("", "", "", "number")))

    def theirs() -> str:
        return template.render(rows=rows)

    assert ours() == theirs()
    found = in_turns({"ours": lambda: timed(ours), "jinja": lambda: timed(theirs)}, rounds=40, each=5)
    ratio = found["ours"] / found["jinja"]
    how = f"{found['ours'] * 1e3:.2f} ms, Jinja2 {found['jinja'] * 1e3:.2f} ms"
    return Row("table of 500 rows", f"{ratio:.2f} x Jinja2", "<= 1.5 x", ratio <= 1.5, how)


def saved(server: Process, folder: Path) -> Row:
    """Time how long after a plugin file is saved the page shows it, and count requests that failed meanwhile."""
    client, path = server.client(), folder / "plugins" / "050_saved.py"
    source, times, failed = path.read_text(), [], 0
    for number in range(1, 16):
        path.write_text(source.replace("Version 0", f"Version {number}"))
        began = time.perf_counter()
        while True:
            head, body = client.ask("GET", "/-/search?find=Version")
            failed += b" 200 " not in head[:20]
            if f"Version {number}<".encode() in body:
                break
        times.append(time.perf_counter() - began)
    median = statistics.median(times)
    how = f"median of {len(times)}, worst {max(times) * 1e3:.0f} ms"
    return Row(
        "plugin saved to new answer", f"{median * 1e3:.0f} ms, {failed} failed", "<= 100 ms, 0",
        median <= 0.1 and not failed, how,
    )  # fmt: skip


def progress(server: Process) -> Row:
    """Compare the page of an app while a job says how far it is a thousand times a second with when none does."""
    client, other, times = server.client(), server.client(), dict[str, list[float]](busy=[], idle=[])

    def get() -> float:
        began = time.perf_counter()
        head, _ = other.ask("GET", "/few")
        assert b" 200 " in head[:20], head
        return time.perf_counter() - began

    def pages(seconds: float) -> list[float]:
        ends, found = time.perf_counter() + seconds, list[float]()
        while time.perf_counter() < ends:
            found.append(get())
            time.sleep(0.005)
        return found

    for number in range(5):
        run, address, version = client.start("busy")
        with tabs(server, run):
            form: dict[str, object] = {"_seen": version, "_submit": f"busy-{os.getpid()}-{number:04d}", "updates": 2500}
            client.ask("POST", f"/-/runs/{run}/steps/work", form)
            if number:  # The first one starts the engine.
                times["busy"] += pages(2.0)
            while client.run_at(address)[1] < version + 2:
                time.sleep(0.1)
            if number:
                times["idle"] += pages(2.0)
    busy, idle = (statistics.median(times[name]) * 1e3 for name in ("busy", "idle"))
    how = f"another client's pages: {busy:.2f} ms with, {idle:.2f} ms without; {TABS} tabs on the run of the job"
    return Row("1,000 progress updates/s", f"{busy / idle:.2f} x without", "<= 1.5 x", busy <= 1.5 * idle, how)


def everything(folder: Path, chromium: str, flags: tuple[str, ...], only: str = "") -> Iterator[Row]:
    """Yield all rows of the table, or those with `only` in their name."""
    empty = folder / "no-plugins"
    empty.mkdir()
    if not only or only in "start memory":
        yield from start(folder, empty)
    if not only or only in "table":
        yield big_table()
    if only and only in "large_file":  # 2 GB take their time, so only where it is asked for.
        yield from (Row(what, figure, "<= 1.2 x", kept, how) for what, figure, kept, how in large_file.peaks(folder))
    if not only or only in "jobs":
        yield from jobs.everything(folder)
    if not only or only in "records":
        yield from records.everything(folder / "records")
    if not only or only in "assistant":
        yield from assistant.everything(folder / "assistant")
    if only and (only in "start memory table jobs records assistant" or only in "large_file"):
        return
    with product(folder) as server, floor(folder) as bare:
        measured: dict[str, Callable[[], Row | tuple[Row, ...]]] = {
            "one": lambda: submit_one(server, bare),
            "class": lambda: class_style(server, bare),
            "class many": lambda: class_style_many(server),
            "ten": lambda: submit_ten(server, bare),
            "long": lambda: submit_long(server),
            "landing": lambda: landing(server),
            "browser": lambda: browser(server, chromium, flags),
            "saved": lambda: saved(server, folder),
            "job progress": lambda: progress(server),
        }
        for name, measure in measured.items():
            if only and only not in name:
                continue
            result = measure()
            yield from result if isinstance(result, tuple) else (result,)


def as_json(rows: list[Row]) -> str:
    """Return the table for programs."""
    return json.dumps([vars(row) for row in rows], indent=1)
