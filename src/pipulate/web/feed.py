"""What is new in a conversation, found and drawn once for all pages that show it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipulate.chat.conversations import Conversations
from pipulate.events import Happening, MessagesAdded
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage.journal import DELETED
from pipulate.storage.messages import Message
from pipulate.ui.assistant.panel import Talk, item
from pipulate.ui.messages import event_line, event_words, is_event
from pipulate.ui.story import Titles
from pipulate.web.cards import cards_of
from pipulate.web.site import Site

Item = dict[str, Any]
"""A message as a page gets it: seq, role, html, and for an event its summary."""

_RECENT = 50
"""Most messages held for pages that were woken by them and have not looked yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which conversation a page shows, and what for.

    Attributes:
        conversation: Its id; the page has shown already that it may read it.
        who: Who looks.
        workflow: For the titles of steps, or None.
    """

    conversation: str
    who: Who
    workflow: Titles | None = None


class Feed:
    """Finds the messages that pages lack: those that were just written are at hand, all others are in the store."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._conversations = Conversations(site.db, site.bus, site.clock)
        self._recent: OrderedDict[tuple[str, int], Message | Item] = OrderedDict()
        site.bus.subscribe(self._hear_of)

    async def after(self, place: Place, last: int, newest: int) -> Sequence[Item]:
        """Return the messages that follow number `last`, at most a page of them.

        Args:
            place: Which conversation.
            last: Number of the last message the page has.
            newest: Number of the newest one it heard of.
        """
        wanted = [(place.conversation, seq) for seq in range(last + 1, min(newest, last + _RECENT) + 1)]
        if wanted and all(each in self._recent for each in wanted):
            return [self._held(each, place.workflow) for each in wanted]
        return await self._drawn(place, await self._conversations.after(place.conversation, OWNER, last))

    async def changed(self, place: Place, change: int, last: int) -> tuple[Sequence[Item], int]:
        """Return the messages that changed after change `change`, at most a page of them, and the last one's change.

        Args:
            place: Which conversation.
            change: Number of the last change the page has.
            last: Number of the last message it has: what follows comes as a new message, as it is then.
        """
        found = await self._conversations.changed_since(place.conversation, OWNER, change, last)
        return await self._drawn(place, found), max((each.changed for each in found), default=change)

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
            held = self._recent[key] = self._event(held, workflow)
        return held

    def _event(self, message: Message, workflow: Titles | None) -> Item:
        names = self._site.names(workflow)
        html, summary = event_line(message, names, OWNER), event_words(message, names)
        return {"seq": message.seq, "role": "event", "html": html, "summary": summary}

    async def _drawn(self, place: Place, found: Sequence[Message]) -> Sequence[Item]:
        cards = await cards_of(self._site.db, self._site.registry, place.conversation, place.who, found)
        talk = Talk(place.conversation, cards=cards)
        return [
            self._event(each, place.workflow)
            if is_event(each)
            else {"seq": each.seq, "role": each.role, "html": item(talk, OWNER, self._site.clock.now(), each)}
            for each in found
        ]
