"""Uses the pages of class-style apps for a person: what stands in them, and what is sent from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pipulate.actions.own_pages import SAID_MAX, OwnForm, Started
from pipulate.actions.told import cut
from pipulate.actions.world import ASSISTANT
from pipulate.errors import AppMissingError, CallError, RunNotFoundError
from pipulate.explicit.context import Current
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.page_form import forms_in, words_in
from pipulate.explicit.routes import BadRequestError, find
from pipulate.explicit.sent import as_from_page
from pipulate.explicit.standing import Standing, standing
from pipulate.explicit.steps import open_step
from pipulate.storage.database import Database
from pipulate.tools.action import Doing
from pipulate.workflows.work import RunView

if TYPE_CHECKING:
    from pipulate.explicit.host import Answered, Host

_NOT_A_STEP: Final = ("/init", "/revert", "/finalize", "/unfinalize")


class Driver:
    """Calls handlers as the pages of their apps do, in the name of a person."""

    def __init__(self, db: Database, host: Callable[[], Host], installed: Callable[[str], ExplicitApp | None]) -> None:
        """Wire it up.

        Args:
            db: The store.
            host: Returns what serves class-style apps.
            installed: Returns the class-style app that is stored under a name, or None where there is none.
        """
        self._db, self._host, self._installed = db, host, installed

    def open_step(self, view: RunView) -> str | None:
        """Return the step that a run asks for now; as in `OwnPages`."""
        return open_step(self._app(view.row.app), view.state)

    async def form(self, view: RunView, step: str, doing: Doing) -> OwnForm | None:
        """Return the form that a step asks with now; as in `OwnPages`. Looking at it stores nothing."""
        app = self._app(view.row.app)
        there = await self._standing(app, doing, view.row.id)
        now = _current(app, doing, there, is_look=True)
        answer = await self._called(app, now, "GET", f"/{app.name}/{step}", {})
        found = await asyncio.to_thread(forms_in, _markup(answer))
        forms = [each for each in found if self._is_answered(app, each.post)]
        own = [each for each in forms if _path(each.post).endswith(f"/{step}_submit")]
        others = [each for each in forms if not _path(each.post).endswith(_NOT_A_STEP)]
        return next(iter([*own, *others]), None)

    async def send(self, view: RunView, post: str, texts: Mapping[str, Sequence[str]], seen: int, doing: Doing) -> str:
        """Send something to the app of a run, as its page would; as in `OwnPages`."""
        app = self._app(view.row.app)
        there = await self._standing(app, doing, view.row.id)
        if there.was_taken:
            return ""
        answer = await self._called(app, _current(app, doing, there, seen=seen), "POST", post, texts)
        return await _said(answer)

    async def start(self, app: str, name: str, doing: Doing) -> Started:
        """Begin a run of an app; as in `OwnPages`."""
        found = self._app(app)
        there = await self._standing(found, doing, None)
        key = name.strip() or await self._host().next_key(found, _current(found, doing, there))
        now = _current(found, doing, there)
        answer = await self._called(found, now, "POST", f"/{found.name}/init", {"pipeline_id": [key]})
        if answer.row is None:
            raise CallError(f"“{found.title}” began no run. {await _said(answer)}".strip())
        return Started(answer.row.id, is_new=1 in now.own)

    async def _standing(self, app: ExplicitApp, doing: Doing, run: str | None) -> Standing:
        there = await self._db.read(
            standing, doing.who.actor, app.name, run=run, form=doing.submit, profile=doing.profile
        )
        if run is not None and there.row is None:
            raise RunNotFoundError(run)
        return there

    async def _called(
        self, app: ExplicitApp, now: Current, method: str, address: str, texts: Mapping[str, Sequence[str]]
    ) -> Answered:
        path, _, query = address.partition("?")
        found = find(app.routes, method, path)
        if found is None:
            raise CallError(f"“{app.title}” has nothing at {path}. Tell the person what to do on its page.")
        route, given = found
        request = as_from_page(method, path, query, texts)
        try:
            answer = await self._host().call(app, route.handler, request, given, now, "")
        except BadRequestError as error:
            raise CallError(f"“{app.title}” did not take it: {error}") from error
        except Exception:
            _refuse(now)
            raise
        _refuse(now)
        return answer

    def _is_answered(self, app: ExplicitApp, post: str) -> bool:
        return bool(post) and find(app.routes, "POST", _path(post)) is not None

    def _app(self, name: str) -> ExplicitApp:
        app = self._installed(name)
        if app is None:
            raise AppMissingError(name)
        return app


def _current(
    app: ExplicitApp, doing: Doing, there: Standing, *, seen: int | None = None, is_look: bool = False
) -> Current:
    return Current(
        actor=doing.who.actor, app=app.name, instance=app.instance, profile=there.profile,
        key=there.row.key if there.row is not None else None, seen=seen, submit=doing.submit if not is_look else None,
        number=there.number, is_told=there.is_told, via=ASSISTANT, is_look=is_look,
    )  # fmt: skip


def _refuse(now: Current) -> None:
    """Raise what the store refused, whatever the handler made of it."""
    refused = now.refusal or now.failure
    if refused is not None:
        raise refused


def _path(address: str) -> str:
    return address.partition("?")[0]


async def _said(answer: Answered) -> str:
    return cut(await asyncio.to_thread(words_in, _markup(answer)), SAID_MAX)


def _markup(answer: Answered) -> str:
    if answer.response is None:
        return answer.content
    body = getattr(answer.response, "body", b"")
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
