"""Hello: in order, and friendly in every language it offers."""

from __future__ import annotations

import pytest

from pipulate import Run
from pipulate.builtin.hello import greeting, hello
from tests.unit.workflows.steps import state_of, value


def test_app_is_in_order() -> None:
    assert hello.prepare() == []


@pytest.mark.parametrize("language", ["English", "Deutsch", "Español", "Français"])
def test_greeting_speaks_the_language_that_was_chosen(language: str) -> None:
    hello.prepare()
    run = Run(hello, state_of(name=value("{Ada}", name="{Ada}"), language=value(language, language=language)))
    assert "{Ada}" in greeting(run)


def test_every_language_that_can_be_chosen_has_a_greeting() -> None:
    hello.prepare()
    offered = {option.value for option in hello["language"].fields[0].options}
    from pipulate.builtin.hello import _GREETINGS

    assert offered == set(_GREETINGS)
