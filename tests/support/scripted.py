"""A language model that says what a test tells it, and an assistant that asks it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipulate.chat.assistant import Assistant
from pipulate.chat.calls import digest
from pipulate.chat.scene import Scene, doing_in
from pipulate.errors import ModelError, PipulateError
from pipulate.events import Bus, Happening
from pipulate.llm.port import Ask, Call, Called, Condition, Ended, Part, Status, Text, Thinking
from pipulate.security.who import Who
from pipulate.storage import calls, messages
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Database
from pipulate.storage.messages import Message
from pipulate.tools.action import Action, Doing, Effect, Result
from pipulate.tools.registry import Registry
from tests.support.store import Store

ADA = Who("ada", "tab-1")
MODEL = "scripted"


class Tokens:
    """A third of the bytes, and what was counted."""

    def __init__(self) -> None:
        self.learned: list[tuple[str, int, int]] = []

    def estimate(self, model: str, text: str) -> int:
        """Return a third of the bytes, rounded up."""
        del model
        return -(-len(text.encode("utf-8", "surrogatepass")) // 3)

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """Take it down."""
        self.learned.append((model, estimated, counted))


@dataclass
class Says:
    """One answer.

    Attributes:
        text: Sent word by word.
        calls: Name and arguments of each call; arguments that are a text are broken.
        thinking: Sent before the text.
        error: Raised at the end, instead of one.
        reason: Why it ends.
        counted: Tokens of prompt and answer, or None.
        hold: Waited for after the first word, or before it where there is no text.
        is_deaf: Whether it goes on waiting for `hold` when it is told to stop.
    """

    text: str = ""
    calls: Iterable[tuple[str, Any]] = ()
    thinking: str = ""
    error: Exception | None = None
    reason: Any = None
    counted: tuple[int, int] | None = None
    hold: asyncio.Event | None = None
    is_deaf: bool = False


class Scripted:
    """A server with one model.

    Attributes:
        asked: What it was given, one for each answer.
        open: Answers that are being given now.
    """

    def __init__(self, *says: Says | str) -> None:
        self.tokens = Tokens()
        self.asked: list[Ask] = []
        self.open = 0
        self.most_open = 0
        self.condition: Condition = "up"
        self.context = 16_384
        self.has_tools = True
        self.choices: list[str] = []
        self.default: Callable[[Ask], Says] = lambda _: Says("Well.")
        self._says: deque[Says | str] = deque(says)

    def script(self, *says: Says | str) -> None:
        """Have these answers given next."""
        self._says.extend(says)

    def status(self, choice: str = "") -> Status:
        """Return how it stands."""
        self.choices.append(choice)
        has_model = self.condition == "up"
        return Status(
            self.condition, f"The model is {self.condition}.", MODEL if has_model else "", self.context, self.has_tools
        )

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Give the next answer."""
        self.asked.append(ask)
        says = self._says.popleft() if self._says else self.default(ask)
        says = Says(says) if isinstance(says, str) else says
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            async for part in _parts(says, len(self.asked)):
                yield part
        finally:
            self.open -= 1


async def _parts(says: Says, number: int) -> AsyncGenerator[Part, None]:
    if says.thinking:
        yield Thinking(says.thinking)
    words = says.text.split(" ") if says.text else []
    for index, word in enumerate(words):
        yield Text(word if index == 0 else f" {word}")
        if index == 0 and says.hold is not None:
            await _held(says)
    if not words and says.hold is not None:
        await _held(says)
    if says.error is not None:
        raise says.error
    asked = list(says.calls)
    for index, (name, arguments) in enumerate(asked):
        broken = arguments if isinstance(arguments, str) else ""
        yield Called(Call(f"{number}-{index}", name, {} if broken else arguments, broken))
    prompt, answer = says.counted or (None, None)
    yield Ended(says.reason or ("tools" if asked else "stop"), prompt, answer)


async def _held(says: Says) -> None:
    assert says.hold is not None
    while not says.hold.is_set():
        try:
            await says.hold.wait()
        except (asyncio.CancelledError, GeneratorExit):
            if not says.is_deaf:
                raise


class Given(BaseModel):
    """What the actions of tests take."""

    model_config = ConfigDict(extra="forbid")
    value: str = Field(default="", description="Any text.")
    number: int = Field(default=0, description="Any number.", ge=0, le=1_000)


@dataclass
class Effects:
    """Three actions, and all that they did.

    Attributes:
        done: Name, arguments, and in whose name, of each that was carried out.
        hold: Waited for by each, where it is given.
        data: What each gives back.
        untrusted: Whether that is others' words.
    """

    done: list[tuple[str, dict[str, Any], Doing]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    data: Any = "done"
    untrusted: bool = False
    error: Exception | None = None

    def named(self) -> list[str]:
        """Return the names of what was carried out."""
        return [name for name, _, _ in self.done]

    def actions(self) -> list[Action]:
        """Return the actions: look, fill, destroy."""
        effects: Mapping[str, Effect] = {"look": "read", "fill": "write", "destroy": "destroy"}
        return [
            Action(name, name.title(), f"Does {name}.", Given, effect, self._doing(name))
            for name, effect in effects.items()
        ]

    def _doing(self, name: str) -> Callable[[Any, Doing], Awaitable[Result]]:
        async def do(given: Given, doing: Doing) -> Result:
            self.begun.set()
            if self.hold is not None:
                await self.hold.wait()
            if self.error is not None:
                raise self.error
            self.done.append((name, given.model_dump(exclude_unset=True), doing))
            return Result(self.data, f"Did {name}.", "", self.untrusted)

        return do


@dataclass
class Beside:
    """Scenes as a test wants them."""

    db: Database
    title: str = "Demo"
    training: str = ""
    about: str = ""
    untrusted: bool = False
    error: PipulateError | None = None

    async def scene(self, conversation: str, who: Who, view: str) -> Scene:
        """Return the scene."""
        if self.error is not None:
            raise self.error
        doing = await self.db.read(doing_in, conversation, who, view)
        return Scene(doing, self.title, self.training, self.about, self.untrusted)


class Room:
    """An assistant over a store, with a scripted model; Ada is the person."""

    def __init__(self, store: Store) -> None:
        self.store, self.db, self.clock, self.bus = store, store.db, store.clock, Bus()
        self.model, self.effects, self.beside = Scripted(), Effects(), Beside(store.db)
        self.heard: list[Happening] = []
        self.bus.subscribe(self.heard.append)
        self.registry = Registry(self.effects.actions())
        self.assistant = self.opened()

    def opened(self) -> Assistant:
        """Return another assistant over the same store, as after a restart."""
        return Assistant(self.db, self.bus, self.clock, self.model, self.registry, self.beside)

    async def crash(self) -> None:
        """End without a chance to put anything right, then start again."""
        left, self.assistant = self.assistant, self.opened()
        await cut_off(left)
        await self.assistant.start()
        await self.assistant.resume()

    async def again(self) -> None:
        """End in good order, then start again over the same store."""
        await self.assistant.close()
        self.assistant = self.opened()
        await self.assistant.start()
        await self.assistant.resume()

    async def ask(self, conversation: str, text: str = "Hello?", who: Who = ADA) -> int:
        """Ask something and wait until all is answered, or waits for Ada."""
        seq = await self.assistant.ask(conversation, who, text)
        await self.assistant.idle(conversation)
        return seq

    async def decide(self, call: str, decision: Any = "allow", **given: Any) -> CallRow:
        """Decide as Ada does who was shown the card, and wait for all that comes of it."""
        row = self.call(call)
        given.setdefault("shown", digest(row.arguments))
        decided = await self.assistant.decide(call, given.pop("who", ADA), decision, **given)
        await self.assistant.idle(row.conversation)
        return decided

    def log(self, conversation: str) -> list[Message]:
        """Return the log."""
        return self.db.read_now(messages.after, conversation, 0)

    def answers(self, conversation: str) -> list[tuple[str | None, str]]:
        """Return state and text of each answer."""
        return [(each.state, each.text) for each in self.log(conversation) if each.role == messages.ANSWER]

    def call(self, call: str) -> CallRow:
        """Return a call."""
        row = self.db.read_now(calls.find, call)
        assert row is not None
        return row

    def calls(self, conversation: str) -> list[CallRow]:
        """Return the calls of a conversation in the order they were asked for."""
        return [self.call(each.text) for each in self.log(conversation) if each.role == messages.CALL]


async def until(test: Callable[[], object]) -> None:
    """Let everything else go on until something holds."""
    async with asyncio.timeout(20):
        while not test():  # noqa: ASYNC110 - of what a test waits for, nobody tells
            await asyncio.sleep(0)


async def cut_off(assistant: Assistant) -> None:
    """End all that an assistant does, as a power cut does: what it would write by then is not written."""

    async def lost(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    assistant._write = assistant._carrying._write = lost  # type: ignore[method-assign]
    assistant._is_closed = True
    tasks = [each.worker for each in assistant._talks.values() if each.worker is not None]
    tasks += list(assistant._carrying._tasks.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assistant._unsubscribe()


def failing(words: str = "It broke.") -> ModelError:
    """Return an error of a model."""
    return ModelError(words)
