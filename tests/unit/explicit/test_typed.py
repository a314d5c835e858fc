"""Typed code in handlers: it is read as data, or not at all."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from fasthtml.components import Button, Div
from fasthtml.xtend import Script
from hypothesis import given
from hypothesis import strategies as st

from pipulate.explicit.markup import render
from pipulate.explicit.typed import Call, parsed


def handler(code: str) -> str:
    """Return what public plugins write: typed code in backticks, its own backticks escaped and nothing else."""
    return f"runJsWidget('w', `{code.replace('`', chr(92) + '`')}`, 'w_target')"


def data_of(markup: str) -> Any:
    found = re.search(r'data-pip-code="([^"]*)"', markup)
    assert found is not None, markup
    return json.loads(unescape(found[1]))


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("runJsWidget('w', `alert(1)`, 't')", Call("w", "alert(1)", "t", ends=False)),
        (' window.runJsWidget( "w" , \'a\' , `t` , ) ; ', Call("w", "a", "t", ends=False)),
        ("return runJsWidget('w', 'a', 't');", Call("w", "a", "t", ends=False)),
        ("runJsWidget('w', 'a', 't'); return false;", Call("w", "a", "t", ends=True)),
        (
            r"runJsWidget('w', 'it\'s \"a\"\n\t\\ \x41\u0042\u{1F600}\z', 't')",
            Call("w", 'it\'s "a"\n\t\\ AB😀z', "t", ends=False),
        ),
        ("runJsWidget('w', `a\r\nb\rc\\\nd`, 't')", Call("w", "a\nb\ncd", "t", ends=False)),
        (
            "runJsWidget('w', `${document.title} \\`${x}\\``, 't')",
            Call("w", "${document.title} `${x}`", "t", ends=False),
        ),
    ],
)  # fmt: skip
def test_call_of_three_literals_is_read(code: str, read: Call) -> None:
    assert parsed(code) == read


@pytest.mark.parametrize(
    "code",
    [
        "runJsWidget('w', `a`, 't'); alert(1)",
        "alert(1); runJsWidget('w', `a`, 't')",
        "runJsWidget('w', `a` + alert(1) + `b`, 't')",
        "runJsWidget('w', `a`, alert(1))",
        "runJsWidget('w', `a`)",
        "runJsWidget('w', 'a\nb', 't')",
        "runJsWidget('w', document.title, 't')",
        "runJsWidget('w', `a",
        "setTimeout(() => runJsWidget('w', `a`, 't'))",
    ],
)
def test_anything_more_is_not_read(code: str) -> None:
    assert parsed(code) is None


@given(st.text())
def test_whatever_is_typed_becomes_data_or_is_refused(typed: str) -> None:
    shown = str(render(Button("Run", onclick=handler(typed)), nonce="n"))
    assert "<script" not in shown
    [call] = data_of(shown)
    if call != "click":
        assert (call[0], call[1], call[3:]) == ("click", "w", ["w_target", False])
        if "\\" not in typed and "\r" not in typed:
            assert call[2] == typed


def test_code_that_ends_its_literal_is_refused_and_logged_without_what_was_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = str(render(Button("Run", onclick=handler("\\`, ''); alert('stolen'); (`")), nonce="n"))
    assert data_of(shown) == ["click"]
    assert "stolen" not in shown
    assert "stolen" not in "".join(capsys.readouterr())


def test_handlers_beside_typed_code_stay_listeners() -> None:
    shown = str(render(Button("Run", onclick=handler("1"), onfocus="this.title = 'x'"), nonce="n"))
    assert data_of(shown) == [["click", "w", "1", "w_target", False]]
    assert shown.count("<script") == 1
    assert "this.title" in shown
    assert str(render(Button(hx_on_click=handler("1")))).count("data-pip-code") == 1


def test_plugin_cannot_write_the_data_itself() -> None:
    assert "data-pip" not in str(render(Div(data_pip_code="[]")))


def test_scripts_of_a_page_wait_for_those_of_the_page() -> None:
    made = Script("a()"), Script("b()", type="text/javascript"), Script("{}", type="application/json"), \
        Script("c()", type="module"), Button(onclick="d()")  # fmt: skip
    held = str(render(made, nonce="n", held=True))
    assert re.findall(r"<script([^>]*)>", held) == [
        ' nonce="n" type="text/explicit"', ' nonce="n" type="text/explicit"', ' type="application/json" nonce="n"',
        ' type="module" nonce="n"', ' nonce="n" type="text/explicit"',
    ]  # fmt: skip
    assert "text/explicit" not in str(render(made, nonce="n"))
