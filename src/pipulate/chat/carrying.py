"""Carrying out the calls that are allowed: each in a task of its own, which says itself what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
from pipulate.chat import calls as judging
from pipulate.chat import turn
from pipulate.chat.scene import Scenes
from pipulate.errors import CallDecidedError, PipulateError
from pipulate.security.who import Who
from pipulate.storage import calls, messages
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Database
from pipulate.tools.action import Doing
from pipulate.tools.registry import Registry, checked

_READ_S: Final = 120.0  # A look at something that takes longer is of no use to a conversation.
_FINISH_S: Final = 5.0  # What is being carried out when the program ends gets this long.
_LET_GO_S: Final = 1.0

_log = get_logger()


class Outcome(NamedTuple):
    """What came of a call: its state, and what its row keeps."""

    state: str
    result: dict[str, Any]
    untrusted: bool = False


class Carrying:
    """Carries out calls whose row says `running`, and writes into it what came of them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        registry: Registry,
        scenes: Scenes,
        *,
        write: Callable[..., Awaitable[Any]],
        over: Callable[[str], None],
    ) -> None:
        """Wire it up.

        Args:
            db: The store.
            clock: The time.
            registry: The actions.
            scenes: Knows what conversations are beside.
            write: Writes to a conversation, and tells whoever listens.
            over: Told the conversation of each call that has ended.
        """
        self._db, self._clock, self._registry, self._scenes = db, clock, registry, scenes
        self._write, self._over = write, over
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._conversations: dict[str, str] = {}

    def ids(self) -> set[str]:
        """Return the ids of the calls that are being carried out."""
        return set(self._tasks)

    def tasks(self, conversation: str) -> list[asyncio.Task[None]]:
        """Return what is being carried out in a conversation."""
        return [task for call, task in self._tasks.items() if self._conversations[call] == conversation]

    def begin(self, row: CallRow, doing: Doing | None = None) -> asyncio.Task[None]:
        """Carry out a call; `doing` is in whose name and beside what, looked up where it is not given."""
        task = asyncio.create_task(self._carry(row, doing), name=f"call {row.action}")
        self._tasks[row.id], self._conversations[row.id] = task, row.conversation
        return task

    async def wait(self, row: CallRow, doing: Doing) -> None:
        """Carry out a call and wait until it has ended; whoever stops waiting breaks off what only looks."""
        task = self.begin(row, doing)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            if row.effect == "read":
                task.cancel()
            raise

    async def close(self) -> None:
        """Give what is being carried out a moment to end, then break it off."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_FINISH_S)
        if left := list(self._tasks.values()):
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_LET_GO_S)

    async def _carry(self, row: CallRow, doing: Doing | None) -> None:
        try:
            try:
                outcome = await self._outcome(row, doing)
            except asyncio.CancelledError:
                end = turn.cut_short if row.effect == "read" else turn.lost  # Who stops a look ends its turn as well.
                await self._write(row.conversation, end, row, to_text(self._clock.now()))
                return
            await self._write(
                row.conversation, calls.change, row.id, calls.RUNNING, state=outcome.state, result=outcome.result,
                untrusted=outcome.untrusted, ended_at=to_text(self._clock.now()),
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - task border: the row stays `running`, which the next start puts right
            _log.error("call.not_noted", call=row.id, exc_info=error)
        finally:
            del self._tasks[row.id], self._conversations[row.id]
            self._over(row.conversation)

    async def _outcome(self, row: CallRow, doing: Doing | None) -> Outcome:
        """Do it; return what came of it. Nothing that an action raises gets any further."""
        try:
            doing = doing or await self._doing(row)
            action = self._registry.find(row.action)
            if action is None or action.effect != row.effect or (action.offered and not action.offered(doing)):
                return _failed("There is no such action here any more.")
            try:
                given = checked(action, row.arguments)
            except ValueError as error:
                return _failed(f"The arguments do not fit any more: {error}")
            async with asyncio.timeout(_READ_S if action.effect == "read" else None):
                result = await action.do(given, replace(doing, submit=row.id))
            return Outcome(calls.DONE, judging.stored(result), result.untrusted)
        except PipulateError as error:
            return _failed(str(error))
        except TimeoutError:
            return _failed("This took too long, so it was broken off.")
        except Exception as error:  # noqa: BLE001 - plugin border: an action that fails is a call that failed
            _log.error("action.failed", action=row.action, exc_info=error)
            return _failed("It failed because of a mistake in the action; the log of the program says more.")

    async def _doing(self, row: CallRow) -> Doing:
        """Return in whose name a call is carried out: without a tab, so that every page shows what it did.

        Raises:
            CallDecidedError: If another profile is chosen than when it was proposed.
        """
        question = await self._db.read(messages.find, row.conversation, row.question)
        answer = await self._db.read(messages.find, row.conversation, row.answer)
        view = str(question.data.get("view", "")) if question is not None else ""
        doing = (await self._scenes.scene(row.conversation, Who(row.actor), view)).doing
        if doing.run is None and answer is not None and answer.data.get("profile") not in (None, doing.profile):
            raise CallDecidedError(judging.OTHER_PROFILE)
        return doing


def _failed(words: str) -> Outcome:
    return Outcome(calls.FAILED, judging.told(words))
