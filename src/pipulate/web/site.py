"""What every page and action works with: the parts of the application, and one request's view of them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipulate._clock import Clock
from pipulate._version import __version__
from pipulate.actions.world import World
from pipulate.chat.assistant import Assistant
from pipulate.chat.scene import only_profile
from pipulate.crud import roles
from pipulate.crud.engine import Records
from pipulate.crud.long import Long
from pipulate.crud.resource import Resource
from pipulate.crud.uploads import RecordUploads
from pipulate.events import Bus
from pipulate.explicit.entry import Explicit
from pipulate.explicit.loading import ExplicitApp
from pipulate.jobs.scheduling import Scheduler
from pipulate.llm.models import Models
from pipulate.plugins.host import Plugin, PluginHost
from pipulate.reports.engine import Reports
from pipulate.reports.report import Report
from pipulate.security.capability import OWNER, Capability
from pipulate.security.who import Who
from pipulate.settings import Settings
from pipulate.storage import jobs, keyvalue, messages, profiles
from pipulate.storage.database import Database, Transaction
from pipulate.storage.ledger import RunRow
from pipulate.storage.messages import Message
from pipulate.storage.profiles import Profile
from pipulate.tools.registry import Registry
from pipulate.ui.assistant.panel import Talk, assistant
from pipulate.ui.done import TableLink
from pipulate.ui.frame import DENSITIES, RECORD_MESSAGES, THEMES, Frame, page
from pipulate.ui.html import Html
from pipulate.ui.lists import AppLink
from pipulate.ui.messages import Names
from pipulate.ui.story import Titles
from pipulate.web.answers import Answers
from pipulate.web.assets import Assets, takes
from pipulate.web.cards import cards_of
from pipulate.workflows.definition import Workflow
from pipulate.workflows.engine import Engine
from pipulate.workflows.uploads import Uploads
from pipulate.workflows.views.tables import TableCache

PANEL_MESSAGES = 50
"""Messages a page starts with."""

MODEL = "model"
"""Under what name it is kept which language model a person has chosen."""

_FIELDS_MAX = 1_000
_LINE = "separator"
_HIDDEN = frozenset({"profiles", "roles", _LINE})  # Class-style plugins that are no apps of their own.
_TAB = re.compile(r"[0-9a-z-]{1,40}")
_PACK_FROM = 2_000  # bytes; smaller answers are not worth the work


@dataclass(frozen=True, slots=True)
class Site:
    """The parts the web works with."""

    settings: Settings
    db: Database
    engine: Engine
    records: Records
    reports: Reports
    long: Long
    plugins: PluginHost
    capability: Capability
    assets: Assets
    bus: Bus
    clock: Clock
    uploads: Uploads
    record_uploads: RecordUploads
    scheduler: Scheduler
    models: Models
    assistant: Assistant
    world: World
    registry: Registry
    answers: Answers
    explicit: Explicit | None = None
    tables: TableCache = field(default_factory=TableCache)

    def app_links(self, active: Collection[str], *, is_locked: bool = False) -> list[AppLink]:
        """Return the apps of the roles that are on, in the order of the menu; in a locked profile without profiles."""
        links: list[tuple[float, AppLink]] = []
        is_after_line = False
        for each in self.plugins.table.plugins:
            if each.app is None:
                continue
            app, module = each.app, each.file.module
            if is_locked and profiles.NAME in (app.name, module):
                continue
            if is_hidden(each):
                is_after_line = is_after_line or module == _LINE
                continue
            if not roles.is_shown(each.roles, active):
                continue
            shows_line = is_after_line and bool(links)  # Nothing is parted from nothing.
            icon, order = (app.icon, app.order_in_menu) if isinstance(app, Workflow | Resource | Report) else ("", 0)
            links.append((order, AppLink(app.title, app.description, app_address(module), shows_line, icon)))
            is_after_line = False
        return [link for _, link in sorted(links, key=itemgetter(0))]  # Equal ones stay in the order of their files.

    def workflows(self) -> Mapping[str, Titles]:
        """Return the apps by stored name."""
        return {name: app for name, each in self.plugins.table.by_app.items() if (app := _titled(each)) is not None}

    def titles_of(self, app: str) -> Titles | None:
        """Return what an app calls itself and its steps, or None where it is not installed."""
        plugin = self.plugins.table.by_app.get(app)
        return _titled(plugin) if plugin is not None else self.engine.catalog.get(app)

    def names(self, workflow: Titles | None = None) -> Names:
        """Return what people call things that messages tell of, in a run of an app or outside."""
        records = self.records.resources.values()
        return Names(
            workflow, {each.name: TableLink(each.title, self.landing_of(each.name) or "/") for each in records}
        )

    def landing_of(self, app: str) -> str | None:
        """Return the address of an app's page, or None where the app is not installed."""
        plugin = self.plugins.table.by_app.get(app)
        return app_address(plugin.file.module) if plugin else None

    def is_explicit(self, app: str) -> bool:
        """Tell whether an app is in the explicit style, so that its pages are its own."""
        return self.explicit_app(app) is not None

    def explicit_app(self, app: str) -> ExplicitApp | None:
        """Return a class-style app, or None where there is none of that name."""
        plugin = self.plugins.table.by_app.get(app)
        return plugin.app if plugin is not None and isinstance(plugin.app, ExplicitApp) else None

    def address_of(self, row: RunRow) -> str:
        """Return the address of a run; one that works even where its app is not installed."""
        landing = self.landing_of(row.app)
        return f"{landing}/{quote(row.key, safe='/')}" if landing else f"/-/runs/{row.id}"


def _titled(plugin: Plugin) -> Titles | None:
    return plugin.app if isinstance(plugin.app, Workflow | ExplicitApp) else None


def is_hidden(plugin: Plugin) -> bool:
    """Tell whether a plugin is no app of its own, so that no menu has it."""
    return plugin.file.module in _HIDDEN and isinstance(plugin.app, ExplicitApp)


def app_address(module: str) -> str:
    """Return the address of an app's page."""
    return f"/{quote(module, safe='')}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page needs from the store for its frame."""

    theme: str
    density: str
    show_assistant: bool
    record_messages: str
    profile: str
    profiles: Sequence[Profile]
    is_locked: bool
    messages: Sequence[Message]
    jobs: int
    roles: Collection[str] = ()
    has_older: bool = False
    changes: int = 0
    cleared: int = 0
    before_clear: int = 0
    model: str = ""


class Visit:
    """One request.

    Attributes:
        site: The application.
        request: The request.
        who: Who asks, and from which tab.
        now: The moment.
        is_htmx: Whether our own script asks for a part of a page.
        replaces_run: Whether the answer takes the place of the whole run.
    """

    __slots__ = ("_form", "is_htmx", "now", "replaces_run", "request", "site", "who")

    def __init__(self, site: Site, request: Request) -> None:
        self.site, self.request = site, request
        tab = request.headers.get("x-pipulate-tab", "")
        self.who = Who(OWNER, tab if _TAB.fullmatch(tab) else None)
        self.now: datetime = site.clock.now()
        self.is_htmx = request.headers.get("hx-request") == "true"
        self.replaces_run = request.headers.get("hx-target") == "run"
        self._form: dict[str, list[str]] | None = None

    async def form(self) -> dict[str, list[str]]:
        """Return what a form sent: name -> texts.

        Raises:
            HTTPException: 400 if it is not a form, or not UTF-8, or has too many fields.
        """
        if self._form is None:
            kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/x-www-form-urlencoded":
                raise HTTPException(400, "A form was expected here.")
            body = await self.request.body()
            try:
                pairs = parse_qsl(
                    body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX
                )
            except ValueError as error:
                raise HTTPException(400, "This form could not be read.") from error
            self._form = {}
            for name, text in pairs:
                self._form.setdefault(name, []).append(text)
        return self._form

    def came(self, form: Mapping[str, list[str]]) -> None:
        """Take a form that was read in another way than `form` does."""
        self._form = dict(form)

    async def text(self, name: str) -> str:
        """Return one field of the form, "" where it is missing."""
        return (await self.form()).get(name, [""])[-1]

    async def number(self, name: str) -> int:
        """Return a field of the form as a number our own pages put there.

        Raises:
            HTTPException: 400 if it is none.
        """
        return _number(await self.text(name), name)

    def back(self) -> str:
        """Return the page a form stood on: an address of ours, or the first page."""
        try:
            where = urlsplit(self.request.headers.get("referer", ""))
        except ValueError:
            return "/"
        if where.netloc != self.request.headers.get("host") or not where.path.startswith("/"):
            return "/"
        return "/" + where.path.lstrip("/\\")  # Two of either would name another host.

    def query_number(self, name: str) -> int | None:
        """Return a number from the address, or None where it is not given.

        Raises:
            HTTPException: 400 if it is given and none.
        """
        text = self.request.query_params.get(name)
        return _number(text, name) if text is not None else None

    async def profile(self) -> str:
        """Return the id of the profile that the person has chosen."""
        return await self.site.db.read(profiles.chosen, self.who.actor)

    async def facts(self, conversation: str) -> Facts:
        """Read what the frame of a page needs."""
        return await self.site.db.read(_facts, self.who.actor, conversation)

    async def page(
        self,
        heading: str,
        content: Html,
        *,
        conversation: str | None = None,
        workflow: Titles | None = None,
        view: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        facts: Facts | None = None,
        extras: Sequence[str] = (),
        own: Sequence[str] = (),
    ) -> Response:
        """Return a whole page.

        Args:
            heading: Title of the window.
            content: The work area.
            conversation: Which conversation the panel shows; the person's general one where it is None.
            workflow: For the titles of steps in the panel.
            view: What it shows besides what the conversation is about: `resource/number` of a record.
            status: Status of the answer.
            headers: More headers.
            facts: What the frame needs, where it was read already.
            extras: Front-end files this page needs besides.
            own: Addresses of scripts and style sheets of the app.
        """
        conversation = conversation or messages.general(self.who.actor)
        facts = facts or await self.facts(conversation)
        panel = assistant(await self.talk(conversation, facts, workflow, view), self.who.actor, self.now)
        return self.packed(page(self.frame(facts, extras, own), heading, content, panel), status, headers)

    async def talk(self, conversation: str, facts: Facts, workflow: Titles | None = None, view: str = "") -> Talk:
        """Return a conversation with all that the panel needs to draw it."""
        site = self.site
        cards = await cards_of(site.db, site.registry, conversation, self.who, facts.messages)
        return Talk(
            conversation, facts.messages, site.names(workflow), facts.changes, facts.cleared,
            facts.before_clear,
            has_older=facts.has_older, cards=cards, so_far=site.answers.so_far(conversation),
            status=site.models.status(facts.model), view=view,
        )  # fmt: skip

    def beside(self, app: str) -> str:
        """Return the conversation the person has beside an app, outside of its runs."""
        return messages.of_app(self.who.actor, app)

    def frame(self, facts: Facts | None = None, extras: Sequence[str] = (), own: Sequence[str] = ()) -> Frame:
        """Return the frame; a bare one without facts, for pages shown when the store does not answer."""
        site, nonce = self.site, self.request.scope.get("nonce", "")
        if facts is None:
            return bare_frame(site, nonce)
        return Frame(
            site.assets.addresses, nonce, site.app_links(facts.roles, is_locked=facts.is_locked), facts.profiles,
            facts.profile, facts.theme, facts.density, facts.show_assistant, self.request.url.path, __version__, extras,
            own, facts.jobs, facts.is_locked, facts.record_messages,
        )  # fmt: skip

    def packed(self, markup: Html, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return markup as an answer, packed where that pays."""
        content = markup.encode("utf-8", "replace")
        every = {"vary": "accept-encoding, hx-request", **(headers or {})}
        if len(content) >= _PACK_FROM and takes(self.request.headers.get("accept-encoding", ""), "gzip"):
            content = gzip.compress(content, compresslevel=4, mtime=0)
            every["content-encoding"] = "gzip"
        return Response(content, status, every, "text/html; charset=utf-8")


def bare_frame(site: Site, nonce: str) -> Frame:
    """Return a frame that needs nothing from the store."""
    return Frame(site.assets.addresses, nonce, version=__version__)


def part(markup: Html, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a part of a page; one with an error status says that it is to be shown all the same."""
    every = dict(headers or {})
    if status >= 400:
        every["x-pipulate-swap"] = "1"
    return Response(markup.encode("utf-8", "replace"), status, every, "text/html; charset=utf-8")


def of_run(row: RunRow) -> dict[str, str]:
    """Return the headers by which every answer names its run and version."""
    return {"x-pipulate-run": row.id, "x-pipulate-version": str(row.version)}


def _facts(tx: Transaction, user: str, conversation: str) -> Facts:
    own = dict(keyvalue.items(tx, "user", user))
    chosen, is_locked = profiles.chosen(tx, user), profiles.is_locked(tx, user)
    shown = messages.before(tx, conversation, limit=PANEL_MESSAGES + 1, profile=only_profile(tx, conversation, user))
    _, changes, cleared = messages.numbers(tx, conversation)
    return Facts(
        theme=_one_of(THEMES, own.get("theme")),
        density=_one_of(DENSITIES, own.get("density")),
        show_assistant=own.get("assistant") != "hidden",
        record_messages=_one_of(RECORD_MESSAGES, own.get(messages.WANTED)),
        profile=chosen,
        profiles=[each for each in profiles.listed(tx) if not is_locked or each.id == chosen],
        is_locked=is_locked,
        messages=shown[-PANEL_MESSAGES:],
        jobs=jobs.active(tx, user),
        roles=roles.active(tx),
        has_older=len(shown) > PANEL_MESSAGES,
        changes=changes,
        cleared=cleared,
        before_clear=messages.before_clear(tx, conversation) if cleared else 0,
        model=str(own.get(MODEL) or ""),
    )


def chosen_model(tx: Transaction, user: str) -> str:
    """Return the name of the language model that a person has chosen, "" where they have chosen none."""
    return str(dict(keyvalue.items(tx, "user", user)).get(MODEL) or "")


def _one_of(allowed: Sequence[str], wanted: object) -> str:
    """Return what is wanted where it is allowed, else the first thing that is."""
    return wanted if isinstance(wanted, str) and wanted in allowed else allowed[0]


def _number(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise HTTPException(400, f"{name} is not a number.")
    return int(text)
