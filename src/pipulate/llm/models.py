"""The one server of language models: how it stands with it, which model is asked, and the limits of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from pipulate._log import get_logger
from pipulate.errors import (
    ModelCutError,
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelStalledError,
    ModelUnreachableError,
)  # fmt: skip
from pipulate.llm import words
from pipulate.llm.address import address, host, is_here
from pipulate.llm.choosing import best, can_be_chosen, free_memory, named
from pipulate.llm.port import Ask, Called, Condition, Ended, Known, Model, Part, Status, Text, Thinking
from pipulate.llm.reading import clean
from pipulate.llm.tokens import Tokens
from pipulate.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited for a server, and how much it may say.

    Attributes:
        look_s: Seconds that a look may take.
        between_s: Seconds from one part of an answer to the next; for the first, `model_wait_s` of the settings.
        answer_bytes: Most of an answer, with its calls.
        thinking_bytes: Most of what is thought before it.
    """

    look_s: float = 0.5
    between_s: float = 60.0
    answer_bytes: int = 400_000
    thinking_bytes: int = 200_000


USUAL: Final = Limits()

_log = get_logger()

_SETTLED_S: Final = 15.0
_SELDOM_S: Final = 30.0
_SOON_S: Final = (1.0, 8.0)
_PATIENT: Final = 6  # A busy machine is late more than once: a look after a late one, which nobody awaits, is longer.


class Models:
    """The one server of language models, its condition, and asking it.

    Attributes:
        tokens: Estimates how many tokens a text is.
    """

    def __init__(
        self,
        server: Model | None,
        settings: Settings,
        *,
        changed: Callable[[], None],
        limits: Limits = USUAL,
        free_bytes: Callable[[], int | None] = free_memory,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Stand before a server; nothing is asked yet.

        Args:
            server: What is asked; None where language models are switched off.
            settings: Those that begin with `model`.
            changed: Called after a look that found something else than the one before.
            limits: How long is waited, and how much is taken.
            free_bytes: Memory that is free on this machine; None where it does not say.
            pause: Waits some seconds.
        """
        self._server, self._settings, self._changed = server, settings, changed
        self._limits, self._free_bytes, self._pause = limits, free_bytes, pause
        self._is_ollama = settings.model_server == "ollama"
        self._address = address(settings)
        self._is_here = is_here(self._address)
        self._looking = asyncio.Lock()
        self._seen: Sequence[Known] | None = None
        self._error: ModelError | None = None
        self._answering = 0  # Answers that are under way.
        self._late = 0  # Looks in a row that took too long.
        self._without_tools: set[str] = set()
        self._free: tuple[frozenset[str], int | None] = (frozenset(), None)
        self.tokens = Tokens()

    # How it stands with it

    def status(self, choice: str = "") -> Status:
        """Return how it stands for a person, from the last look; never waits.

        Args:
            choice: Name of the model that the person has chosen; "" where the choice is left to the program.
        """
        if self._server is None:
            return Status("off", words.OFF)
        if self._error is not None:
            loading = isinstance(self._error, ModelLoadingError)
            return self._without("loading" if loading else "down", str(self._error))
        if self._seen is None:
            return self._without("looking", words.LOOKING)
        there = can_be_chosen(self._seen, remote=self._settings.model_remote)
        if not there:
            return self._without("no_model", words.no_model(is_ollama=self._is_ollama))
        wanted = self._settings.model
        model = named(there, choice) or (named(there, wanted) if wanted else self._best(there))
        if model is None:
            said = words.missing(wanted, is_ollama=self._is_ollama) if wanted else words.choose(len(there))
            return self._without("no_model", said, there)
        return self._with(model, there, lost=choice if choice and named(there, choice) is None else "")

    def _without(self, condition: Condition, said: str, there: Sequence[Known] = ()) -> Status:
        return Status(
            condition, said, leaves=not self._is_here, server=self._address, known=there, is_ollama=self._is_ollama
        )

    def _with(self, model: Known, there: Sequence[Known], *, lost: str) -> Status:
        goes_to = (model.is_remote and "the servers of Ollama") or ("" if self._is_here else host(self._address))
        has_tools = model.has_tools is not False and model.name not in self._without_tools
        said = words.up(
            model.name,
            has_tools=has_tools,
            is_loaded=model.is_loaded or not model.size_bytes or model.is_remote,
            goes_to=goes_to,
        )
        return Status(
            "up",
            f"{words.gone(lost)} {said}" if lost else said,
            model=model.name,
            context=self._context(model),
            has_tools=has_tools,
            leaves=bool(goes_to),
            server=self._address,
            known=there,
            lost=lost,
            is_ollama=self._is_ollama,
        )

    def _best(self, there: Sequence[Known]) -> Known | None:
        """Return the model to ask where nobody has chosen one.

        Memory is looked at anew only where there are other models than before: else the choice would change with
        every program that somebody opens.
        """
        names = frozenset(each.name for each in there)
        if self._free[0] != names:
            self._free = (names, self._free_bytes() if self._is_here else None)
        return best(there, context=self._settings.model_context, free_bytes=self._free[1])

    def _context(self, model: Known | None) -> int:
        """Return the tokens of a model. One number for each, because Ollama loads a model anew for another."""
        most = self._settings.model_context
        return min(most, model.context or most) if model else most

    # Looking

    async def look(self, times: int = 1) -> None:
        """Look how it stands now; takes half a second at most, or `times` that."""
        if self._server is None:
            return
        async with self._looking:
            try:
                async with asyncio.timeout(self._limits.look_s * times):
                    found = await self._server.known()
            except TimeoutError:
                self._late += 1
                # A model that answers may leave its machine no time to answer us: one late look says nothing.
                is_silent = self._late > 1 and not self._answering
                if is_silent or self._seen is None or self._error is not None:
                    self._note(None, ModelUnreachableError(words.down(self._address, is_ollama=self._is_ollama)))
            except ModelError as error:
                self._note(None, error)
            except Exception as error:  # noqa: BLE001 - a list that no adapter can read must not end the looking
                _log.error("model.look_failed", exc_info=error)
                self._note(None, ModelNonsenseError(words.UNREADABLE))
            else:
                self._note(found, None)

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        wait = 0.0
        while self._server is not None:
            await self.look(_PATIENT if self._late else 1)
            wait = _SOON_S[0] if self._late == 1 else until_next_look(self._error, wait)
            await self._pause(wait)

    def _note(self, seen: Sequence[Known] | None, error: ModelError | None) -> None:
        before = (self._seen, str(self._error or ""))
        self._error = error
        if seen is not None:
            self._seen, self._late = tuple(seen), 0
        if before != (self._seen, str(error or "")):
            self._changed()

    # Asking

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part; the last is `Ended`. Closing it stops the model.

        The context of a model is the one `status` gives for it, whatever is asked for.

        Raises:
            ModelError: If there is no answer, if it breaks off, takes too long or does not end. What was yielded
                before stands.
        """
        if self._server is None:
            raise ModelMissingError(words.OFF)
        if self._seen is None:
            await self.look()
        if not ask.model:
            raise ModelMissingError(self.status().words)
        known = named(self._seen or (), ask.model)
        if known is None and self._error is not None:
            raise self._error.with_traceback(None)
        # A name that is not listed may be one of a model that Ollama has running elsewhere.
        if self._is_ollama and (known is None or (known.is_remote and not self._settings.model_remote)):
            raise ModelMissingError(words.missing(ask.model, is_ollama=True))
        asked = replace(ask, context=self._context(known))
        self._answering += 1
        try:
            async with aclosing(self._server.stream(asked)) as parts, aclosing(self._limited(parts)) as limited:
                async for part in limited:
                    yield part
        except ModelUnreachableError as error:
            self._note(None, error)  # Everybody hears of it now, and not at the next look.
            raise
        except ModelRefusedError as error:
            if str(error) == words.NO_TOOLS and known is not None:  # Its server did not say so before.
                self._without_tools.add(known.name)
                self._changed()
            raise
        finally:
            self._answering -= 1

    async def _limited(self, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[Part, None]:
        wait, is_first = self._settings.model_wait_s, True
        said = thought = 0
        while True:
            try:
                async with asyncio.timeout(wait):
                    part = await anext(parts, None)
            except TimeoutError:
                raise ModelStalledError(words.stalled(wait, is_first=is_first)) from None
            if part is None:
                raise ModelCutError(words.CUT)
            thought += len(part.text) if isinstance(part, Thinking) else 0
            said += _size(part)
            if said > self._limits.answer_bytes:
                raise ModelNonsenseError(words.TOO_MUCH)
            if thought > self._limits.thinking_bytes:
                raise ModelNonsenseError(words.THOUGHT_TOO_LONG)
            yield _clean(part)
            if isinstance(part, Ended):
                return
            wait, is_first = self._limits.between_s, False

    async def close(self) -> None:
        """Let go of the server."""
        if self._server is not None:
            await self._server.close()


def until_next_look(error: ModelError | None, before_s: float) -> float:
    """Return how many seconds there are from one look to the next.

    Soon while a model loads, seldom where nothing has answered for a while.

    Args:
        error: What the last look found, if it was that.
        before_s: How long it was the time before; 0 after the first look.
    """
    if error is None:
        return _SETTLED_S
    if isinstance(error, ModelLoadingError):
        first, most = _SOON_S
        return min(most, before_s * 2) if first <= before_s <= most else first
    return min(_SELDOM_S, max(_SETTLED_S, before_s * 1.25))


def _clean(part: Part) -> Part:
    if isinstance(part, Text | Thinking):
        return replace(part, text=clean(part.text))
    return part


def _size(part: Part) -> int:
    """Return the bytes of a part of an answer, about."""
    if isinstance(part, Text):
        return len(part.text.encode("utf-8", "surrogatepass"))
    if isinstance(part, Called):
        return len(part.call.name) + len(part.call.broken) + len(str(part.call.arguments))
    return 0
