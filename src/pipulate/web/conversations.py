"""Notes that people write beside the work."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from pipulate.chat import Conversations
from pipulate.errors import BadNameError
from pipulate.storage import messages
from pipulate.web.site import Visit


async def add_note(visit: Visit) -> Response:
    """Append a note to the conversation the page shows; the page gets it through its socket."""
    conversation = await visit.text("_conversation") or messages.general(visit.who.actor)
    notes = Conversations(visit.site.db, visit.site.bus, visit.site.clock)
    try:
        await notes.note(conversation, visit.who.actor, await visit.text("text"))
    except BadNameError as error:
        return Response(str(error), 422, media_type="text/plain")
    if visit.is_htmx:
        return Response(status_code=204)
    return RedirectResponse(visit.back(), 303)
