"""The `pip` object that class-style plugins are handed: state, keys, messages; how things look comes from `Look`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loguru import logger

from pipulate.errors import BadKeyError, KeyTakenError, RunNotFoundError
from pipulate.explicit import keys
from pipulate.explicit.book import FINALIZE, TARGET, Book, StepLike
from pipulate.explicit.context import current
from pipulate.explicit.elements import Card
from pipulate.explicit.job_look import facts, job_cell
from pipulate.explicit.longwork import LongWork
from pipulate.explicit.look import Look
from pipulate.explicit.messages import MessageQueue, Speaker
from pipulate.explicit.tables import Dictionary, PipelineTable
from pipulate.jobs.port import Options
from pipulate.security.capability import OWNER
from pipulate.storage import keyvalue, profiles
from pipulate.storage.database import Database

_TEMPORARY = "explicit.temporary."


class Pipulate(Look):
    """Everything a class-style plugin can ask of the host; the contract's names and shapes.

    Calls wait for the store, so they belong on the loop that class-style handlers have for themselves.
    """

    PRESERVE_REFILL = True

    def __init__(
        self,
        db: Database,
        book: Book,
        speaker: Speaker,
        table: PipelineTable,
        dictionary: Dictionary,
        work: LongWork | None = None,
    ) -> None:
        """Wire it up; without `work`, no jobs are run."""
        self._db, self._book, self._speaker, self._work = db, book, speaker, work
        self.message_queue = MessageQueue(speaker)
        self.table = self.pipeline_table = table
        self.db = dictionary
        self.plugins: dict[str, Any] = {}

    # State

    def read_state(self, pkey: str) -> dict[str, Any]:
        """Return the state of a run; empty where there is none."""
        return self._book.read(pkey) or {}

    def write_state(self, pkey: str, state: Mapping[str, Any]) -> None:
        """Store what differs from the state that was read.

        Raises:
            RunNotFoundError, RunConflictError, RunLockedError: As in `Book.write`.
        """
        self._book.write(pkey, state)

    def initialize_if_missing(
        self, pkey: str, initial_step_data: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any] | None, Any]:
        """Return the state of a run and None; begin the run where there is none.

        Where it cannot be begun, None and an element that says why.
        """
        found = self._book.read(pkey)
        if found is not None:
            return found, None
        given = initial_step_data if initial_step_data is not None else {}
        now = current()
        app = str(given.pop("app_name", None) or (now.app if now else "unknown"))
        profile = now.profile.id if now else profiles.DEFAULT_ID
        try:
            self._book.start(app, pkey, profile, given)
        except KeyTakenError:
            if (found := self._book.read(pkey)) is not None:  # Somebody was faster.
                return found, None
            return None, _refused("ID Already In Use", f"The key {pkey!r} is in use by another app. Choose another.")
        except BadKeyError as error:
            return None, _refused("This key cannot be used", str(error))
        return self.read_state(pkey), None

    def get_step_data(self, pkey: str, step_id: str, default: Any = None) -> Any:
        """Return the value of a step, else the default, else an empty dictionary."""
        return self.read_state(pkey).get(step_id, default if default is not None else {})

    async def set_step_data(
        self, pipeline_id: str, step_id: str, value: Any, steps: Sequence[StepLike], clear_previous: bool = True
    ) -> Any:
        """Give a step its value; later steps leave the state unless they are to be refilled. Returns the value."""
        step = next((each for each in steps if each.id == step_id), None)
        done = step.done if step is not None else step_id
        if step_id == FINALIZE:
            self._book.lock(pipeline_id, {})
        else:
            self._book.put(pipeline_id, step_id, {done: value}, steps, clears=clear_previous)
        return value

    async def clear_steps_from(self, pipeline_id: str, step_id: str, steps: Sequence[StepLike]) -> dict[str, Any]:
        """Take the steps after one out of the state, unless they are to be refilled; return the state."""
        self._book.clear_after(pipeline_id, step_id, steps)
        return self.read_state(pipeline_id)

    async def finalize_workflow(
        self, pipeline_id: str, state_update: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Lock a run, with some values stored before; return the state."""
        self._book.lock(pipeline_id, state_update or {})
        return self.read_state(pipeline_id)

    async def unfinalize_workflow(self, pipeline_id: str) -> dict[str, Any]:
        """Unlock a run; return the state."""
        self._book.unlock(pipeline_id)
        return self.read_state(pipeline_id)

    async def handle_finalized_step(
        self, pipeline_id: str, step_id: str, steps: Sequence[StepLike], app_name: str, plugin: Any = None
    ) -> Any:
        """Lock a run, say so, and return its cells anew."""
        await self.set_step_data(pipeline_id, step_id, True, steps)
        messages = getattr(plugin, "step_messages", None) or {}
        await self.message_queue.add(self, await self.get_state_message(pipeline_id, steps, messages), verbatim=True)
        return self.rebuild(app_name, steps)

    async def get_state_message(self, pkey: str, steps: Sequence[StepLike], messages: Mapping[str, Any]) -> str:
        """Return the plugin's words for how far a run is."""
        state = self.read_state(pkey)
        for step in reversed(steps):
            words = messages.get(step.id) or {}
            if step.id == FINALIZE:
                if FINALIZE in state:
                    return self._told(words.get("complete", ""))
                done = [each for each in steps if each.id != FINALIZE]
                if done and all(each.id in state for each in done) and state.get(TARGET) is None:
                    return self._told(words.get("ready", ""))
            elif step.id in state:
                value = state[step.id].get(step.done) if isinstance(state[step.id], dict) else state[step.id]
                text = str(words.get("complete", ""))
                return self._told(text.replace("{}", str(value)))
        return self._told(messages.get("new", ""))

    def _told(self, message: Any) -> str:
        self.append_to_history(str(message))
        return str(message)

    # Long work

    def start_job(
        self,
        pipeline_id: str,
        step_id: str,
        function: Callable[..., Any],
        *args: Any,
        title: str | None = None,
        retries: int = 0,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Have a function run as a job that gives a step its value; returns at once how it stands, as `job_status`.

        Where a job of the step is open already, that one is returned and nothing is started.

        Args:
            pipeline_id: The run.
            step_id: The step that gets what the function returns.
            function: A method of the plugin, or a function at the top of its file. A parameter called `job` or
                `progress`, or annotated with `Job` or `Progress`, gets that.
            *args: The rest of what it is called with, as JSON can hold it; no secrets, for it is stored.
            title: What people read in the list of jobs.
            retries: Further attempts after one that failed.
            timeout: Seconds after which an attempt is given up.

        Raises:
            TypeError, ValueError, RunNotFoundError, RunConflictError, RunLockedError: As in `LongWork.ask`.
        """
        how = Options(retries=retries, timeout_s=timeout)
        return facts(self._long_work().ask(pipeline_id, step_id, function, args, title, how))

    def job_status(self, pipeline_id: str, step_id: str) -> dict[str, Any] | None:
        """Return how the newest job of a step stands: status, done, total, text, reason and lines of its log.

        None where there is none, or where the step or one before it was changed since.
        """
        found = self._long_work().view(pipeline_id, step_id, self._instance(pipeline_id))
        return facts(found) if found is not None else None

    def job_view(self, app_name: str, step_id: str, pipeline_id: str, message: Any = None) -> Any:
        """Return the cell of a step whose value a job works out; it asks for itself anew until that has ended.

        Then it says what came of it (`message`, or the value) and loads the next step.
        """
        plugin, row = self._instance(pipeline_id), self._book.row(pipeline_id)
        if row is None:
            raise RunNotFoundError(pipeline_id)
        return job_cell(
            self, app_name, step_id, plugin.steps, row.id, self._long_work().view(pipeline_id, step_id, plugin),
            self.read_state(pipeline_id), message,
        )  # fmt: skip

    def _long_work(self) -> LongWork:
        if self._work is None:
            raise RuntimeError("No jobs are run here.")
        return self._work

    def _instance(self, pipeline_id: str) -> Any:
        """Return the plugin of this request; in a thread of the plugin's own, the one a run belongs to."""
        now = current()
        if now is not None:
            return now.instance
        row = self._book.row(pipeline_id)
        app = row.app if row is not None else None
        return next((each for each in self.plugins.values() if keys.app_name(each) == app), None)

    # What is kept beside the state

    def write_temp_state(self, pipeline_id: str, step_id: str, data: Any) -> None:
        """Keep something beside the state of a run, outside its history."""
        self._db.write_now(keyvalue.put, "user", self._actor(), self._temporary(pipeline_id, step_id), data)

    def read_temp_state(self, pipeline_id: str, step_id: str, default: Any = None) -> Any:
        """Return what `write_temp_state` kept, else the default, else an empty dictionary."""
        try:
            return self._db.read_now(keyvalue.get, "user", self._actor(), self._temporary(pipeline_id, step_id))
        except KeyError:
            return default if default is not None else {}

    async def set_temp_data(self, pipeline_id: str, name: str, data: Any) -> Any:
        """As `write_temp_state`; returns the data."""
        self.write_temp_state(pipeline_id, name, data)
        return data

    def validate_workflow_state(self, pipeline_id: str, steps: Sequence[StepLike]) -> tuple[bool, str]:
        """Tell whether every step before the last has its value, and which one lacks it."""
        state = self.read_state(pipeline_id)
        for step in steps:
            held = state.get(step.id)
            if step.id != FINALIZE and not (isinstance(held, dict) and step.done in held):
                return False, f"Missing data for {getattr(step, 'show', step.id)}"
        return True, "Valid"

    # Keys

    def generate_pipeline_key(self, plugin: Any, user_input: str | None = None) -> tuple[str, str, str]:
        """Return a whole key, its prefix, and the part the person chose; the next free number where none is given."""
        beginning = keys.prefix(self._profile_name(), plugin)
        if user_input is None or not str(user_input).strip():
            chosen = f"{self._book.highest(keys.app_name(plugin), beginning) + 1:02d}"
        else:
            chosen = keys.numbered(str(user_input).strip())
        return beginning + chosen, beginning, chosen

    def parse_pipeline_key(self, key: str) -> dict[str, str]:
        """Return a key cut into `profile_part`, `plugin_part` and `user_part`."""
        return keys.parsed(key)

    def get_plugin_context(self, plugin: Any = None) -> dict[str, Any]:
        """Return `plugin_name`, `internal_name`, `profile_id` and `profile_name`."""
        now = current()
        plugin = plugin if plugin is not None else (now.instance if now else None)
        return {
            "plugin_name": keys.display_name(plugin) if plugin is not None else None,
            "internal_name": getattr(plugin, "name", None) if plugin is not None else None,
            "profile_id": str(now.number if now else 1),
            "profile_name": self._profile_name(),
        }

    def fmt(self, name: str) -> str:
        """Return what people read for a plugin or a step: `step_01` becomes `Step 1`."""
        plugin = self.plugins.get(name)
        return keys.display_name(plugin) if plugin is not None else super().fmt(name)

    def is_locked(self) -> bool:
        """Tell whether the run of this request is locked."""
        now = current()
        return now is not None and now.key is not None and self._book.is_locked(now.key)

    def keys_of(self, app_name: str) -> list[str]:
        """Return the keys of an app's runs, newest change first."""
        return self._book.keys(app_name)

    def display_name(self, plugin: Any) -> str:
        """Return what people read for a plugin."""
        return keys.display_name(plugin)

    def message_of(self, plugin: Any) -> str:
        """Return what a plugin says about itself."""
        own = getattr(plugin, "get_endpoint_message", None)
        return str(own() if callable(own) else getattr(plugin, "ENDPOINT_MESSAGE", "") or "")

    def get_config(self) -> Any:
        """Return the module that later plugins read settings from."""
        import config  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - made by `modules.old_host`

        return config

    def register_workflow_routes(self, plugin: Any) -> None:
        """Register the standard addresses of a workflow, for the handlers it has."""
        name, routes = keys.app_name(plugin), plugin.app
        standard = [("init", "init", ["POST"]), ("revert", "handle_revert", ["POST"])]
        standard += [("finalize", "finalize", ["GET", "POST"]), ("unfinalize", "unfinalize", ["POST"])]
        for step in plugin.steps:
            if step.id != FINALIZE:
                standard += [(step.id, step.id, ["GET"]), (f"{step.id}_submit", f"{step.id}_submit", ["POST"])]
        for path, handler, methods in standard:
            if hasattr(plugin, handler):
                routes.route(f"/{name}/{path}", methods)(getattr(plugin, handler))

    # Messages

    def get_message_queue(self) -> MessageQueue:
        """Return the message queue."""
        return self.message_queue

    def append_to_history(self, message: str, role: str = "system", quiet: bool = True) -> None:
        """Tell a model something that no page shows."""
        del quiet
        self._speaker.tell(str(message), role)

    async def stream(
        self, message: str, verbatim: bool = False, role: str | None = "user", spaces_before: int | None = None,
        spaces_after: int | None = 1, simulate_typing: bool = True,
    ) -> str:  # fmt: skip
        """Say something in the conversation, or ask the model where it is not `verbatim`; returns it at once."""
        del spaces_before, spaces_after, simulate_typing
        self._speaker.say(message, role, verbatim=verbatim)
        return message

    async def chatq(self, message: str) -> None:
        """Ask the model something in the conversation; returns at once, as `stream_chat` of the oldest hosts does."""
        self._speaker.say(message, verbatim=False)

    async def stream_chat(self, prompt: str, quick: bool = False) -> None:
        """As `chatq`; how fast the words come is the model's affair."""
        del quick
        self._speaker.say(prompt, verbatim=False)

    def has_model(self) -> bool:
        """Tell whether there is a model to ask."""
        return self._speaker.has_model()

    async def log_api_call_details(self, **details: Any) -> None:
        """Put a call to another service into the log, without its secrets, and say that it was made."""
        kept = {name: value for name, value in details.items() if name not in ("headers", "curl_command")}
        method = details.get("method") or details.get("http_method") or ""
        logger.info("API call: {} {} {}", method, details.get("url", ""), details.get("response_status", ""))
        words = details.get("call_description") or "A call to another service"
        self._speaker.tell(f"{words}: {kept.get('url', '')} {kept.get('response_status', '')}".rstrip(), "system")

    # For whoever looks for a mistake

    def debug_state(self, pipeline_id: str, step_id: str) -> tuple[dict[str, Any], Any]:
        """Log and return the state of a run and the value of a step."""
        state = self.read_state(pipeline_id)
        logger.debug("State of {}: {}", pipeline_id, dict(state))
        return state, state.get(step_id, {})

    def debug_full_context(self, pipeline_id: str, step_id: str) -> dict[str, Any]:
        """Log and return all there is to know about a run at a step."""
        state = self.read_state(pipeline_id)
        info = {
            "pipeline_id": pipeline_id,
            "current_step": step_id,
            "full_state": dict(state),
            "step_data": state.get(step_id, {}),
            "is_finalized": FINALIZE in state,
            "revert_target": state.get(TARGET),
            "completed_steps": [name for name in state if name not in (TARGET, FINALIZE, "created", "updated")],
        }
        logger.debug("Context: {}", info)
        return info

    def debug_htmx_attributes(self, element: Any) -> dict[str, Any]:
        """Log and return the htmx attributes of an element."""
        every = getattr(element, "attrs", {})
        found = {name: value for name, value in every.items() if name.replace("_", "-").startswith("hx-")}
        logger.debug("htmx attributes: {}", found)
        return found

    def trace_htmx_request(self, request: Any, step_id: str) -> dict[str, Any]:
        """Log and return what htmx said with a request."""
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith("hx-")}
        info = {
            "step_id": step_id,
            "method": request.method,
            "url": str(request.url),
            "htmx_headers": headers,
            "is_htmx": "hx-request" in headers,
        }
        logger.debug("htmx request: {}", info)
        return info

    # Parts

    def _temporary(self, pipeline_id: str, name: str) -> str:
        return f"{_TEMPORARY}{pipeline_id}.{name}"[:200]

    def _profile_name(self) -> str:
        now = current()
        return now.profile.name if now else profiles.DEFAULT_NAME

    def _actor(self) -> str:
        now = current()
        return now.actor if now else OWNER


def _refused(heading: str, words: str) -> Any:
    from fasthtml.components import H3, P  # noqa: PLC0415 - only where something went wrong

    return Card(H3(heading), P(words, style=Look.ERROR_STYLE))
