"""Ids that sort by the time they were made."""

import secrets
import threading
import time

_last = [0, 0]  # Millisecond and rest of the id that this process made last.
_making = threading.Lock()


def new_id() -> str:
    """Return a new id: 32 hexadecimal characters, 48 bits of Unix milliseconds and then 80 random bits.

    Those that one process makes within a millisecond count up, so that what was done first is listed first.
    """
    with _making:
        now = time.time_ns() // 1_000_000
        # One bit less than there is room for, to count up in.
        rest = _last[1] + 1 + secrets.randbits(32) if now == _last[0] else secrets.randbits(79)
        _last[:] = now, rest
    return f"{now:012x}{rest:020x}"


def error_id() -> str:
    """Return a short id that ties what a person sees to a line in the log: 8 hexadecimal characters."""
    return secrets.token_hex(4)
