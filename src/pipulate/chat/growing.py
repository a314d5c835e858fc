"""An answer while it grows: what readers follow until it is in the store."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Growing:
    """The words of an answer that is being written.

    Both lists only ever get longer, so that a reader keeps the number of pieces it has and takes what is behind.

    Attributes:
        seq: Number of its message.
        chunks: The pieces of the answer, in the order they came.
        thinking: The pieces of what the model said to itself.
        is_over: Whether nothing will be added; the message in the store is whole then, or will be in a moment.
    """

    seq: int
    chunks: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    is_over: bool = False

    @property
    def text(self) -> str:
        """All pieces of the answer."""
        return "".join(self.chunks)
