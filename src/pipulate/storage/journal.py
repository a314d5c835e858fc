"""What a run is: the fold of its journal. Pure functions on plain values; nothing here reads or writes.

An event is appended once and never changed. The state a person sees is what the events add up to, so history, undo,
copies and the check after a crash need no mechanism of their own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

# Kinds of event, as stored. A kind keeps its meaning for ever.
STARTED: Final = "started"
SUBMITTED: Final = "submitted"
COMPUTED: Final = "computed"
KEPT: Final = "kept"
CLEARED: Final = "cleared"
REVERTED: Final = "reverted"
EDIT_CANCELLED: Final = "edit_cancelled"
WENT_BACK: Final = "went_back"
FINALIZED: Final = "finalized"
UNFINALIZED: Final = "unfinalized"
RENAMED: Final = "renamed"
DELETED: Final = "deleted"
UNDELETED: Final = "undeleted"
FORKED: Final = "forked"
IMPORTED: Final = "imported"
UPLOADED: Final = "uploaded"
REQUESTED: Final = "requested"

KINDS: Final = frozenset(
    {
        STARTED, SUBMITTED, COMPUTED, KEPT, CLEARED, REVERTED, EDIT_CANCELLED, WENT_BACK,
        FINALIZED, UNFINALIZED, RENAMED, DELETED, UNDELETED, FORKED, IMPORTED, UPLOADED,
        REQUESTED,
    }
)  # fmt: skip
_LOCKING = frozenset({FINALIZED, UNFINALIZED})
VALUED: Final = frozenset({SUBMITTED, COMPUTED, REQUESTED})
"""Kinds whose events carry a value; what was requested is only what was answered, not yet the value of the step."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a journal.

    Attributes:
        version: Position in the journal, from 1, without gaps.
        at: Moment, as `_clock.to_text` writes it.
        actor: Id of the person.
        tab: The browser tab it came from, or None.
        kind: One of `KINDS`.
        step: The step it is about, or None.
        data: What the kind needs; see `apply`.
        submit: The id of the form it came from, or None; unique in the run.
    """

    version: int
    at: str
    actor: str
    tab: str | None
    kind: str
    step: str | None
    data: Mapping[str, Any]
    submit: str | None = None


@dataclass(frozen=True, slots=True)
class StepValue:
    """The value of a step, as the journal gave it.

    Attributes:
        version: Version of the event that made it.
        data: `{"input": {...} or None, "output": ..., "view": "..."}` in declarative runs; a value kept in a file is
            `{"$file": {"sha256": ..., "bytes": ...}}` until it is resolved. Either has `"files"` where it names
            some; see `named_files`.
        digest: What equal values share; see `digest`.
        reads: Earlier step -> digest of the value it had when this one was made from it ("" where it had none).
        short: The value in a few words, for one line; "" where only its view says what it is.
        by, at: Author and time of that event.
    """

    version: int
    data: Mapping[str, Any]
    digest: str
    reads: Mapping[str, str]
    short: str
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """Who locked a run, and when."""

    by: str
    at: str


def named_files(value: Mapping[str, Any]) -> dict[str, int]:
    """Return the files that a journalled value names: SHA-256 -> length in bytes.

    A value names the file it is kept in itself (`$file`), and the files that were uploaded for it or made by its step
    (`files`). Nothing else in a value is the name of a file, whatever it looks like.

    Raises:
        KeyError, TypeError, AttributeError: If it is no value of ours.
    """
    each = [value["$file"]] if "$file" in value else []
    return {file["sha256"]: file["bytes"] for file in (*each, *value.get("files", ()))}


def files_of(events: Iterable[Event]) -> dict[str, int]:
    """Return the files that a journal names: SHA-256 -> length in bytes."""
    found: dict[str, int] = {}
    for event in events:
        if event.kind in VALUED:
            found |= named_files(event.data["value"])
        elif event.kind == UPLOADED:
            found[event.data["$file"]["sha256"]] = event.data["$file"]["bytes"]
    return found


_NOTHING: Mapping[str, StepValue] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class State:
    """A run at one version.

    Attributes:
        version: The version it is the state of; 0 before the first event.
        steps: The values that count, by step.
        offers: Values that left the state and can be kept or pre-filled, by step.
        editing: The step that was reopened and shows its form, or None.
        editing_version: Version of the event that reopened it.
        lock: The lock, or None.
    """

    version: int = 0
    steps: Mapping[str, StepValue] = field(default_factory=lambda: _NOTHING)
    offers: Mapping[str, StepValue] = field(default_factory=lambda: _NOTHING)
    editing: str | None = None
    editing_version: int | None = None
    lock: Lock | None = None


def apply(state: State, event: Event, values: Mapping[int, StepValue] | None = None) -> State:
    """Return the state after one more event.

    Args:
        state: The state before.
        event: The next event of the journal.
        values: Every value the journal holds so far, by version; needed by events that bring back old ones.

    Raises:
        KeyError: If the event names a value that `values` lacks.
    """
    match event.kind:
        case "submitted" | "computed":
            return _set(state, event, value_of(event), event.data.get("cleared", ()))
        case "kept":
            wanted: int = event.data["value"]
            held = state.offers.get(event.step or "")
            value = held if held is not None and held.version == wanted else (values or {})[wanted]
            return _set(state, event, value, ())
        case "cleared":
            return _ended(replace(_without(state, event.data.get("cleared", ())), version=event.version), event)
        case "reverted":
            cleared = _without(state, event.data.get("cleared", ()))
            return replace(cleared, version=event.version, editing=event.step, editing_version=event.version)
        case "edit_cancelled" | "went_back":
            return replace(_bring_back(state, event.data, values or {}), version=event.version)
        case "finalized":
            return replace(state, version=event.version, lock=Lock(event.actor, event.at))
        case "unfinalized" | "forked":  # A copy starts unlocked, whatever it is a copy of.
            return replace(state, version=event.version, lock=None)
        case _:
            return replace(state, version=event.version)


def fold(events: Iterable[Event]) -> State:
    """Return the state the events of a whole journal, from version 1, add up to."""
    state, values = State(), dict[int, StepValue]()
    for event in events:
        if event.kind in (SUBMITTED, COMPUTED):
            values[event.version] = value_of(event)
        state = apply(state, event, values)
    return state


def value_of(event: Event) -> StepValue:
    """Return the value that an event of kind submitted or computed carries."""
    data = event.data
    reads, short = data.get("reads", {}), data.get("short", "")
    return StepValue(event.version, data["value"], data["digest"], reads, short, event.actor, event.at)


def file_of(event: Event) -> Mapping[str, Any] | None:
    """Return the file an event names, `{"sha256": ..., "bytes": ...}`: a large value or an upload; else None.

    Raises:
        KeyError, TypeError, AttributeError: If the event is not what its kind says.
    """
    if event.kind in VALUED:
        found: Mapping[str, Any] | None = event.data["value"].get("$file")
        return found
    return event.data["$file"] if event.kind == UPLOADED else None


def needs_values(event: Event) -> bool:
    """Tell whether `apply` needs the journal's earlier values for this event."""
    return event.kind in (KEPT, EDIT_CANCELLED, WENT_BACK)


def restoring(target: State) -> dict[str, Any]:
    """Return the data of an event that brings back `target`: which value each step had, and what was being edited."""
    return {
        "steps": {name: value.version for name, value in target.steps.items()},
        "editing": target.editing,
        "editing_version": target.editing_version,
    }


def affected(event: Event) -> frozenset[str] | None:
    """Return the steps an event changed; None means the lock, which concerns every step."""
    if event.kind in _LOCKING:
        return None
    steps = set(event.data.get("cleared", ())) | set(event.data.get("touched", ()))
    if event.step is not None:
        steps.add(event.step)
    return frozenset(steps)


def standing_in_the_way(since: Iterable[Event], step: str, earlier: Sequence[str]) -> Event | None:
    """Return the newest event, of those after the version a write had seen, that the write conflicts with.

    A write conflicts only with a change of its own step, of an earlier step, or of the lock. Messages, progress and
    later steps never conflict.
    """
    concerned = {step, *earlier}
    found = None
    for event in since:
        steps = affected(event)
        if steps is None or steps & concerned:
            found = event
    return found


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def serialised(data: Mapping[str, Any]) -> str:
    """Return a value as the JSON that is stored: compact, without NUL and half surrogates, which no store takes.

    Raises:
        ValueError: If it has NaN or an infinity in it.
        TypeError: If it has a type that JSON does not have.
    """
    text = _JSON.encode(data)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text


def storable(text: str) -> str:
    """Return text with a sign in place of NUL and half surrogates, which no store takes outside JSON."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def digest_of(raw: bytes) -> str:
    """Return what equal values share: 16 hexadecimal characters of SHA-256 over the stored JSON."""
    return hashlib.sha256(raw).hexdigest()[:16]


def digest(data: Mapping[str, Any]) -> str:
    """Return the digest of a value that was read back."""
    return digest_of(serialised(data).encode())


def changed_read(value: StepValue, steps: Mapping[str, StepValue]) -> str | None:
    """Return the first step that is no longer what it was when `value` was made from it, or None."""
    for name, seen in value.reads.items():
        now = steps.get(name)
        if (now.digest if now else "") != seen:
            return name
    return None


def _set(state: State, event: Event, value: StepValue, cleared: Iterable[str]) -> State:
    if cleared:
        state = _without(state, cleared)
    step, offers = str(event.step), state.offers
    if step in offers:
        offers = {name: old for name, old in offers.items() if name != step}
    steps = {**state.steps, step: value}
    if state.editing == step or event.data.get("ends_edit"):
        return State(event.version, steps, offers, None, None, state.lock)
    return State(event.version, steps, offers, state.editing, state.editing_version, state.lock)


def _ended(state: State, event: Event) -> State:
    """Return the state with nothing being edited, where the event says so."""
    return replace(state, editing=None, editing_version=None) if event.data.get("ends_edit") else state


def _without(state: State, cleared: Iterable[str]) -> State:
    gone = {name: state.steps[name] for name in cleared if name in state.steps}
    if not gone:
        return state
    ends_edit = state.editing in gone
    return replace(
        state,
        steps={name: value for name, value in state.steps.items() if name not in gone},
        offers={**state.offers, **gone},
        editing=None if ends_edit else state.editing,
        editing_version=None if ends_edit else state.editing_version,
    )


def _bring_back(state: State, data: Mapping[str, Any], values: Mapping[int, StepValue]) -> State:
    known = {value.version: value for value in (*state.steps.values(), *state.offers.values())}
    steps = {name: known[version] if version in known else values[version] for name, version in data["steps"].items()}
    left = {**state.offers, **state.steps}
    return replace(
        state,
        steps=steps,
        offers={name: value for name, value in left.items() if name not in steps},
        editing=data.get("editing"),
        editing_version=data.get("editing_version"),
    )
