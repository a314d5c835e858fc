"""What people write beside the work, and what they do with a conversation: find in it, clear it, take it along."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.chat.conversations import Conversations
from pipulate.chat.scene import only_profile, refuse_others
from pipulate.errors import BadNameError
from pipulate.storage import lookups, messages
from pipulate.storage.database import Transaction
from pipulate.storage.messages import Message
from pipulate.ui.assistant.panel import Talk, hits, older_page, older_part, thread, writing
from pipulate.ui.html import div, h1, p
from pipulate.ui.story import Titles
from pipulate.web.cards import cards_of
from pipulate.web.downloads import HARMLESS, disposition
from pipulate.web.site import PANEL_MESSAGES, Visit, part

_FIND_MAX = 200
_HITS_MAX = 30


async def add_note(visit: Visit) -> Response:
    """Append what somebody wrote to the conversation the page shows, and have the model answer where there is one.

    The page gets both through its socket.
    """
    conversation, text = await conversation_of(visit), await visit.text("text")
    try:
        is_question = bool(await visit.text("_asks"))
        await visit.site.assistant.ask(
            conversation, visit.who, text, view=await visit.text("_view"), is_question=is_question
        )
    except BadNameError as error:
        if visit.is_htmx:
            return Response(str(error), 422, media_type="text/plain")
        talk = Talk(conversation, status=(await shown(visit, conversation)).status)
        content = div(h1("Not sent"), p(str(error), class_="problem", role="alert"), writing(talk, text), id="not-sent")
        return await visit.page("Not sent", content, conversation=conversation, status=422)
    return done(visit)


async def conversation_of(visit: Visit) -> str:
    """Return the conversation that a form of the panel is about."""
    return await visit.text("_conversation") or messages.general(visit.who.actor)


def asked_for(visit: Visit) -> str:
    """Return the conversation that an address is about."""
    return visit.request.query_params.get("conversation") or messages.general(visit.who.actor)


def done(visit: Visit) -> Response:
    """Say that something was done: the page hears of it through its socket, one without a script is shown again."""
    return Response(status_code=204) if visit.is_htmx else RedirectResponse(visit.back(), 303)


async def shown(visit: Visit, conversation: str) -> Talk:
    """Return the end of a conversation.

    Raises:
        RunNotFoundError: If it is not the person's own.
    """
    await visit.site.db.read(refuse_others, conversation, visit.who.actor)
    return await visit.talk(conversation, await visit.facts(conversation), await _titles(visit, conversation))


async def _titles(visit: Visit, conversation: str) -> Titles | None:
    if messages.is_outside(conversation, visit.who.actor):
        return None
    row = await visit.site.db.read(lookups.by_id, conversation, visit.who.actor)
    return visit.site.titles_of(row.app)


async def show(visit: Visit) -> Response:
    """Return the messages of a conversation anew, for a page in which they were cleared or brought back."""
    talk = await shown(visit, asked_for(visit))
    return part(thread(talk, visit.who.actor, visit.now))


async def clear(visit: Visit) -> Response:
    """Clear a conversation: nothing of it is shown any more, nor given to a model. It can be undone."""
    conversation = await conversation_of(visit)
    await visit.site.assistant.clear(conversation, visit.who)
    return await _anew(visit, conversation)


async def unclear(visit: Visit) -> Response:
    """Show again what the newest clear hid, and not what an earlier one did."""
    conversation = await conversation_of(visit)
    await _conversations(visit).unclear(conversation, visit.who.actor, await visit.number("upto"))
    return await _anew(visit, conversation)


async def _anew(visit: Visit, conversation: str) -> Response:
    if not visit.is_htmx:
        return RedirectResponse(visit.back(), 303)
    talk = await shown(visit, conversation)
    return part(thread(talk, visit.who.actor, visit.now))


async def search(visit: Visit) -> Response:
    """Return what has some words in a conversation."""
    conversation, words = asked_for(visit), visit.request.query_params.get("find", "").strip()[:_FIND_MAX]
    found = await _conversations(visit).search(conversation, visit.who.actor, words) if words else []
    newest = list(reversed(found))[:_HITS_MAX]
    content = hits(Talk(conversation, newest), words, visit.who.actor, visit.now)
    if visit.is_htmx:
        return part(content)
    return await visit.page("Find in a conversation", div(h1("Found"), content), conversation=conversation)


async def older(visit: Visit) -> Response:
    """Return the messages before a number, or for a browser without our script those around one."""
    conversation, around = asked_for(visit), visit.query_number("around")
    before = visit.query_number("before") if around is None else around + PANEL_MESSAGES // 2
    found, more = await visit.site.db.read(_older, conversation, visit.who.actor, before)
    cards = await cards_of(visit.site.db, visit.site.registry, conversation, visit.who, found)
    talk = Talk(conversation, found, visit.site.names(await _titles(visit, conversation)), has_older=more, cards=cards)
    if visit.is_htmx:
        return part(older_part(talk, visit.who.actor, visit.now))
    content = older_page(talk, visit.back(), visit.who.actor, visit.now)
    return await visit.page("Older messages", content, conversation=conversation)


def _older(tx: Transaction, conversation: str, actor: str, before: int | None) -> tuple[list[Message], bool]:
    refuse_others(tx, conversation, actor)
    found = messages.before(tx, conversation, before, PANEL_MESSAGES + 1, profile=only_profile(tx, conversation, actor))
    return found[-PANEL_MESSAGES:], len(found) > PANEL_MESSAGES


async def export(visit: Visit) -> Response:
    """Return a conversation as Markdown, to be kept."""
    conversation = asked_for(visit)
    text = await _conversations(visit).export(conversation, visit.who.actor)
    headers = {"content-disposition": disposition("conversation.md"), "content-security-policy": HARMLESS}
    return Response(text.encode("utf-8", "replace"), 200, headers, "text/markdown; charset=utf-8")


async def text(visit: Visit) -> Response:
    """Return one answer as it was written, to be copied."""
    found = await visit.site.db.read(_one, asked_for(visit), visit.who.actor, visit.query_number("seq") or 0)
    if found is None:
        raise HTTPException(404)
    return Response(found.text.encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")


def _one(tx: Transaction, conversation: str, actor: str, seq: int) -> Message | None:
    refuse_others(tx, conversation, actor)
    found = messages.before(tx, conversation, seq + 1, 1, profile=only_profile(tx, conversation, actor))
    return found[0] if found and found[0].seq == seq and found[0].role == messages.ANSWER else None


def _conversations(visit: Visit) -> Conversations:
    return Conversations(visit.site.db, visit.site.bus, visit.site.clock)
