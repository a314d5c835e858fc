"""Answers that grow, drawn once for all pages that show them.

A model writes piece by piece. What makes whole blocks of Markdown is drawn, sanitised and never touched again; the rest
is text until then. Pages hold how many pieces they have, so one that was away goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipulate.chat.growing import Growing
from pipulate.ui.assistant.answers import SoFar
from pipulate.ui.assistant.prose import finished, prose, whole
from pipulate.ui.html import Html, join

Frame = dict[str, Any]


@dataclass(slots=True)
class _Drawn:
    """How far an answer was drawn.

    Attributes:
        growing: The answer.
        chunks: How many of its pieces were taken.
        blocks: Number of pieces by which blocks were whole, and the blocks.
        tail: What follows them, as text.
    """

    growing: Growing
    chunks: int = 0
    blocks: list[tuple[int, Html]] = field(default_factory=list)
    tail: str = ""

    def advance(self) -> None:
        """Take in what has come."""
        new = whole("".join(self.growing.chunks[self.chunks :]))
        self.chunks = len(self.growing.chunks)
        self.tail += new
        if "\n" not in new:
            return
        if length := finished(self.tail):
            self.blocks.append((self.chunks, prose(self.tail[:length])))
            self.tail = self.tail[length:]


class Answers:
    """Draws the answers that are being written."""

    def __init__(self, growing: Callable[[str], Growing | None]) -> None:
        """Wire it up; `growing` returns the answer that is being written in a conversation, or None."""
        self._growing = growing
        self._drawn: dict[str, _Drawn] = {}

    def so_far(self, conversation: str) -> SoFar | None:
        """Return how far the answer of a conversation has come, or None where none is being written."""
        drawn = self._advanced(conversation)
        if drawn is None:
            return None
        thoughts = drawn.growing.thinking
        return SoFar(
            drawn.growing.seq, join(html for _, html in drawn.blocks), drawn.tail, whole("".join(thoughts)),
            drawn.chunks, len(thoughts),
        )  # fmt: skip

    def since(self, conversation: str, seq: int, chunks: int, thoughts: int) -> Frame | None:
        """Return what a page lacks of an answer, or None where it lacks nothing.

        Args:
            conversation: Its conversation.
            seq: Number of its message.
            chunks: How many pieces of it the page has.
            thoughts: How many pieces the page has of what the model said to itself.
        """
        drawn = self._advanced(conversation)
        if drawn is None or drawn.growing.seq != seq or chunks > drawn.chunks:
            return None
        new = drawn.growing.thinking[thoughts:]
        if chunks == drawn.chunks and not new:
            return None
        frame: Frame = {"type": "grows", "seq": seq, "from": chunks, "to": drawn.chunks}
        blocks = [html for at, html in drawn.blocks if at > chunks]
        if blocks:
            frame |= {"blocks": join(blocks), "text": drawn.tail}
        else:
            frame["text"] = whole("".join(drawn.growing.chunks[chunks : drawn.chunks]))
        if new:
            frame |= {"thinking": whole("".join(new)), "thoughts": thoughts + len(new)}
        return frame

    def seq(self, conversation: str) -> int | None:
        """Return the number of the answer that is being written, or None."""
        growing = self._growing(conversation)
        return growing.seq if growing is not None else None

    def _advanced(self, conversation: str) -> _Drawn | None:
        growing = self._growing(conversation)
        drawn = self._drawn.get(conversation)
        if growing is None:
            self._drawn.pop(conversation, None)
            return None
        if drawn is None or drawn.growing is not growing:
            # Those that ended with nobody looking on are let go of.
            self._drawn = {each: kept for each, kept in self._drawn.items() if not kept.growing.is_over}
            drawn = self._drawn[conversation] = _Drawn(growing)
        drawn.advance()
        return drawn
