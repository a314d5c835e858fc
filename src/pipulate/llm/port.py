"""What a language model is to the rest of the program."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that a model wants to have called.

    Attributes:
        id: What the model, or its adapter, calls this call; unique within one answer.
        name: Name of the tool.
        arguments: Its arguments as JSON; empty where they could not be read.
        broken: The text of the arguments where they are no JSON object, cut to 1,000 characters; "" otherwise.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One message a model is given.

    Attributes:
        role: Who says it; `tool` for the result of a call.
        text: What is said; for `tool` the result as the model reads it.
        calls: The tools an assistant's message asked for.
        call: For `tool`, the id of the call it is the result of.
        name: For `tool`, the name of the tool.
    """

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    call: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a model may ask for.

    Attributes:
        name: `[a-z][a-z0-9_]*`, at most 50 characters.
        description: What it does, for the model.
        parameters: JSON schema of its arguments, an object without references.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything a model is given for one answer.

    Attributes:
        model: Name of the model, as its server knows it.
        messages: What was said, the oldest first.
        tools: What it may ask for; empty for a model without tools.
        context: Most tokens that messages, tools and answer may have together.
        answer: Most tokens of the answer.
        schema: JSON schema that the answer has to fit, or None for free text.
    """

    model: str
    messages: Sequence[Said]
    tools: Sequence[Tool] = ()
    context: int = 16_384
    answer: int = 4_096
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of what a model says to itself before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call the model asks for, whole."""

    call: Call


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an answer that came whole; nothing follows it.

    Attributes:
        reason: `stop`, `tools` where it waits for results, `length` where it was cut at the most tokens it may have.
        prompt: Tokens it was given, as the server counted them; None where it does not say.
        answer: Tokens it wrote; None likewise.
    """

    reason: Literal["stop", "tools", "length"]
    prompt: int | None = None
    answer: int | None = None


Part = Text | Thinking | Called | Ended


@dataclass(frozen=True, slots=True)
class Known:
    """A model that a server has.

    Attributes:
        name: As the server knows it.
        size_bytes: Of its weights, 0 where the server does not say.
        context: Tokens it was made for, 0 likewise.
        has_tools: Whether it can ask for tools; None where the server does not say.
        is_loaded: Whether it is in memory now.
        is_remote: Whether its server has it elsewhere, so that what is said leaves this machine.
        can_chat: False for one that only makes embeddings.
        modified_at: When it was installed or changed, ISO 8601, "" where the server does not say.
    """

    name: str
    size_bytes: int = 0
    context: int = 0
    has_tools: bool | None = None
    is_loaded: bool = False
    is_remote: bool = False
    can_chat: bool = True
    modified_at: str = ""


class Model(Protocol):
    """A server of language models."""

    def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part; the last is `Ended`. Closing it stops the model.

        Raises:
            ModelError: If there is no answer, or it breaks off. What was yielded before stands.
        """
        ...

    async def known(self) -> Sequence[Known]:
        """Return what the server has; quick, for it is asked again and again.

        Raises:
            ModelError: If the server does not answer as it should.
        """
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...


Condition = Literal["off", "looking", "up", "loading", "no_model", "down"]
"""How it stands with the language model.

`off` is a setting; `looking` only until the first look has ended; `up` answers; `loading` will, once the model is in
memory; `no_model` is a server without a model that can chat; `down` a server that does not answer.
"""


@dataclass(frozen=True, slots=True)
class Status:
    """How it stands with the language model, for one person's choice.

    Attributes:
        condition: In one word.
        words: The same for people, with what to do, in one or two plain sentences.
        model: Name of the model that is asked next, "" where there is none.
        context: Tokens it takes, prompt and answer together.
        has_tools: Whether it can ask for tools.
        leaves: Whether what is said leaves this machine.
        server: Address of the server, without user and password.
        known: All models that can be chosen.
        lost: Name of the model that was chosen and is not there any more, or "".
        is_ollama: Whether it is Ollama that is looked for.
    """

    condition: Condition
    words: str
    model: str = ""
    context: int = 0
    has_tools: bool = False
    leaves: bool = False
    server: str = ""
    known: Sequence[Known] = ()
    lost: str = ""
    is_ollama: bool = False
