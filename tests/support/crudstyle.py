"""Class-style apps over tables, written as plugins that exist are: one of the first generation, and the oldest form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipulate.app import Application
from tests.support.site import Answer, Browser

TASKS = """
import os

import fastlite
from fasthtml.common import *
from loguru import logger
from server import DB_FILENAME, BaseCrud

ROLES = ["Core"]


class CrudCustomizer(BaseCrud):
    def __init__(self, table, plugin, pipulate_instance):
        self.plugin = plugin
        super().__init__(name=plugin.name, table=table, toggle_field="done", sort_field="priority",
                         pipulate_instance=pipulate_instance)
        self.item_name_field = "text"

    def render_item(self, item):
        return render_item(item, self)

    def prepare_insert_data(self, form):
        text = form.get(self.plugin.FORM_FIELD_NAME, "").strip()
        if not text:
            return None
        current_profile_id = self.plugin.db_dictlike.get("last_profile_id", 1)
        items = self.table("profile_id = ?", [current_profile_id])
        max_priority = max((i.priority or 0 for i in items), default=-1) + 1
        return {"text": text, "done": False, "priority": max_priority, "profile_id": current_profile_id}

    def prepare_update_data(self, form):
        text = form.get(f"{self.plugin.name}_text", "").strip()
        return {"text": text, "done": form.get("done", "").lower() == "true"} if text else None


class CrudUI:
    ENDPOINT_MESSAGE = "Manage tasks"

    def __init__(self, app, pipulate, pipeline, db_dictlike):
        self.name = "tasks"
        self.pipulate, self.db_dictlike = pipulate, db_dictlike
        self.DISPLAY_NAME = "Tasks"
        self.FORM_FIELD_NAME = f"{pipulate.make_singular(self.name)}_text"
        db_path = os.path.join(os.path.dirname(__file__), "..", DB_FILENAME)
        self.plugin_db = fastlite.database(db_path)
        schema = {"id": int, "text": str, "done": bool, "priority": int, "profile_id": int, "pk": "id"}
        fields = {k: v for k, v in schema.items() if k != "pk"}
        table_handle = self.plugin_db.t[self.name]
        self.table = table_handle.create(**fields, pk=schema.get("pk"), if_not_exists=True)
        self.table.dataclass()
        self.app_instance = CrudCustomizer(table=self.table, plugin=self, pipulate_instance=pipulate)
        self.app_instance.register_routes(app.route)
        logger.info(f"made {self.table.name}")

    DISPLAY_NAME = "Tasks"

    async def landing(self, request=None):
        profile_id = self.db_dictlike.get("last_profile_id", 1)
        items = sorted(self.table(where=f"profile_id = {profile_id}"), key=lambda item: float(item.priority or 0))
        return Div(Card(H2(self.DISPLAY_NAME),
                        Ul(*[self.app_instance.render_item(item) for item in items], id="tasks-list", cls="sortable"),
                        header=Form(Group(Input(name=self.FORM_FIELD_NAME), Button("Add", type="submit")),
                                    hx_post=f"/{self.name}", hx_swap="beforeend", hx_target="#tasks-list")))


def render_item(item, app_instance):
    item_id = f"{app_instance.name}-{item.id}"
    delete = A("x", hx_delete=app_instance.get_action_url("delete", item.id), hx_target=f"#{item_id}")
    check = Input(type="checkbox", name="done" if item.done else None, checked=item.done,
                  hx_post=app_instance.get_action_url("toggle", item.id), hx_target=f"#{item_id}")
    edit = Form(Input(type="text", name="tasks_text", value=item.text), hx_post=f"/{app_instance.name}/{item.id}")
    return Li(delete, check, Span(item.text), edit, id=item_id, cls="done" if item.done else "", data_id=item.id,
              data_priority=item.priority)
"""
"""As the tasks of the first generation: `fastlite`, its own table, the profile put into a condition as text."""

NOTES = """
from fasthtml.common import *
from server import BaseApp, DictLikeDB

app, rt, (store, Store), (notes, Note) = fast_app(
    "data/data.db", ws_hdr=True, live=True, hdrs=(Script(type="module"),),
    store={"key": str, "value": str, "pk": "key"},
    note={"id": int, "title": str, "content": str, "done": bool, "priority": int, "profile_id": int, "pk": "id"},
)
db = DictLikeDB(store, Store)


def render_note(note):
    return Li(note.title, ": ", note.content, id=f"note-{note.id}", cls="done" if note.done else "",
              data_id=note.id, data_priority=note.priority)


class NotesApp(BaseApp):
    def __init__(self, table):
        super().__init__(name=table.name, table=table, toggle_field="done", sort_field="priority")

    def render_item(self, note):
        return render_note(note)

    def prepare_insert_data(self, form):
        title = form.get("title", "").strip()
        content = form.get("content", "").strip()
        if not title or not content:
            return ""
        current_profile_id = db.get("last_profile_id", 1)
        max_priority = max((n.priority or 0 for n in self.table()), default=-1) + 1
        return {"title": title, "content": content, "done": False, "priority": max_priority,
                "profile_id": current_profile_id}

    def prepare_update_data(self, form):
        title = form.get("title", "").strip()
        content = form.get("content", "").strip()
        if not title or not content:
            return ""
        return {"title": title, "content": content, "done": form.get("done", "").lower() == "true"}


notes_app = NotesApp(table=notes)
notes_app.register_routes(rt)


class Notes:
    NAME = "notes_page"

    async def landing(self, request):
        return Ul(*[render_note(note) for note in sorted(notes(), key=lambda n: n.priority or 0)], id="note-list")
"""
"""As the worked example of the oldest text: `fast_app` with a table, `BaseApp`, the dictionary of the host."""


class Page:
    """Uses an app over a table as its page does."""

    def __init__(self, application: Application, name: str, page: str, tab: str = "tab-1") -> None:
        self.browser, self.name, self.page = Browser(application, tab), name, page

    async def post(self, path: str = "", **form: Any) -> Answer:
        """Send a form to an address of the app."""
        return await self.browser.post(f"/{self.name}{path}", form, htmx=True)

    async def delete(self, item: object) -> Answer:
        """Delete a row."""
        return await self.browser.send("DELETE", f"/{self.name}/delete/{item}", htmx=True)

    async def sort(self, places: Mapping[int, int] | str) -> Answer:
        """Send a new order: row -> place, or whatever text."""
        text = places if isinstance(places, str) else json.dumps([{"id": n, "priority": p} for n, p in places.items()])
        return await self.browser.post(f"/{self.name}_sort", {"items": text}, htmx=True)

    async def listed(self) -> list[int]:
        """Return the numbers of the rows on the page, in their order."""
        page = await self.browser.get(f"/{self.page}")
        assert page.status == 200, page.text
        return [int(found) for found in re.findall(r'<li[^>]*data-id="(\d+)"', page.text)]


CUSTOMERS = """
from fasthtml.common import *
from fastlite import database
from server import BaseCrud


class ProfileApp(BaseCrud):
    profile_field = "profile_id"

    def render_item(self, profile):
        return Li(profile.name, id=f"profile-{profile.id}", data_id=profile.id, data_priority=profile.priority)

    def prepare_insert_data(self, form):
        profile_name = form.get("profile_name", "").strip()
        if not profile_name:
            return ""
        max_priority = max((p.priority or 0 for p in self.table()), default=-1) + 1
        return {"name": profile_name, "address": form.get("profile_address", "").strip(),
                "code": form.get("profile_code", "").strip(), "active": True, "priority": max_priority}

    def prepare_update_data(self, form):
        return {name: form[name] for name in form}


class Customers:
    APP_NAME = "customers_page"

    def __init__(self, app, pipulate):
        db = database("any/path.db")
        table = db.t.customer.create(id=int, name=str, address=str, code=str, active=bool, priority=int, profile_id=int)
        self.crud = ProfileApp("customer", table, "active", "priority", pipulate_instance=pipulate)
        self.crud.register_routes(app)
        app.get("/customers_page/find")(self.find)

    async def landing(self, request):
        self.crud.table.xtra(profile_id=self.crud.pipulate_instance.db["last_profile_id"])
        return Ul(*[self.crud.render_item(each) for each in self.crud.table(order_by="priority")])

    async def find(self, request):
        asked = request.query_params
        return Ul(*[Li(each.name) for each in self.crud.table(asked.get("where"), order_by=asked.get("order"))])
"""
"""As the customers of the oldest text, with records that belong to profiles, and a search that trusts its user."""

ROLES = """
from fasthtml.common import *
import fastlite
from server import DB_FILENAME, BaseCrud


class Crud(BaseCrud):
    def __init__(self, table, plugin):
        self.plugin = plugin
        super().__init__("roles", table, "done", "priority")
        self.item_name_field = "text"

    def render_item(self, item):
        return Li(item.text, cls="done" if item.done else "", data_id=item.id, data_priority=item.priority)

    def prepare_insert_data(self, form):
        text = form.get(self.plugin.FORM_FIELD_NAME, "").strip()
        priority = max((i.priority or 0 for i in self.table()), default=-1) + 1
        return {"text": text, "done": False, "priority": priority, "profile_id": 1} if text else None

    def prepare_update_data(self, form):
        return {"text": form.get("text", "").strip()}


class Roles:
    DISPLAY_NAME, FORM_FIELD_NAME = "Roles", "role_text"

    def __init__(self, app, pipulate, pipeline, db_dictlike):
        self.table = fastlite.database(DB_FILENAME).t["roles"].create(
            id=int, text=str, done=bool, priority=int, profile_id=int, pk="id", if_not_exists=True)
        self.app_instance = Crud(self.table, self)
        self.app_instance.register_routes(app.route)

    async def landing(self, request):
        return Ul(*[self.app_instance.render_item(each) for each in self.table()])
"""
"""As the roles of the first generation."""

ASKS = """
from server import DB_FILENAME, get_current_profile_id, get_profile_name, pipeline, profiles, roles, tasks
from fasthtml.common import P, database
import common, crud, imports.crud, server


class Asks:
    NAME = "asks"

    def __init__(self, app, profiles_table_from_server):
        self.profiles = profiles_table_from_server
        self.same = {common.BaseCrud, crud.BaseApp, imports.crud.BaseCrud, server.BaseApp}
        self.tables = [tasks.name, tasks.count, database("x").t.tasks.columns, pipeline.name, roles.count]

    async def landing(self, request):
        now = profiles[get_current_profile_id()]
        return P(f"{get_current_profile_id()} {get_profile_name()} = {now.id} {now.name} of {len(self.profiles())}")
"""
"""Imports what the old host had ready for plugins."""
