"""Where a server of language models is, and whether what is said to it leaves this machine."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from pipulate.settings import Settings

OLLAMA: Final = "http://127.0.0.1:11434"
"""Where Ollama listens unless it is told otherwise."""


def address(settings: Settings) -> str:
    """Return the address of the server, "" where there is none; it holds no user and no password."""
    if settings.model_server == "off":
        return ""
    return settings.model_url or OLLAMA


def host(url: str) -> str:
    """Return the host of an address."""
    return urlsplit(url).hostname or ""


def is_here(url: str) -> bool:
    """Tell whether an address is one of this machine. A name other than localhost is not, wherever it may lead."""
    name = host(url)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
