"""The pages about class-style plugins do what they say: their plugin runs, is moved, and leaves nothing out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.explicit import chain, messages, mistakes
from pipulate.explicit.book import MOST_KEYS
from pipulate.explicit.modules import old_host
from pipulate.explicit.pip import Pipulate
from pipulate.explicit.routes import Routes
from pipulate.web.libraries import OLD_PATHS
from pipulate.web.routes import OLD_HOST
from tests.docs.pages import PAGES, ROOT, blocks, name_of, prose
from tests.docs.test_blocks import RULES
from tests.support.explicit import Tab
from tests.support.site import HOST, Answer, Browser, running

pytestmark = pytest.mark.anyio

WRITE = ROOT / "docs" / "how-to" / "write-a-class-style-plugin.md"
MOVE = ROOT / "docs" / "how-to" / "from-class-style-to-declarative.md"
BRING = ROOT / "docs" / "how-to" / "bring-an-existing-plugin.md"
REFERENCE = ROOT / "docs" / "reference" / "class-style.md"
KEY = "Default_Profile-Packing_list-rome"
ADDRESS = f"/packing/{KEY}"


class Traveller(Tab):
    """A tab at the packing list."""

    def __init__(self, application: Application) -> None:
        super().__init__(application, "packing_list")

    async def walked(self) -> str:
        """Begin a run and answer both steps; return its id."""
        await self.post("init", pipeline_id="rome")
        await self.post("step_01_submit", days="5")
        answer = await self.post("step_02_submit", things="hat\nmap")
        assert answer.status == 200
        return self.headers["x-pipulate-run"]


@asynccontextmanager
async def at_work(folder: Path, **plugins: str) -> AsyncIterator[Application]:
    """Run the application with these files alone: name without ending -> source."""
    (folder / "plugins").mkdir(exist_ok=True)
    for old in (folder / "plugins").glob("*.py"):
        old.unlink()
    for name, source in plugins.items():
        (folder / "plugins" / f"{name}.py").write_text(source)
    async with running(folder) as application:
        yield application


def class_style() -> dict[str, str]:
    """Return the file of the class-style page, by its name."""
    (source,) = blocks(WRITE, "py")
    return {"020_packing": source}


def declarative() -> dict[str, str]:
    """Return the file that the page about moving ends with, by the same name."""
    return {"020_packing": "\n\n".join(blocks(MOVE, "python"))}


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Traveller]:
    async with at_work(tmp_path, **class_style()) as application:
        yield Traveller(application)


# The plugin that is written


async def test_plugin_loads_without_findings(tab: Traveller) -> None:
    plugin = tab.browser.application.site.plugins.table.by_module["packing"]
    assert (plugin.state, plugin.findings) == ("loaded", ())


async def test_plugin_offers_the_next_free_key(tab: Traveller) -> None:
    page = await tab.browser.get("/packing")
    assert 'value="Default_Profile-Packing_list-01"' in page.text
    assert (await tab.post("init", pipeline_id="")).headers["hx-refresh"] == "true"


async def test_plugin_refuses_what_is_no_number_and_stores_nothing(tab: Traveller) -> None:
    await tab.post("init", pipeline_id="rome")
    for typed in ("", "99", "two"):
        answer = await tab.post("step_01_submit", days=typed)
        assert "Give a whole number" in answer.text or "cannot be empty" in answer.text
        assert answer.headers["x-pipulate-version"] == "1"


async def test_plugin_suggests_a_list_in_the_same_answer(tab: Traveller) -> None:
    await tab.post("init", pipeline_id="rome")
    answer = await tab.post("step_01_submit", days="5")
    assert "5 shirts\n5 pairs of socks\n2 pairs of trousers</textarea>" in answer.text


async def test_plugin_asks_again_for_what_it_shall_not_refill(tab: Traveller) -> None:
    await tab.walked()
    first = await tab.post("revert", step_id="step_01")
    assert 'name="days" value="5"' in first.text
    assert "hat" not in first.text
    again = await tab.post("step_01_submit", days="3")
    assert "3 shirts" in again.text


async def test_plugin_locks_the_run_in_the_store(tab: Traveller) -> None:
    run = await tab.walked()
    assert "This list is locked." in (await tab.post("finalize")).text
    assert (await tab.post("step_01_submit", days="6")).status == 409
    assert "🔒 Days: 5" in (await tab.browser.get(ADDRESS)).text
    assert "Lock it?" in (await tab.post("unfinalize")).text
    assert run == tab.headers["x-pipulate-run"]


async def test_plugin_refuses_to_lock_a_list_that_is_not_written_or_to_go_back_to_no_step(tab: Traveller) -> None:
    await tab.post("init", pipeline_id="rome")
    for path, form in (("finalize", {}), ("revert", {"step_id": "step_9"}), ("revert", {})):
        answer = await tab.post(path, **form)
        assert 'name="days"' in answer.text
        assert answer.headers["x-pipulate-version"] == "1"


async def test_plugin_says_what_it_did_in_the_conversation_of_the_run(tab: Traveller) -> None:
    await tab.walked()
    page = await tab.browser.get(ADDRESS)
    assert "The trip takes 5 days." in page.text


def test_plugin_makes_none_of_the_common_mistakes() -> None:
    (source,) = class_style().values()
    assert mistakes.find(source, "packing.py") == ()
    assert [each.code for each in mistakes.find(source.replace(', hx_trigger="load"', ""), "packing.py")] == [
        "E001"
    ] * 2


def test_plugin_has_no_lint_but_annotations() -> None:
    rules = RULES.replace(",ANN", "")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", rules, "--line-length", "120", "-"]
    done = subprocess.run(command, input=class_style()["020_packing"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_blocks_that_need_the_host_are_run_here() -> None:
    found = {name_of(page) for page in PAGES if blocks(page, "py")}
    found.remove("docs/reference/gallery.md")  # Made of apps in the box, which have tests of their own.
    # The second and third: test_long_work.py, test_crud_style.py.
    others = ("long-work-in-a-class-style-plugin", "write-a-crud-app-as-a-class")
    own_tests = {name_of(WRITE), *(f"docs/how-to/{each}.md" for each in others)}
    assert found == own_tests, "`py` marks what only runs here"


# The same, moved


@pytest.mark.parametrize("is_locked", [False, True])
async def test_moved_app_shows_the_runs_of_the_class_style_one(tmp_path: Path, is_locked: bool) -> None:
    async with at_work(tmp_path, **class_style()) as application:
        tab = Traveller(application)
        run = await tab.walked()
        if is_locked:
            await tab.post("finalize")
    async with at_work(tmp_path, **declarative()) as application:
        browser = Browser(application)
        assert application.site.plugins.table.by_module["packing"].findings == ()
        page = await browser.get(ADDRESS)
        assert "<pre>hat\nmap</pre>" in page.text
        assert "The trip takes 5 days." in page.text
        assert ("Locked by" in page.text) == is_locked
        assert await browser.run_id(ADDRESS) == run


async def test_moved_app_goes_on_where_a_class_style_run_stopped(tmp_path: Path) -> None:
    async with at_work(tmp_path, **class_style()) as application:
        tab = Traveller(application)
        await tab.post("init", pipeline_id="rome")
        await tab.post("step_01_submit", days="5")
    async with at_work(tmp_path, **declarative()) as application:
        assert "5 shirts\n5 pairs of socks\n2 pairs of trousers" in (await Browser(application).get(ADDRESS)).text


async def test_moved_app_asks_anew_what_the_class_style_one_stored(tmp_path: Path) -> None:
    async with at_work(tmp_path, **class_style()) as application:
        run = await Traveller(application).walked()
    async with at_work(tmp_path, **declarative()) as application:
        browser = Browser(application)
        first = await browser.post(f"/-/runs/{run}/steps/step_01/revert", {"_seen": 3}, htmx=True)
        assert re.search(r'<input type="number" value="" [^>]*name="days"', first.text)
        second = await browser.submit(run, "step_01", 4, days="3")
        assert "3 shirts" in second.text


async def test_moved_app_begins_runs_of_its_own(tmp_path: Path) -> None:
    async with at_work(tmp_path, **declarative()) as application:
        browser = Browser(application)
        run, address = await browser.start("packing")
        assert address == "/packing/01"
        assert (await browser.submit(run, "step_01", 1, days="61")).status == 422
        await browser.submit(run, "step_01", 1, days="5")
        await browser.submit(run, "step_02", 2, things="hat")
        assert "<pre>hat</pre>" in (await browser.get(address)).text


def test_moved_app_has_a_quarter_of_the_lines() -> None:
    assert "in a quarter of the lines" in prose(WRITE)
    old, new = (
        len([line for line in each["020_packing"].splitlines() if line]) for each in (class_style(), declarative())
    )
    assert new * 4 <= old


def test_page_about_moving_quotes_the_plugin_as_it_is() -> None:
    (source,) = class_style().values()
    quoted = re.findall(r"`(Step\([^`]+)`", prose(MOVE))
    assert quoted
    assert [each for each in quoted if each not in source] == []


# What can be wrong with one that is brought


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("import fastlite\nfastlite.database('x.db').q('select 1')", "NotImplementedError"),
        ("import fastlite\nfastlite.database('x.db').t.Tasks.create(id=int)", "ConditionError"),
        ("class A:\n    NAME, landing = 'a', None\n    def __init__(self, mail): ...", "TypeError: __init__ asks for"),
        ("class A:\n    NAME, landing = 'a', None\n    def __init__(self, app): app.ws('/a')", "AttributeError"),
    ],
)
async def test_list_says_what_the_page_about_bringing_explains(tmp_path: Path, source: str, says: str) -> None:
    assert f"| `{says}" in BRING.read_text()
    async with at_work(tmp_path, brought=source) as application:
        (finding,) = application.site.plugins.table.by_module["brought"].findings
        assert finding.code == "P001"
        assert finding.message.startswith(says)


# The reference


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the rows of the tables below a heading of the reference, as their cells."""
    section = re.split(r"^#+ ", REFERENCE.read_text(), flags=re.MULTILINE)
    (text,) = (each for each in section if each.partition("\n")[0] == heading)
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def codes(text: str) -> list[str]:
    """Return what stands as code in a text."""
    return re.findall(r"`([^`]+)`", text)


def written(name: str, member: Any) -> str:
    """Return a member of `pip` as the reference writes it."""
    if not callable(member):
        return name
    signature = inspect.signature(member)
    named = [each.replace(annotation=each.empty) for each in list(signature.parameters.values())[1:]]
    text = str(signature.replace(parameters=named, return_annotation=signature.empty))
    text = re.sub(r"functools\.partial\(.*?'h4'\)", "H4", text)
    return f"{'async ' if inspect.iscoroutinefunction(member) else ''}{name}{text}"


@pytest.fixture
async def pip(tab: Traveller) -> Any:
    explicit = tab.browser.application.site.explicit
    assert explicit is not None
    return explicit.host().pip


def members(pip: Any) -> set[str]:
    """Return every public member of `pip` as the reference writes it."""
    on_class = {name: member for name, member in inspect.getmembers(Pipulate) if not name.startswith("_")}
    on_itself = {name for name in vars(pip) if not name.startswith("_")}
    return {written(name, member) for name, member in on_class.items()} | on_itself


async def test_reference_has_every_member_of_pip_and_no_other(pip: Any) -> None:
    documented = {
        code
        for heading in ("State", "Long work", "Keys", "Looks", "Messages")
        for first, *_ in rows(heading)
        if first != "Member of `pip`"
        for code in codes(first)
    }
    assert documented == members(pip)


async def test_reference_has_every_parameter_that_is_handed_in(tab: Traveller) -> None:
    explicit = tab.browser.application.site.explicit
    assert explicit is not None
    documented = {code for first, *_ in rows("Construction") for code in codes(first)}
    assert {"app", *explicit.host().handed_in()} <= documented


async def test_reference_has_every_module_of_the_old_host_with_its_names(tab: Traveller) -> None:
    explicit = tab.browser.application.site.explicit
    assert explicit is not None
    modules = old_host(explicit.host)
    documented = {name: codes(" ".join(rest)) for first, *rest in rows("Modules") for name in codes(first)}
    assert set(documented) == {*modules, "fasthtml.common"}
    for name in ("imports.crud", "crud", "config", "fastlite"):
        assert set(documented[name]) - {"False"} == set(modules[name]())
    for name in ("server", "common"):
        made = modules[name]()
        more = {each for each in ("profiles", "roles", "tasks", "pipeline") if made["__getattr__"](each) is not None}
        assert {*documented[name], *documented["imports.crud"]} - {"False"} == {*made, *more} - {"__getattr__"}
        with pytest.raises(AttributeError):
            made["__getattr__"]("customers")


async def test_reference_has_the_usual_addresses(tab: Traveller) -> None:
    plugin = tab.browser.application.site.plugins.table.by_module["packing"]
    assert plugin.app is not None
    routes: Any = plugin.app
    registered = {(route.path, ", ".join(sorted(route.methods)), route.handler.__name__) for route in routes.routes}
    listed = set()
    for address, methods, handler in list(rows("Addresses of a plugin"))[1:]:
        for step in ("step_01", "step_02"):
            path, name = (codes(each)[0].replace("{step}", step) for each in (address, handler))
            listed.add((path.replace("{APP_NAME}", "packing_list"), methods, name))
    assert listed == registered


def test_reference_has_every_way_to_register_an_address() -> None:
    ways = [name for name, member in vars(Routes).items() if callable(member) and not name.startswith("_")]
    assert [name for name in ways if f"`app.{name}" not in REFERENCE.read_text()] == []


def test_reference_has_every_address_of_the_old_host() -> None:
    addresses = [re.sub(r":[a-z]+", "", each.path) for each in OLD_HOST]
    assert [each for each in addresses if f"`{each}`" not in REFERENCE.read_text()] == []


async def test_addresses_that_the_reference_calls_not_served_are_not(tab: Traveller) -> None:
    firsts = " ".join(first for first, *_ in rows("What is not served"))
    addresses = [code for code in codes(firsts) if code.startswith("/")]
    addresses.remove("/open-folder")  # The one that is named there as what is served.
    for address in addresses:
        assert (await tab.browser.get(address)).status == 404
        assert (await tab.browser.post(address)).status == 404


def test_reference_has_every_event_the_script_listens_for() -> None:
    source = (ROOT / "assets" / "src" / "explicit-events.ts").read_text()
    listed = [codes(first)[0] for first, *_ in list(rows("What a page may do")) if first.startswith("`")]
    assert [name for name in re.findall(r'when\("(\w+)"', source) if name not in listed] == []


def test_reference_has_every_header_that_pages_and_server_speak_of() -> None:
    sources = [*(ROOT / "assets" / "src").glob("explicit-*.ts"), ROOT / "src" / "pipulate" / "web" / "explicit.py"]
    spoken = {
        each.lower() for path in sources for each in re.findall(r'"(x-pipulate-\w+)"', path.read_text(), re.IGNORECASE)
    }
    listed = {code.lower() for first, *_ in rows("Headers") for code in codes(first)}
    assert spoken
    assert spoken - listed == set()


def test_reference_names_only_classes_that_the_style_sheet_knows() -> None:
    (words,) = re.findall(r"The style sheet knows.*?\n\n", REFERENCE.read_text(), re.DOTALL)
    sheet = (ROOT / "assets" / "src" / "explicit.css").read_text() + (ROOT / "assets" / "src" / "frame.css").read_text()
    assert len(codes(words)) > 5
    assert [each for each in codes(words) if f".{each}" not in sheet] == []


def test_reference_has_the_limits_of_the_code() -> None:
    text = REFERENCE.read_text()
    limits = inspect.signature(chain.resolve).parameters
    assert f"No more than {limits['steps'].default} are called" in " ".join(text.split())
    assert f"after {limits['seconds'].default * 1000:g} milliseconds" in " ".join(text.split())
    assert f"at most {messages.LONGEST:,} characters" in " ".join(text.split())
    assert text.count(f"at most {MOST_KEYS}") >= 2


async def test_page_of_a_plugin_may_bring_looks_and_no_code(tab: Traveller) -> None:
    def policy(answer: Answer) -> dict[str, str]:
        parts = (each.strip().partition(" ") for each in answer.headers["content-security-policy"].split(";"))
        own = "|".join(re.escape(f" {HOST}{path}") for path in sorted(OLD_PATHS, reverse=True))
        return {name: re.sub(rf"(?<=nonce-)[^']+|{own}", "", value) for name, _, value in parts}

    ours, theirs = policy(await tab.browser.get("/")), policy(await tab.browser.get("/packing"))
    differing = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    assert {name.removesuffix("-attr") for name in differing} == {"style-src"}
    assert "unsafe" not in theirs["script-src"]


SHAPES = """
from fasthtml.common import Div, HTTPException, NotStr, P, Script
from starlette.responses import JSONResponse

class Shapes:
    NAME = "shapes"

    def __init__(self, app):
        for name in ("element", "text", "markup", "nothing", "response", "mapping", "raises", "asks"):
            app.route(f"/shapes/{name}")(getattr(self, name))

    async def landing(self, anything):
        return Div("here")

    async def element(self, req):
        return P("<b>", onclick="f()"), Script("f()"), "and <i>"

    async def text(self):
        return "<b>bold</b>"

    async def markup(self):
        return Div(NotStr("<b>bold</b><script>f()</script>"))

    async def nothing(self):
        return None

    async def response(self):
        return JSONResponse({"a": 1}, headers={"set-cookie": "a=b"})

    async def mapping(self):
        return {"a": "<b>"}

    async def raises(self):
        raise HTTPException(418, "tea")

    def asks(self, number: int):
        return P(number)
"""


async def test_handlers_answer_as_the_reference_says(tmp_path: Path) -> None:
    async with at_work(tmp_path, shapes=SHAPES) as application:
        browser = Browser(application)
        said = {
            name: await browser.get(f"/shapes/{name}", htmx=True, headers={"x-pipulate-nonce": "n" * 20})
            for name in (
                "element",
                "text",
                "markup",
                "nothing",
                "response",
                "mapping",
                "raises",
                "asks",
                "asks?number=3",
            )
        }
        assert "here" in (await browser.get("/shapes")).text
        assert (await browser.get("/shapes/text", headers={"sec-fetch-site": "cross-site"})).status == 403
    assert "<p data-pip-on=" in said["element"].text
    assert f'<script nonce="{"n" * 20}">f()</script>and &lt;i&gt;' in said["element"].text
    assert said["text"].text == "<b>bold</b>"
    assert said["markup"].text == "<div><b>bold</b><script>f()</script></div>"
    assert (said["nothing"].status, said["nothing"].text) == (200, "")
    assert said["response"].text == '{"a":1}'
    assert "set-cookie" not in said["response"].headers
    assert said["mapping"].text == '{"a":"<b>"}'
    assert [said[name].status for name in ("raises", "asks", "asks?number=3")] == [418, 400, 200]


LATE = """
import threading
from fasthtml.common import P
from server import rt

class Late:
    NAME = "late"

    def __init__(self, app):
        self.app = app

    def register_routes(self, app):
        app.get("/late/in-time")(self.said)
        rt("/late/elsewhere")(self.said)

    async def landing(self, request):
        self.app.get("/late/late")(self.said)
        thread = threading.Thread(target=lambda: rt("/late/thread")(self.said))
        thread.start()
        thread.join()

    async def said(self):
        return P("said")
"""


async def test_addresses_count_wherever_they_are_registered_but_in_a_thread(tmp_path: Path) -> None:
    async with at_work(tmp_path, late=LATE) as application:
        browser = Browser(application)
        assert (await browser.get("/late")).status == 200
        names = ("in-time", "elsewhere", "late", "thread")
        found = {name: (await browser.get(f"/late/{name}")).status for name in names}
    assert found == {"in-time": 200, "elsewhere": 200, "late": 200, "thread": 404}


NAMES = """
class Names:
    app_name, NAME, DISPLAY_NAME, display_name = {app_name!r}, "second", {shown!r}, "small"

    async def landing(self, request): ...
"""


@pytest.mark.parametrize(
    ("app_name", "stored", "shown", "title"), [("first", "first", "Large", "Large"), (None, "second", "", "small")]
)
async def test_names_are_found_in_the_order_the_reference_has(
    tmp_path: Path, app_name: Any, stored: str, shown: str, title: str
) -> None:
    async with at_work(tmp_path, some_names=NAMES.format(app_name=app_name, shown=shown)) as application:
        app = application.site.plugins.table.by_module["some_names"].app
    assert app is not None
    assert (app.name, app.title) == (stored, title)
