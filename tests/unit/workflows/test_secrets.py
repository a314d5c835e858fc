"""A secret that is typed is sealed where it is stored, kept where a form comes back, and shown nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from pipulate import forms
from pipulate.errors import InvalidAnswersError
from pipulate.security.sealing import seal, unseal
from pipulate.storage import journal
from pipulate.storage.journal import State, StepValue
from pipulate.storage.sealed import Bare, is_sealed, without_secrets
from pipulate.ui.forms import again, fields_of, open_texts, texts_of
from pipulate.workflows import reading, values
from tests.unit.workflows.steps import step_of

SECRET = "hunter2!"


class Login(BaseModel):
    user: str
    password: SecretStr


def enter(name: str, key: SecretStr, login: Login, spare: SecretStr | None = None) -> None: ...


STEP = step_of(enter)
TYPED = {"name": ["Ada"], "key": [SECRET], "login.user": ["ada"], "login.password": [SECRET]}
CHECKED: Any = forms.validate(STEP, forms.decode(STEP.fields, TYPED, {}))
STORED = forms.stored(STEP, CHECKED)


def state(stored: dict[str, Any], *, offered: bool = False) -> State:
    held = {"step": StepValue(1, {"input": stored}, "", {}, "")}
    return State(1, {}, held) if offered else State(1, held)


def taken(typed: dict[str, list[str]], before: State) -> Any:
    return forms.validate(STEP, forms.taken(STEP, typed, {}, reading.given_before(STEP, before)))


def test_sealed_text_is_unsealed_again() -> None:
    assert unseal(seal(SECRET)) == SECRET
    with pytest.raises(ValueError, match="sealed by a version"):
        unseal("aes:...")


def test_stored_secret_is_marked_and_read_back_with_its_type() -> None:
    assert STORED["key"] == {"$sealed": seal(SECRET)}
    assert is_sealed(STORED["login"]["password"])
    assert STORED["spare"] is None
    read = forms.typed(STEP, STORED, None)
    assert (read["key"], read["login"].password) == (SecretStr(SECRET), SecretStr(SECRET))


def test_value_in_short_says_only_that_there_is_a_secret() -> None:
    value, short = values.to_value(STEP, CHECKED, None, {})
    assert SECRET not in short
    assert short == "Ada · •••••• · ada, ••••••"
    assert value["input"] == STORED


@pytest.mark.parametrize("offered", [False, True])
def test_secret_that_is_not_typed_anew_stays(offered: bool) -> None:
    before = state(STORED, offered=offered)
    kept = taken({"name": ["Bob"], "key": [""], "login.user": ["bob"], "login.password": [""]}, before)
    assert forms.stored(STEP, kept) == {**STORED, "name": "Bob", "login": {**STORED["login"], "user": "bob"}}
    replaced = taken({**TYPED, "key": ["other"]}, before)
    assert replaced.key == SecretStr("other")


def test_secret_is_asked_for_where_there_was_none_before() -> None:
    for before in (State(1), state({**STORED, "key": {"$sealed": None}})):
        with pytest.raises(InvalidAnswersError) as caught:
            taken({**TYPED, "key": [""]}, before)
        assert caught.value.problems == {"key": "Please fill this in."}


def test_form_never_holds_a_secret() -> None:
    drawn = fields_of(STEP.fields, texts_of(STEP.fields, STORED), {}, {}, "f")
    assert SECRET not in drawn
    assert "sealed" not in drawn
    assert drawn.count('placeholder="Kept; type to replace"') == 2
    assert drawn.count('type="password"') == 3
    for kept in (part for part in drawn.split("<input") if "Kept" in part):
        assert "required" not in kept.partition(">")[0]
        assert "value=" not in kept.partition(">")[0]


def test_form_that_comes_back_asks_for_the_secret_again_and_shows_nothing_of_it() -> None:
    texts, said = again(STEP.fields, TYPED, {})
    assert SECRET not in str(texts)
    assert list(said) == ["key", "login.password"]
    drawn = fields_of(STEP.fields, texts, said, {}, "f")
    assert SECRET not in drawn
    assert 'value="Ada"' in drawn
    texts, said = again(STEP.fields, {**TYPED, "key": [""]}, STORED)
    assert list(said) == ["login.password"]
    assert fields_of(STEP.fields, texts, said, {}, "f").count("Kept; type to replace") == 2


def test_text_that_looks_like_a_kept_secret_is_only_text() -> None:
    texts, _ = again(STEP.fields, {**TYPED, "key": ["\0kept"]}, {})
    assert "key" not in texts


def test_two_versions_are_compared_without_secrets() -> None:
    assert set(open_texts(STEP.fields, {**TYPED, "spare": ["x"]})) == {"name", "login.user"}


# What leaves the house


def event(version: int, step: str, value: Any, **reads: str) -> dict[str, Any]:
    data = {"value": value, "digest": journal.digest(value), "reads": reads, "short": "s"}
    return {"version": version, "step": step, "data": data}


def test_export_has_no_secret_and_its_digests_fit_what_is_left() -> None:
    first = event(2, "a", {"input": STORED, "output": None, "view": "none"})
    second = event(3, "b", {"input": None, "output": 1, "view": "number"}, a=first["data"]["digest"])
    bare = Bare([first, second], lambda _: pytest.fail("nothing is in a file"))
    assert SECRET not in json.dumps(bare.events)
    made = bare.events[0]["data"]
    assert made["digest"] == journal.digest(made["value"]) != first["data"]["digest"]
    assert bare.events[1]["data"]["reads"] == {"a": made["digest"]}
    assert bare.events[1]["data"]["value"] == second["data"]["value"]
    assert (bare.files, bare.dropped) == ({}, set())
    assert first["data"]["value"]["input"]["key"] == STORED["key"]  # What is stored stays as it is.


def test_export_has_no_secret_in_the_files_of_large_values_either() -> None:
    whole = {"input": {**STORED, "name": "x" * 100}, "output": None, "view": "none"}
    named = {"$file": {"sha256": "0" * 64, "bytes": 1}}
    bare = Bare([event(2, "a", named)], {"0" * 64: whole}.__getitem__)
    ((sha256, content),) = bare.files.items()
    assert SECRET.encode() not in content
    assert bare.dropped == {"0" * 64}
    assert bare.events[0]["data"]["value"] == {"$file": {"sha256": sha256, "bytes": len(content)}}
    assert bare.events[0]["data"]["digest"] == journal.digest(json.loads(content))


def test_value_without_secrets_is_left_as_it_is() -> None:
    value = {"a": [1, {"b": None}], "$sealed": 1, "c": "x"}
    assert without_secrets(value) == value
    assert without_secrets([{"$sealed": "plain:x"}]) == [{"$sealed": None}]
