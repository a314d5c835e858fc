"""What people are told about the language model: how it stands with it, what went wrong, and what to do."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pipulate._program import installing
from pipulate.errors import (
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelRefusedError,
    ModelTooLongError,
    ModelUnreachableError,
)  # fmt: skip

OFF: Final = "The language model is switched off: PIPULATE_MODEL_SERVER is off. Everything else works."
LOOKING: Final = "Looking for a language model."
GETTING_READY: Final = "The language model is being made ready. This takes a few seconds after a start."
CUT: Final = "The connection ended before the answer did. What came is kept; ask again."
NONSENSE: Final = "The server sent something that is no answer of a language model. What came before is kept."
TOO_MUCH: Final = "The server sent more than an answer can be, so it was stopped. What came before is kept."
THOUGHT_TOO_LONG: Final = (
    "The model thought on and on without an answer, so it was stopped. Ask in a simpler way, or choose another model."
)
TOO_LONG: Final = (
    "What the model would have to read is more than it can take. Ask something shorter, clear the conversation, or"
    " raise PIPULATE_MODEL_CONTEXT."
)
FILTERED: Final = "The provider stopped this answer: its filter of contents did not let it pass."
NO_TOOLS: Final = "This model cannot use tools. Ask again: from now on it is asked without them."
UNREADABLE: Final = "The models that the server has could not be read; the log says why."
NOT_OLLAMA: Final = "What answers there is not Ollama. Check PIPULATE_MODEL_URL and PIPULATE_MODEL_SERVER."
NOT_OPENAI: Final = "What answers there has no list of models. Check PIPULATE_MODEL_URL: it ends with /v1 mostly."
_KEY: Final = (
    "The server does not accept the key. Set PIPULATE_MODEL_KEY, or keep it in the keyring of this machine, and start"
    " again."
)
_BUSY: Final = "The server has too many requests just now, or you have used up what you may ask. Try again later."
_LOADING: Final = "The server is still loading the model into memory. Try again in a moment."

_SHOWN_MAX: Final = 200
_HTML: Final = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


def not_installed() -> str:
    """Return what is said where the packages for this kind of server are missing."""
    return (
        f"This kind of server needs packages that are not installed: {installing('pydantic_ai')}, then start again."
        " Everything else works."
    )


def down(server: str, *, is_ollama: bool) -> str:
    """Return the words for a server that does not answer."""
    start = "Start Ollama" if is_ollama else "Start it"
    return (
        f"No language model answers at {server}. Everything else works. {start}, or set PIPULATE_MODEL_URL to a server"
        " that runs."
    )


def no_model(*, is_ollama: bool) -> str:
    """Return the words for a server without a model that can chat."""
    if is_ollama:
        return "Ollama runs, but has no model that can chat. Install one, for example: ollama pull qwen3:4b"
    return "The server answers, but has no model that can chat. Load one there, or name it in PIPULATE_MODEL."


def missing(model: str, *, is_ollama: bool) -> str:
    """Return the words for a model that its server does not have."""
    install = f"Install it with: ollama pull {model}" if is_ollama else "Load it there"
    return f"The server has no model {_cut(model)!r}. {install}, or choose another one."


def choose(count: int) -> str:
    """Return the words for a list of models that nobody has chosen from."""
    return f"The server has {count:,} models. Choose one here, or name it in PIPULATE_MODEL."


def up(model: str, *, has_tools: bool, is_loaded: bool, goes_to: str) -> str:
    """Return the words for a model that answers.

    Args:
        model: Its name.
        has_tools: Whether it can ask for tools.
        is_loaded: False where it has to be loaded into memory first.
        goes_to: Where what is said goes to if it leaves this machine; "" otherwise.
    """
    said = f"{_cut(model)} answers."
    if goes_to:
        said += f" What you write to it leaves this machine, for {goes_to}."
    if not has_tools:
        said += " It cannot use tools, so it talks and does nothing."
    if not is_loaded:
        said += " Its first words take longer: it is loaded into memory first."
    return said


def gone(chosen: str) -> str:
    """Return what is added where the model that a person chose is not there any more."""
    return f"The model you chose, {_cut(chosen)}, is not there any more."


def nothing_there(server: str) -> str:
    """Return the words for an address where nothing is that can be asked."""
    return f"There is nothing to ask at {server}. Check PIPULATE_MODEL_URL: for most servers it ends with /v1."


def stalled(seconds: float, *, is_first: bool) -> str:
    """Return the words for a model that says nothing."""
    waited = f"{seconds:g} seconds"
    if is_first:
        return (
            f"The model has not begun to answer within {waited}. It may be too large for this machine; choose a"
            " smaller one, or raise PIPULATE_MODEL_WAIT_S."
        )
    return f"The model stopped in the middle of its answer and said nothing for {waited}. What came is kept; ask again."


def refused(status: int, body: bytes, *, model: str, server: str, is_ollama: bool) -> ModelError:
    """Return the error that an answer of a server with an error status is.

    Args:
        status: Of HTTP; 200 where the error came in the middle of an answer.
        body: The beginning of what came with it.
        model: Name of the model that was asked, "" where none was.
        server: Address of the server.
        is_ollama: Whether the server is Ollama.
    """
    said = told(body)
    if is_too_long(said):
        return ModelTooLongError(TOO_LONG)
    if status in (401, 403):
        return ModelRefusedError(_KEY)
    if status == 429:
        return ModelRefusedError(_BUSY)
    if status in (404, 405):
        there = ModelMissingError(missing(model, is_ollama=is_ollama))
        return there if model else ModelRefusedError(nothing_there(server))
    if status in (502, 503, 504):
        return _away(status, said, server)
    if not said and status != 200:
        return ModelRefusedError(f"The server refused to answer (status {status}).")
    return ModelRefusedError(said_no(said))


def _away(status: int, said: str, server: str) -> ModelError:
    """Return the error for a server that is not there, or not yet."""
    if "load" in said.lower():
        return ModelLoadingError(_LOADING)
    if said:
        return ModelRefusedError(said_no(said))
    return ModelUnreachableError(f"Something at {server} answers, but not a language model (status {status}).")


def said_no(said: str) -> str:
    """Return the words for an error a server tells of."""
    if "does not support tools" in said:
        return NO_TOOLS
    return f"The server of the model refused: {said}" if said else "The server of the model reported an error."


def is_too_long(said: str) -> bool:
    """Tell whether an error of a server means that the prompt does not fit. Every server says it in its own words."""
    return bool(
        re.search(
            r"context[_ ](length|size|window).{0,40}exceed|exceed\w*.{0,60}context|prompt (is )?too long"
            r"|exceed_context_size|maximum context length|longer than the.{0,20}context",
            said,
            re.IGNORECASE,
        )
    )


def told(body: bytes | str) -> str:
    """Return what an answer with an error says, as one short line of plain text; "" for a page of HTML."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "" if _HTML.match(text) else _cut(text)
    return _cut(_message(content))


def _message(content: Any) -> str:
    for name in ("error", "message", "detail"):
        if isinstance(content, dict) and name in content:
            return _message(content[name])
    return content if isinstance(content, str) else ""


def _cut(text: str) -> str:
    """Return a line of text: no control codes, nothing that could be an element, at most 200 characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in re.sub(r"<[^>]*>", " ", text)).split())
    return line if len(line) <= _SHOWN_MAX else line[: _SHOWN_MAX - 1] + "…"
