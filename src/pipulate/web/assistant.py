"""What people tell the assistant: stop, once more, yes and no to what it asks for, and which model it is."""

from __future__ import annotations

from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.chat.calls import Decision, own_call
from pipulate.errors import CallError, PipulateError
from pipulate.events import ModelChanged
from pipulate.storage import calls, keyvalue
from pipulate.storage.calls import CallRow
from pipulate.tools.registry import schema
from pipulate.ui.assistant import arguments as given
from pipulate.ui.assistant.cards import call as drawn
from pipulate.ui.assistant.model import model_line
from pipulate.ui.html import div, ol, p
from pipulate.web.cards import card
from pipulate.web.conversations import conversation_of, done
from pipulate.web.errors import status_of
from pipulate.web.site import MODEL, Visit, chosen_model, part

_DECISIONS = ("allow", "allow_run", "deny")


async def stop(visit: Visit) -> Response:
    """Stop the answer that is being written."""
    await visit.site.assistant.stop(await conversation_of(visit), visit.who)
    return done(visit)


async def retry(visit: Visit) -> Response:
    """Have the model answer the same question once more."""
    await visit.site.assistant.retry(await conversation_of(visit), visit.who, await visit.number("answer"))
    return done(visit)


async def decide(visit: Visit) -> Response:
    """Allow or deny what the model asks for; one that was changed meanwhile, or is wrong, is shown again."""
    row = await visit.site.db.read(own_call, visit.request.path_params["call"], visit.who.actor)
    decision = await visit.text("decision")
    if decision not in _DECISIONS:
        raise HTTPException(400, "There is no such decision.")
    typed = await _typed(visit) if row.state == calls.ASKED and await visit.text("edited") else None
    try:
        arguments = _arguments(visit, row, typed) if typed is not None else None
        await visit.site.assistant.decide(
            row.id, visit.who, cast(Decision, decision), shown=await visit.text("shown"), arguments=arguments
        )
    except (CallError, ValueError) as error:
        return await _again(
            visit, row, str(error), typed, status_of(error) if isinstance(error, PipulateError) else 422
        )
    return done(visit)


async def _typed(visit: Visit) -> dict[str, str]:
    form = await visit.form()
    return {name.removeprefix(given.PREFIX): texts[-1] for name, texts in form.items() if name.startswith(given.PREFIX)}


def _arguments(visit: Visit, row: CallRow, typed: dict[str, str]) -> dict[str, Any]:
    action = visit.site.registry.find(row.action)
    if action is None:
        raise CallError("The app that can do this is not there any more.")
    return given.read(given.asked(schema(action), row.arguments), typed, row.arguments)


async def _again(visit: Visit, row: CallRow, problem: str, typed: dict[str, str] | None, status: int) -> Response:
    """Return the card as it is now with what is wrong, and what was typed where it still can be decided."""
    fresh = await visit.site.db.read(own_call, row.id, visit.who.actor)
    is_open = fresh.state == calls.ASKED
    site = visit.site
    made = await card(site.db, site.registry, fresh, visit.who, problem=problem, typed=typed if is_open else None)
    shown = drawn(made, visit.who.actor, visit.now)
    if visit.is_htmx:
        return part(shown, status)
    content = div(None if is_open else p(problem, class_="problem", role="alert"), ol(shown), class_="messages")
    return await visit.page(made.title, content, conversation=row.conversation, status=status)


async def choose(visit: Visit) -> Response:
    """Choose which of the models answers."""
    name = await visit.text("model")
    choice = await visit.site.db.read(chosen_model, visit.who.actor)
    if name not in [each.name for each in visit.site.models.status(choice).known if each.can_chat]:
        raise HTTPException(422, "There is no such model any more.")
    await visit.site.db.write(keyvalue.put, "user", visit.who.actor, MODEL, name)
    visit.site.bus.publish(ModelChanged())
    return await _model(visit)


async def look(visit: Visit) -> Response:
    """Look now whether there is a model."""
    await visit.site.models.look()
    return await _model(visit)


async def _model(visit: Visit) -> Response:
    if not visit.is_htmx:
        return RedirectResponse(visit.back(), 303)
    choice = await visit.site.db.read(chosen_model, visit.who.actor)
    return part(model_line(visit.site.models.status(choice))[0])
