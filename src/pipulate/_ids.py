"""Ids that sort by the time they were made."""

import secrets
import time


def new_id() -> str:
    """Return a new id: 32 hexadecimal characters, 48 bits of Unix milliseconds and then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def error_id() -> str:
    """Return a short id that ties what a person sees to a line in the log: 8 hexadecimal characters."""
    return secrets.token_hex(4)
