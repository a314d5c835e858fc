"""Words about the model: plain, with what to do, and never what a server sent as it is."""

from __future__ import annotations

import json

import pytest

from pipulate.errors import (
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelRefusedError,
    ModelTooLongError,
    ModelUnreachableError,
)
from pipulate.llm import words
from tests.support.ollama import STATUSES

HERE = "http://127.0.0.1:11434"


def refused(status: int, body: bytes | str, model: str = "m") -> ModelError:
    content = body if isinstance(body, bytes) else body.encode()
    return words.refused(status, content, model=model, server=HERE, is_ollama=True)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("missing", ModelMissingError, "ollama pull m"), ("key", ModelRefusedError, "PIPULATE_MODEL_KEY"),
        ("busy", ModelRefusedError, "Try again later"), ("full", ModelRefusedError, "server busy"),
        ("loading", ModelLoadingError, "Try again in a moment"), ("html", ModelUnreachableError, "status 502"),
        ("too_long", ModelTooLongError, "PIPULATE_MODEL_CONTEXT"), ("no_tools", ModelRefusedError, "cannot use tools"),
        ("wrong", ModelRefusedError, "model runner has unexpectedly stopped"),
        ("moved", ModelRefusedError, "status 307"),
    ],
)  # fmt: skip
def test_status_of_an_error_says_what_it_is_and_what_to_do(name: str, kind: type[ModelError], says: str) -> None:
    error = refused(*STATUSES[name])
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize(
    "said",
    [
        "prompt too long; exceeded max context length by 4 tokens", "input length exceeds the context length",
        "the request exceeds the available context size. try increasing it", "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, you requested 9000", "prompt is too long: 9 > 8",
        "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
    ],
)  # fmt: skip
def test_prompt_that_does_not_fit_is_known_by_the_words_of_every_server(said: str) -> None:
    assert isinstance(refused(400, json.dumps({"error": said})), ModelTooLongError)


@pytest.mark.parametrize("said", ["rate limit exceeded", "context canceled", "the model has no context", "too long"])
def test_other_errors_are_not_taken_for_a_prompt_that_does_not_fit(said: str) -> None:
    assert isinstance(refused(400, json.dumps({"error": said})), ModelRefusedError)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error":"no"}', "no"), (b'{"error":{"message":"no","code":1}}', "no"), (b'{"detail":"no"}', "no"),
        (b"plain words", "plain words"), (b" <!DOCTYPE html><p>x", ""), (b"<HTML>x", ""), (b"", ""), (b"[1]", ""),
        (b'{"error":null}', ""), (b'{"error":{"message":7}}', ""), (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"error":"<img src=x onerror=y>a\\u001b[2J\\nb\\u202e"}', "a [2J b"), (b"[" * 100_000, "[" * 199 + "…"),
    ],
)  # fmt: skip
def test_error_of_a_server_becomes_one_short_plain_line(body: bytes, told: str) -> None:
    assert words.told(body) == told


def test_error_of_a_server_is_cut() -> None:
    assert len(words.told(json.dumps({"error": "long " * 1_000}))) == 200


def test_address_where_nothing_is_says_how_addresses_end() -> None:
    assert "ends with /v1" in str(refused(404, "404 page not found", model=""))


def test_server_that_is_down_says_what_works_and_what_to_do() -> None:
    said = words.down(HERE, is_ollama=True)
    assert said.startswith(f"No language model answers at {HERE}. Everything else works. Start Ollama, or ")
    assert "Ollama" not in words.down("https://x/v1", is_ollama=False)


def test_server_without_a_model_says_how_to_get_one() -> None:
    assert "ollama pull" in words.no_model(is_ollama=True)
    assert "ollama" not in words.no_model(is_ollama=False).lower()


def test_model_that_answers_says_where_words_go_and_what_it_cannot_do() -> None:
    assert words.up("q", has_tools=True, is_loaded=True, goes_to="") == "q answers."
    assert words.up("q", has_tools=False, is_loaded=False, goes_to="api.example.com") == (
        "q answers. What you write to it leaves this machine, for api.example.com. It cannot use tools, so it talks and"
        " does nothing. Its first words take longer: it is loaded into memory first."
    )


def test_name_of_a_model_is_no_place_for_control_codes_or_markup() -> None:
    assert words.up("q\x1b[2J<b>\n", has_tools=True, is_loaded=True, goes_to="") == "q [2J answers."
