"""Which names are plugins, and in which order they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.plugins.files import PluginFile, is_plugin, ordered


@pytest.mark.parametrize(
    "name", ["a.py", "010_a.py", "A.py", "ä.py", "a b.py", "_a.py", "1.py", "xx.py", "10_xx_a.py", "a.b.py", "010_.py"]
)
def test_python_file_is_a_plugin(name: str) -> None:
    assert is_plugin(name)


@pytest.mark.parametrize(
    "name",
    ["__init__.py", "__pycache__", "xx_a.py", "XX_a.py", "xX_a.py", "a (1).py", "a).py", "(a.py", ".a.py", ".#a.py",
     "a.txt", "a.pyc", "a.PY", "a.py~", "py", ""],
)  # fmt: skip
def test_work_in_progress_and_other_files_are_not(name: str) -> None:
    assert not is_plugin(name)


def file(name: str, *, is_in_box: bool = False) -> PluginFile:
    from pipulate.plugins.files import _file

    return _file(Path("/plugins") / name, is_in_box)


@pytest.mark.parametrize(
    ("name", "module", "number"),
    [
        ("a.py", "a", None), ("010_a.py", "a", 10), ("0_a.py", "a", 0), ("10_20_a.py", "20_a", 10),
        ("10a.py", "10a", None),        ("010_.py", "010_", None), ("a_10.py", "a_10", None),
        ("_a.py", "_a", None), ("10__a.py", "_a", 10),
    ],
)  # fmt: skip
def test_number_orders_and_is_no_part_of_the_address(name: str, module: str, number: int | None) -> None:
    assert (file(name).module, file(name).number) == (module, number)


def test_menu_is_in_the_order_of_the_numbers_and_those_without_come_last() -> None:
    names = ["b.py", "a.py", "100_c.py", "020_z.py", "20_b.py", "3_x.py", "0_y.py"]
    assert [each.name for each in ordered(map(file, names))] == [
        "0_y.py", "3_x.py", "020_z.py", "20_b.py", "100_c.py", "a.py", "b.py",
    ]  # fmt: skip


def test_files_of_the_user_come_before_ours_with_the_same_number() -> None:
    files = [file("10_a.py", is_in_box=True), file("10_b.py"), file("a.py", is_in_box=True), file("b.py")]
    assert [each.name for each in ordered(files)] == ["10_b.py", "10_a.py", "b.py", "a.py"]
