"""Where the server is, and what leaves this machine."""

from __future__ import annotations

import pytest

from pipulate.llm.address import address, is_here
from pipulate.settings import Settings


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:11434", "http://127.9.9.9", "http://[::1]:8080/v1", "http://localhost:1/v1"]
)
def test_addresses_of_this_machine_are_known(url: str) -> None:
    assert is_here(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1", "http://192.168.1.5:11434", "http://0.0.0.0:11434", "http://localhost.example.com",
        "http://host.docker.internal", "http://127.0.0.1.example.com", "http://[::2]", "http://[::ffff:8.8.8.8]",
        "http://2130706433", "",
    ],
)  # fmt: skip
def test_everything_else_counts_as_elsewhere(url: str) -> None:
    assert not is_here(url)


def test_address_is_the_one_that_is_set_or_that_of_ollama() -> None:
    assert address(Settings()) == "http://127.0.0.1:11434"
    assert address(Settings(model_url="http://10.0.0.1:1/")) == "http://10.0.0.1:1"
    assert address(Settings(model_server="off", model_url="http://10.0.0.1:1")) == ""
