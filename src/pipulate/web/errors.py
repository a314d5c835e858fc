"""From an error to an answer: what happened, why, what to do, and an id for the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate.errors import (
    BadKeyError,
    BadNameError,
    CallError,
    CallNotFoundError,
    InvalidAnswersError,
    JobNotFoundError,
    JobStatusError,
    KeyTakenError,
    ModelError,
    NotInReportError,
    PipulateError,
    ProfileLockedError,
    RecordError,
    RecordNotFoundError,
    RecordRefusedError,
    RecordTakenError,
    RunError,
    RunNotFoundError,
    ScheduleRefusedError,
    StepFailedError,
    StorageError,
    StoreFullError,
    StoreUnavailableError,
    UnknownStepError,
    UnknownVersionError,
    UploadRefusedError,
    UploadTooLargeError,
)
from pipulate.ui import errors as pages
from pipulate.ui.frame import document, page
from pipulate.ui.html import Html, div, main
from pipulate.web.guard import BodyTooLargeError, Refusal, Scope
from pipulate.web.site import Site, Visit, bare_frame

Handler = Callable[[Visit], Awaitable[Response]]

_STATUS: tuple[tuple[type[PipulateError], int], ...] = (
    (RunNotFoundError, 404),
    (UnknownStepError, 404),
    (JobNotFoundError, 404),
    (UnknownVersionError, 404),
    (NotInReportError, 404),
    (BadKeyError, 422),
    (BadNameError, 422),
    (ScheduleRefusedError, 422),
    (KeyTakenError, 422),
    (InvalidAnswersError, 422),
    (StepFailedError, 500),
    (UploadTooLargeError, 413),
    (UploadRefusedError, 422),
    (RecordNotFoundError, 404),
    (RecordTakenError, 422),
    (RecordRefusedError, 422),
    (RecordError, 409),
    (RunError, 409),
    (JobStatusError, 409),
    (ProfileLockedError, 409),
    (CallNotFoundError, 404),
    (CallError, 409),
    (ModelError, 409),
    (StoreUnavailableError, 503),
    (StoreFullError, 507),
    (StorageError, 500),
)
_NOTICE_MAX = 500  # characters; what was asked for can be part of it, and may be long
_STOPPING = "The server was stopped before this was done. Send it again when it runs; that is safe."
_log = get_logger()


def status_of(error: PipulateError) -> int:
    """Return the HTTP status that tells a program what a person reads in the message."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


async def answered(handler: Handler, visit: Visit) -> Response:
    """Run a handler; turn whatever it raises into an answer."""
    path: str = visit.request.scope["path"]
    try:
        return await handler(visit)
    except BodyTooLargeError:
        raise  # The guard answers it.
    except ClientDisconnect:
        return Response(status_code=400)  # Whoever sent half a form has gone; nobody will read this.
    except asyncio.CancelledError:  # The server ends, and has waited for this as long as it could.
        _log.warning("request.cancelled", path=path)
        return PlainTextResponse(_STOPPING, 503)
    except HTTPException as error:
        if error.status_code == 404:
            return await _page(visit, pages.not_found(path), 404, "Not found")
        return await _page(
            visit, pages.problem("This did not work", error.detail), error.status_code, "Problem", error.detail
        )
    except (RecordNotFoundError, RunNotFoundError, UnknownStepError, UnknownVersionError) as error:
        return await _page(visit, pages.problem("There is nothing here", str(error)), 404, "Not found", str(error))
    except PipulateError as error:
        status = status_of(error)
        if status >= 500:
            _log.error("request.failed", path=path, code=error.code, reason=str(error))
        return await _page(visit, pages.problem("This did not work", str(error)), status, "Problem", str(error))
    except Exception as error:  # noqa: BLE001 - HTTP border: nobody is shown a traceback
        reference = error_id()
        _log.error("request.crashed", path=path, error_id=reference, exc_info=error)
        notice = f"Something went wrong on this side; nothing typed is lost. The log has it under the id {reference}."
        return await _page(visit, pages.failed(reference), 500, "Something went wrong", notice)


async def _page(visit: Visit, content: Html, status: int, heading: str, notice: str = "") -> Response:
    """Return an error page; without the frame's menus where even the store for them does not answer."""
    if visit.is_htmx:  # Our script leaves the page as it is and says this beside the button that was pressed.
        headers = {"x-pipulate-notice": quote(notice[:_NOTICE_MAX])} if notice else {}
        return Response(content.encode("utf-8", "replace"), status, headers, "text/html; charset=utf-8")
    try:
        return await visit.page(heading, content, status=status)
    except PipulateError:
        return visit.packed(page(visit.frame(), heading, content), status)


def refused(site: Site, command: str) -> Callable[[Scope, Refusal], Response]:
    """Return what answers a request that the guard refused.

    Args:
        site: The application.
        command: What prints a new one-time link.
    """

    def answer(scope: Scope, refusal: Refusal) -> Response:
        accepts = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        if refusal.status != 401 or "text/html" not in accepts:
            return PlainTextResponse(refusal.reason + "\n", refusal.status)
        frame = bare_frame(site, scope.get("nonce", ""))
        content = div(main(pages.locked_out(command), id="main"), class_="frame alone")
        return Response(document(frame, "Not let in", content), refusal.status, media_type="text/html")

    return answer
