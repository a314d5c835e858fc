"""Hello: in order, and friendly in every language it offers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipulate import Workflow
from pipulate.builtin.hello import _GREETINGS, hello
from pipulate.testing import Play, check_workflow


@pytest.mark.parametrize("language", ["English", "Deutsch", "Español", "Français"])
def test_greeting_speaks_the_language_that_was_chosen(play: Callable[[Workflow], Play], language: str) -> None:
    run = play(hello).fill(name="{Ada}").fill(language=language)
    assert run["greeting"] == _GREETINGS[language].replace("{name}", "{Ada}")


def test_every_language_that_can_be_chosen_has_a_greeting(play: Callable[[Workflow], Play]) -> None:
    offered = play(hello).fill(name="Ada").fields["language"].choices
    assert {each.text for each in offered} == set(_GREETINGS)


def test_another_name_keeps_the_language(play: Callable[[Workflow], Play]) -> None:
    run = play(hello).fill(name="Ada").fill(language="Deutsch").revert("name").fill(name="Bo").keep()
    assert run.finalize()["greeting"] == "Hallo, Bo!"


def test_promises_hold_whatever_is_done() -> None:
    check_workflow(hello, examples=6)
