"""Roles: which apps the menu shows, and that the page in the box keeps them in the same table."""

from __future__ import annotations

from typing import Any

import pytest

from pipulate.builtin.roles import roles as page
from pipulate.crud import roles
from pipulate.storage.records import catalog


@pytest.mark.parametrize(
    ("names", "active", "is_shown"),
    [
        ((), (), True), (("Core",), (), True), (("Tutorial",), (), False), (("Tutorial",), ("Tutorial",), True),
        (("Tutorial", "Developer"), ("Developer",), True), (("Tutorial", "Core"), (), True),
        (("tutorial",), ("Tutorial",), False),
    ],
)  # fmt: skip
def test_app_is_shown_with_core_without_roles_or_with_one_that_is_on(names: Any, active: Any, is_shown: bool) -> None:
    assert roles.is_shown(names, active) is is_shown


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["Core", " Tutorial ", "Core"], ("Core", "Tutorial")), (("A",), ("A",)), (None, ()), ("Core", ()), (7, ()),
        ([1, None, "", "  ", "B"], ("B",)), (["x" * 500], ("x" * 80,)),
    ],
)  # fmt: skip
def test_roles_of_a_module_are_the_texts_of_its_list(given: Any, names: tuple[str, ...]) -> None:
    assert roles.of_module(given) == names


def test_page_in_the_box_and_the_menu_share_a_table() -> None:
    assert page.prepare() == []
    assert page.name == roles.NAME
    assert not catalog.difference(roles.SHAPE, page.shape)
