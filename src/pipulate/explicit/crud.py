"""`BaseCrud`: an app over one table, with the addresses, hooks and answers that plugins written for it expect.

Answers that succeed are as they always were. What goes wrong has the status it deserves, and a sentence that helps:
404 for a row that is not there, 400 for what cannot be stored. Whatever else a hook raises is a page with an id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import HTMLResponse

from pipulate.errors import InvalidAnswersError, RecordError, RecordNotFoundError
from pipulate.explicit import markup
from pipulate.explicit.context import current
from pipulate.explicit.elements import NotFoundError
from pipulate.storage.records.conditions import ConditionError

_PROFILES, _ROLES = "profiles", "roles"
_PROFILE_MENU: Final = {"HX-Trigger": '{"refreshProfileMenu": {}}'}
_APP_MENU: Final = {"HX-Trigger": '{"refreshAppMenu": {}}'}
_GONE: Final = "This is not there any more; perhaps it was deleted in another tab. Reload the page."
_BAD_ORDER: Final = "The new order could not be read, so nothing was changed. Reload the page and try again."
_MOST: Final = 10_000
_NOTICE_MAX: Final = 500
_REFUSED: Final = (NotFoundError, ConditionError, RecordError, InvalidAnswersError)


class BaseCrud:
    """One table as an app: subclasses say what is stored of a form, and how a row looks.

    Attributes:
        name: Beginning of its addresses.
        table: Its table.
        toggle_field: Column that `toggle_item` turns round, or None.
        sort_field: Column that holds the order, or None.
        item_name_field: Column that messages name a row by.
        sort_dict: Names of columns, as older code reads them.
        pipulate_instance: The `pip` object, or None; without it nothing is said.
        profile_field: Column with the profile of a row. Where it is named, rows of other profiles are not there for
            this app, and new ones belong to the chosen profile.
    """

    profile_field: str | None = None

    def __init__(
        self,
        name: str,
        table: Any,
        toggle_field: str | None = None,
        sort_field: str | None = None,
        sort_dict: Mapping[str | None, str | None] | None = None,
        pipulate_instance: Any = None,
    ) -> None:
        """Wire it up."""
        self.name = name
        self.table = table
        self.toggle_field = toggle_field
        self.sort_field = sort_field
        self.item_name_field = "name"
        self.sort_dict = sort_dict or {"id": "id", sort_field: sort_field}
        self.pipulate_instance = pipulate_instance
        self._telling: set[asyncio.Task[Any]] = set()

    def register_routes(self, rt: Any) -> None:
        """Register the five addresses with the `app` of a plugin, or with `rt`."""
        rt(f"/{self.name}", methods=["POST"])(self.insert_item)
        rt(f"/{self.name}/{{item_id}}", methods=["POST"])(self.update_item)
        rt(f"/{self.name}/delete/{{item_id}}", methods=["DELETE"])(self.delete_item)
        rt(f"/{self.name}/toggle/{{item_id}}", methods=["POST"])(self.toggle_item)
        rt(f"/{self.name}_sort", methods=["POST"])(self.sort_items)

    def get_action_url(self, action: str, item_id: Any) -> str:
        """Return the address of an action on a row: `delete` or `toggle`."""
        return f"/{self.name}/{action}/{item_id}"

    def render_item(self, item: Any) -> Any:
        """Return how a row looks; the row itself where a subclass does not say."""
        return item

    def prepare_insert_data(self, form: Mapping[str, Any]) -> Any:
        """Return what is stored of a form as a new row; nothing stores nothing, and the answer is empty."""
        raise NotImplementedError("Subclasses must implement prepare_insert_data")

    def prepare_update_data(self, form: Mapping[str, Any]) -> Any:
        """Return what a form changes of a row; nothing changes nothing, and the answer is empty."""
        raise NotImplementedError("Subclasses must implement prepare_update_data")

    def send_message(self, message: str, verbatim: bool = True) -> None:
        """Say something in the conversation of whoever asked; nothing waits for it."""
        pip = self.pipulate_instance
        if pip is not None:
            task = asyncio.get_running_loop().create_task(pip.message_queue.add(pip, message, verbatim=verbatim))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    safe_send_message = send_message

    async def insert_item(self, request: Any) -> Any:
        """Add a row from a form, and answer with how it looks."""
        try:
            self._narrow()
            data = self.prepare_insert_data(await request.form())
            if not data:
                return ""
            item = await self.create_item(**data)
        except _REFUSED as error:
            return _refused(error)
        self._tell(f"Added to {self.name}: {self._called(item)}")
        return self._shown(item)

    async def update_item(self, request: Any, item_id: int) -> Any:
        """Change a row by a form, and answer with how it looks."""
        try:
            self._narrow()
            data = self.prepare_update_data(await request.form())
            if not data:
                return ""
            item = self.table[item_id]
            for name, value in data.items():
                setattr(item, name, value)
            item = self.table.update(item)
        except _REFUSED as error:
            return _refused(error)
        self._tell(f"Changed in {self.name}: {self._called(item)}")
        return self._shown(item)

    async def delete_item(self, request: Any, item_id: int) -> Any:  # noqa: ARG002 - the contract's signature
        """Delete a row, and answer with nothing."""
        try:
            self._narrow()
            called = self._called(self.table[item_id])
            self.table.delete(item_id)
        except _REFUSED as error:
            return _refused(error)
        self._tell(f"Deleted from {self.name}: {called}")
        return HTMLResponse("", headers=_PROFILE_MENU) if self.name == _PROFILES else ""

    async def toggle_item(self, request: Any, item_id: int) -> Any:  # noqa: ARG002 - the contract's signature
        """Turn the toggled field of a row round, and answer with how it looks."""
        if not self.toggle_field:
            return _problem(f"Nothing of {self.name} can be toggled.", 400)
        try:
            self._narrow()
            item = self.table[item_id]
            setattr(item, self.toggle_field, not getattr(item, self.toggle_field))
            item = self.table.update(item)
        except _REFUSED as error:
            return _refused(error)
        is_on = "on" if getattr(item, self.toggle_field) else "off"
        self._tell(f"Switched {self.toggle_field} {is_on} in {self.name}: {self._called(item)}")
        return self._shown(item, _APP_MENU if self.name == _ROLES else None)

    async def sort_items(self, request: Any) -> Any:
        """Store the order that a form has in `items`: JSON with `id` and `priority` of each row; all of it or none."""
        field = self.sort_field
        if not field:
            return _problem(f"{self.name} has no order.", 400)
        try:
            changes = [{"id": number, field: place} for number, place in _order((await request.form()).get("items"))]
        except (ValueError, RecursionError):  # The latter is what the reader says of brackets without end.
            return _problem(_BAD_ORDER, 400)
        try:
            self._narrow()
            if hasattr(self.table, "update_all"):
                self.table.update_all(changes)
            else:
                for each in changes:
                    self.table.update(**each)
        except _REFUSED as error:
            return _refused(error)
        self._tell(f"The order of {self.name} was changed.")
        return HTMLResponse("", headers=_PROFILE_MENU)

    async def create_item(self, **values: Any) -> Any:
        """Add a row and return it."""
        return self.table.insert(values)

    def _shown(self, item: Any, headers: Mapping[str, str] | None = None) -> Any:
        shown = self.render_item(item)
        headers = _PROFILE_MENU if self.name == _PROFILES else headers
        if headers is None:
            return shown
        now = current()
        return HTMLResponse(markup.render(shown, nonce=now.nonce if now else ""), headers=dict(headers))

    def _tell(self, message: str) -> None:
        now = current()
        if now is None or now.is_told:
            self.send_message(message)

    def _called(self, item: Any) -> str:
        """Return what a message calls a row."""
        for field in (self.item_name_field, "name", "title", "text"):
            found = getattr(item, field, None)
            if isinstance(found, str) and found.strip():
                return f"'{found.strip()[:200]}'"
        return f"number {getattr(item, 'id', '')}"

    def _narrow(self) -> None:
        """Leave out what belongs to other profiles, where the app says which column tells."""
        now = current()
        if self.profile_field and now is not None:
            self.table.xtra(**{self.profile_field: now.number})


def _order(sent: Any) -> Sequence[tuple[int, int]]:
    """Return number and place of each row, by place.

    Raises:
        ValueError: If what was sent is anything else.
    """
    found = json.loads(sent if isinstance(sent, str) else "[]")
    if not isinstance(found, list) or len(found) > _MOST or not all(isinstance(each, dict) for each in found):
        raise ValueError("a list of rows was expected")
    return sorted(((_whole(each.get("id")), _whole(each.get("priority"))) for each in found), key=lambda pair: pair[1])


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a whole number was expected")  # noqa: TRY004 - as what `int` raises
    return int(value)


def _refused(error: Exception) -> HTMLResponse:
    """Return the answer to what could not be done: nothing was changed."""
    if isinstance(error, NotFoundError | RecordNotFoundError):
        return _problem(_GONE, 404)
    return _problem(str(error), 400 if isinstance(error, ConditionError | InvalidAnswersError) else 409)


def _problem(text: str, status: int) -> HTMLResponse:
    """Return a sentence with an error status; the script of the page says it beside what was pressed."""
    return HTMLResponse(escape(text), status, {"x-pipulate-notice": quote(text[:_NOTICE_MAX])})
