"""Which model is asked where nobody has chosen one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.llm.choosing import best, can_be_chosen, free_memory, named
from pipulate.llm.port import Known

GB = 1_000_000_000


def known(name: str, size: float = 2, **more: object) -> Known:
    return Known(name, **({"size_bytes": int(size * GB), "has_tools": True} | more))  # type: ignore[arg-type]


def chosen(*models: Known, free: float | None = 10, context: int = 10_000) -> str:
    found = best(models, context=context, free_bytes=None if free is None else int(free * GB))
    return found.name if found else ""


def test_largest_that_fits_is_taken() -> None:
    assert chosen(known("s", 1), known("m", 5), known("l", 20)) == "m"


def test_model_fits_with_a_fifth_more_and_with_its_context() -> None:
    small, large = known("s", 1), known("l", 5)
    assert chosen(small, large, free=7.51) == "l"  # 6 for the weights, 1.5 for 10,000 tokens.
    assert chosen(small, large, free=7.49) == "s"
    assert chosen(small, known("l", 5, context=5_000), free=6.76) == "l"  # It cannot have more than 5,000.


def test_smallest_is_taken_where_none_fits() -> None:
    assert chosen(known("m", 50), known("s", 40), known("l", 60)) == "s"


def test_one_with_tools_goes_before_a_larger_one_without() -> None:
    assert chosen(known("t", 1), known("l", 5, has_tools=False)) == "t"
    assert chosen(known("t", 1), known("l", 5, has_tools=None)) == "t"
    assert chosen(known("u", 1, has_tools=None), known("l", 5, has_tools=False)) == "u"


def test_one_without_tools_that_fits_goes_before_one_with_tools_that_does_not() -> None:
    assert chosen(known("t", 50), known("s", 1, has_tools=False)) == "s"


def test_one_in_memory_goes_before_a_larger_one_and_always_fits() -> None:
    assert chosen(known("m", 1, is_loaded=True), known("l", 5)) == "m"
    assert chosen(known("m", 50, is_loaded=True), known("s", 1)) == "m"


def test_one_in_memory_that_has_no_tools_does_not_go_before_one_that_has() -> None:
    assert chosen(known("completes code", 1, is_loaded=True, has_tools=False), known("t", 2)) == "t"


def test_one_of_this_machine_goes_before_one_elsewhere() -> None:
    assert chosen(known("far", 0.001, is_remote=True), known("near", 1)) == "near"
    assert chosen(known("far", 500, is_remote=True), known("near", 1)) == "near"
    assert chosen(known("far", 0.001, is_remote=True), known("near", 50)) == "far"


def test_newest_is_taken_of_those_of_one_size() -> None:
    assert chosen(known("old", modified_at="2026-01-02"), known("new", modified_at="2026-10-01")) == "new"


def test_everything_fits_where_nobody_knows_how_much_is_free() -> None:
    assert chosen(known("s", 1), known("l", 500), free=None) == "l"


def test_one_of_many_of_which_nothing_is_known_is_not_taken() -> None:
    listed = [Known("a"), Known("b")]
    assert chosen(*listed) == ""
    assert chosen(Known("a")) == "a"
    assert chosen(Known("a"), Known("b", is_loaded=True)) == "b"
    assert chosen() == ""


def test_choice_does_not_hang_on_the_order_of_the_list() -> None:
    models = [known("a"), known("b"), known("c")]
    assert chosen(*models) == chosen(*reversed(models))


def test_only_models_that_chat_and_stay_here_can_be_chosen() -> None:
    models = [known("a"), known("e", can_chat=False), known("r", is_remote=True)]
    assert [each.name for each in can_be_chosen(models, remote=False)] == ["a"]
    assert [each.name for each in can_be_chosen(models, remote=True)] == ["a", "r"]


@pytest.mark.parametrize(
    ("name", "found"), [("q:4b", "q:4b"), ("q", "q:latest"), ("Q:4b", None), ("", None), (":", None)]
)
def test_model_is_found_by_its_name_and_without_latest(name: str, found: str | None) -> None:
    models = [known("q:4b"), known("q:latest"), known(":latest")]
    assert getattr(named(models, name), "name", None) == found


def test_free_memory_is_what_the_machine_says_or_half_of_all(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:       24000 kB\nMemAvailable:   12000 kB\n")
    assert free_memory(told) == 12_288_000
    assert (free_memory(tmp_path / "missing") or 0) > 1_000_000


def test_free_memory_is_unknown_where_the_machine_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", unknown)
    assert free_memory(tmp_path / "missing") is None
