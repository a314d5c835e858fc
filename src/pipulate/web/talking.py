"""What a page is told of its conversation: new messages, changes of old ones, answers as they grow, which model it is.

A page names what it has: the last message, the last change, and how many pieces of the answer that is being written.
What it lacks is found from that, so a page that was away goes on exactly where it was.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pipulate.events import AnswerGrew, Happening, MessageChanged, MessagesAdded, ModelChanged
from pipulate.storage import messages as stored
from pipulate.ui.assistant.model import model_line
from pipulate.web.feed import Feed, Item, Place
from pipulate.web.site import Site, chosen_model

Frame = dict[str, Any]

_GATHER_S: Final = 0.04  # What a model writes in that time is sent as one.
_GATHER_LATER_S: Final = 0.1  # Of a long answer, when nobody reads as fast as it comes anyway.
_LONG: Final = 250  # frames
_FRAME: Final = 65_536  # characters; more at once is sent as several frames, so that little waits for a slow reader
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_GROWN: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")


class Talking:
    """The conversation of one page, as far as the page has it."""

    def __init__(
        self, site: Site, feed: Feed, place: Place, query: Mapping[str, str], send: Callable[[Frame], Awaitable[None]]
    ) -> None:
        """Begin where the page is.

        Args:
            site: The application.
            feed: Finds and draws messages.
            place: Which conversation.
            query: What the address of the socket says.
            send: Sends a frame to the page.

        Raises:
            ValueError: If the address was not made by our script.
        """
        self._site, self._feed, self._place, self._send = site, feed, place, send
        self._last = number(query.get("after", "0"))
        self._change = number(query.get("changes", "0"))
        self._grown = _grown(query.get("grown"))
        self._model = query.get("model", "")[:20]
        self._newest, self._newest_change = self._last, self._change
        self._cleared: int | None = None
        self._has_model_news = True
        self._grew = asyncio.Event()
        self._in_order = asyncio.Lock()

    @property
    def place(self) -> Place:
        """Which conversation it is, and what for."""
        return self._place

    @place.setter
    def place(self, place: Place) -> None:
        self._place = place

    def hear(self, happening: Happening) -> bool:
        """Take down what happened; tell whether the page has to be told."""
        conversation = self._place.conversation
        match happening:
            case MessagesAdded(conversation=where, seq=seq) if where == conversation:
                self._newest = max(self._newest, seq)
            case MessageChanged(conversation=where, change=change) if where == conversation:
                self._newest_change = max(self._newest_change, change)
            case AnswerGrew(conversation=where) if where == conversation:
                self._grew.set()
                return False  # Told by `follow`, which waits for nothing else.
            case ModelChanged():
                self._has_model_news = True
            case _:
                return False
        return True

    async def begin(self) -> None:
        """Tell what the page missed before it came, or while it was away."""
        async with self._in_order:
            await self._send_messages()
            await self._send_changes()
        await self._send_model()
        self._grew.set()

    async def tell(self) -> None:
        """Tell what is new."""
        async with self._in_order:
            if self._newest > self._last:
                await self._send_messages()
            if self._newest_change > self._change:
                await self._send_changes()
        await self._send_model()

    async def follow(self) -> None:
        """Tell of the answer that is being written: its first words at once, later ones together."""
        sent = 0
        while True:
            await self._grew.wait()
            self._grew.clear()
            sent = sent + 1 if await self._send_growth() else 0
            await asyncio.sleep(_GATHER_S if sent < _LONG else _GATHER_LATER_S)

    async def _send_growth(self) -> bool:
        """Send what the page lacks of the answer; tell whether it was the same answer as before."""
        seq = self._site.answers.seq(self._place.conversation)
        if seq is None:
            return False
        async with self._in_order:
            if seq > self._last:
                self._newest = max(self._newest, seq)
                await self._send_messages()
            if seq > self._last:
                return False  # Not in the store yet; whoever put it there says so.
            is_same = seq == self._grown[0]
            if not is_same:
                self._grown = (seq, 0, 0)
            frame = self._site.answers.since(self._place.conversation, *self._grown)
            if frame is not None:
                self._grown = (seq, frame["to"], frame.get("thoughts", self._grown[2]))
                await self._send(frame)
        return is_same

    async def _send_messages(self) -> None:
        while True:
            new = await self._feed.after(self._place, self._last, self._newest)
            for items in _in_frames(new):
                await self._send({"type": "messages", "last": items[-1]["seq"], "items": items})
                self._last = items[-1]["seq"]
            if not new or (len(new) < stored.PAGE and self._last >= self._newest):
                return

    async def _send_changes(self) -> None:
        while True:
            # The numbers first: what changes while the messages are read is told next, and not taken for cleared.
            _, newest, cleared = await self._site.db.read(stored.numbers, self._place.conversation)
            changed, change = await self._feed.changed(self._place, self._change, self._last)
            for items in _in_frames(changed):
                plain = [{"seq": each["seq"], "html": each["html"]} for each in items]
                await self._send({"type": "changed", "change": change, "items": plain})
            if not changed:
                break
            self._change = change
        is_cleared = self._cleared not in (None, cleared)  # Which a later change of a message may have hidden.
        self._cleared = cleared
        if newest > self._change or is_cleared:  # What changed is not shown any more, or all is shown again.
            self._change = max(newest, self._change)
            await self._send({"type": "cleared", "change": self._change, "upto": cleared})

    async def _send_model(self) -> None:
        if not self._has_model_news:
            return
        self._has_model_news = False
        choice = await self._site.db.read(chosen_model, self._place.who.actor)
        html, digest = model_line(self._site.models.status(choice))
        if digest != self._model:
            self._model = digest
            await self._send({"type": "model", "html": html})


def number(text: str) -> int:
    """Return a number our own script put into the address.

    Raises:
        ValueError: If it is none of ours.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text[:20]!r}")
    return int(text)


def _grown(text: str | None) -> tuple[int, int, int]:
    """Return number of an answer, and how many pieces of it and of what was thought the page has.

    Raises:
        ValueError: If that is none of ours.
    """
    if not text:
        return 0, 0, 0
    match = _GROWN.fullmatch(text)
    if match is None:
        raise ValueError(f"not an answer: {text[:20]!r}")
    return int(match[1]), int(match[2]), int(match[3])


def _in_frames(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield items together until they are large enough to be sent."""
    frame: list[Item] = []
    size = 0
    for item in items:
        frame.append(item)
        size += len(item["html"])
        if size >= _FRAME:
            yield frame
            frame, size = [], 0
    if frame:
        yield frame
