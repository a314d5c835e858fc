"""What is new in a conversation, found and drawn once for all pages that show it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pipulate.chat import Conversations
from pipulate.events import Happening, MessagesAdded
from pipulate.security.capability import OWNER
from pipulate.storage.journal import DELETED
from pipulate.storage.messages import Message
from pipulate.ui.messages import event_line, event_words, is_event, note
from pipulate.ui.story import Titles
from pipulate.web.site import Site

Item = dict[str, Any]
"""A message as a page gets it: seq, role, html, and for an event its summary."""

_RECENT = 50
"""Most messages held for pages that were woken by them and have not looked yet."""


class Feed:
    """Finds the messages that pages lack: those that were just written are at hand, all others are in the store."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._conversations = Conversations(site.db, site.bus, site.clock)
        self._recent: OrderedDict[tuple[str, int], Message | Item] = OrderedDict()
        site.bus.subscribe(self._hear_of)

    async def after(self, conversation: str, last: int, newest: int, workflow: Titles | None) -> Sequence[Item]:
        """Return the messages that follow number `last`, at most a page of them.

        Args:
            conversation: Id of the conversation; the page has shown already that it may read it.
            last: Number of the last message the page has.
            newest: Number of the newest one it heard of.
            workflow: For the titles of steps.
        """
        wanted = [(conversation, seq) for seq in range(last + 1, min(newest, last + _RECENT) + 1)]
        if wanted and all(each in self._recent for each in wanted):
            return [self._held(each, workflow) for each in wanted]
        new = await self._conversations.after(conversation, OWNER, last)
        return [self._drawn(each, workflow) for each in new]

    def _hear_of(self, happening: Happening) -> None:
        match happening:
            # Of a run that was deleted the store has to be asked: it answers that the page may not read it any more.
            case MessagesAdded(conversation, seq, event) if event is not None and event.kind != DELETED:
                self._recent[conversation, seq] = Message(seq, event.at, event.actor, "event", "", event)
                if len(self._recent) > _RECENT:
                    self._recent.popitem(last=False)

    def _held(self, key: tuple[str, int], workflow: Titles | None) -> Item:
        held = self._recent[key]
        if isinstance(held, Message):
            held = self._recent[key] = self._drawn(held, workflow)
        return held

    def _drawn(self, message: Message, workflow: Titles | None) -> Item:
        if not is_event(message):
            html = note(message, OWNER, self._site.clock.now())
            return {"seq": message.seq, "role": message.role, "html": html}
        names = self._site.names(workflow)
        html, summary = event_line(message, names, OWNER), event_words(message, names)
        return {"seq": message.seq, "role": "event", "html": html, "summary": summary}
