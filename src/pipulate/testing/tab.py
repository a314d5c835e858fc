"""One browser tab that shows a run: sends its forms as they stand, and keeps what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from pipulate.storage import jobs
from pipulate.testing.app import RunningApp
from pipulate.testing.browser import FORM, Answer, form_body
from pipulate.testing.errors import AppFailedError, PlayError
from pipulate.testing.forms import Sent, Upload, sent_by
from pipulate.testing.page import Node, read_page

_ALONE_MAX = 60  # Requests a page sends by itself; more is a circle.


class Tab:
    """A tab.

    Attributes:
        app: The application.
        id: What it calls itself.
        run: Id of the run it shows.
        address: Where the run is.
        answer: What came back last.
        page: The same as a tree.
    """

    def __init__(self, app: RunningApp, run: str, address: str) -> None:
        self.app, self.run, self.address = app, run, address
        self.id = app.new_tab()
        self.open(address)

    def open(self, address: str) -> Answer:
        """Open an address of ours; what runs by itself on that page runs."""
        self._show(self.app.send("GET", address, tab=self.id))
        return self._alone(self.answer)

    def press(
        self, form: Node, *, button: Node | None = None, changed: Mapping[str, Sequence[str]] | None = None
    ) -> Answer:
        """Send a form of the page; return the answer to it. What then runs by itself has run afterwards."""
        address = (button.get("formaction") if button is not None else "") or form.get("action")
        return self.post(address, sent_by(form, changed))

    def post(self, address: str, pairs: Sent) -> Answer:
        """Send names and texts; return the answer."""
        answer = self.app.send("POST", address, form_body(pairs), {"content-type": FORM}, tab=self.id)
        self._show(answer)
        return self._alone(answer)

    def form_to(self, action: str, *, naming: str = "") -> Node | None:
        """Return the form whose address ends so, and that has a field of this name; None where the page has none."""
        return next(
            (
                each
                for each in self.page.all("form")
                if each.get("action").endswith(action) and (not naming or each.find(name=naming) is not None)
            ),
            None,
        )

    def step_form(self, step: str) -> Node | None:
        """Return the form that asks for a step, or None where the page does not ask for it."""
        address = f"/-/runs/{self.run}/steps/{step}"
        return self.form_to(address) or self.form_to(f"{address}/with-files")

    def upload(self, address: str, upload: Upload) -> Answer:
        """Send a file for a field, as the page does as soon as it is chosen; the page stays as it is."""
        headers = {"content-type": upload.media_type, "x-pipulate-name": quote(upload.name)}
        return self.app.send("POST", address, upload.content, headers, tab=self.id)

    @property
    def open_step(self) -> str | None:
        """The step this page asks for, or shows running or failed; None where there is none."""
        for each in self.page.all("li"):
            if each.has_class("open") and each.get("id").startswith("step-"):
                return each.get("id").removeprefix("step-")
        return None

    @property
    def alerts(self) -> list[str]:
        """What the page says aloud: notices, problems of a step as a whole, the reason of a conflict."""
        work = self.page.find("main") or self.page
        return [each.text for each in work.all(role="alert") if each.text]

    @property
    def is_conflict(self) -> bool:
        """Whether the page shows two versions to choose from."""
        return any(each.has_class("conflict") for each in self.page.all("article"))

    def failure(self) -> BaseException | None:
        """Return what the code of the app raised, where the page says that it failed."""
        return self.app.logged_error(self.answer.text)

    def _show(self, answer: Answer) -> None:
        self.answer, self.page = answer, read_page(_work_area(answer.text))
        article = self.page.find(id="run")
        if article is not None and article.get("data-run"):
            self.run = article.get("data-run")
            if not self.is_conflict and answer.status < 400:
                self.address = unquote(answer.address.partition("?")[0]) if "/-/" in answer.address else answer.address
                self.address = self.address.partition("?")[0]

    def _works(self) -> bool:
        """Tell whether the page shows a job that is to be done or under way."""
        return any(each.get("data-status") in (jobs.QUEUED, jobs.RUNNING) for each in self.page.all("div"))

    def _alone(self, answer: Answer) -> Answer:
        """Send what the page sends by itself as soon as it is shown: steps that need nobody."""
        for _ in range(_ALONE_MAX):
            form = next((each for each in self.page.all("form") if each.get("hx-trigger") == "load"), None)
            if form is None and self._works() and answer.status < 400:
                self.app.wait_for_jobs()
                self._show(self.app.send("GET", self.address, tab=self.id))
                continue
            if form is None or answer.status >= 400:
                return answer
            self._show(self.app.send("POST", form.get("action"), form_body(sent_by(form)), tab=self.id))
            if self.answer.status >= 400:
                raise AppFailedError("A step that runs by itself", self.failure(), self.answer.text[:500])
        raise PlayError(f"The steps of this run go on by themselves without end: {self.open_step!r} is next again.")


def _work_area(html: str) -> str:
    """Return the part of a page that is about the run; reading menus and panels again and again takes time."""
    start, end = html.find("<main"), html.rfind("</main>")
    return html[start : end + 7] if 0 <= start < end else html
