"""Gallery of what moves: progress, parts of a page that follow the server, scripts and addresses of an app's own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pipulate import Code, FieldsOf, Messages, Progress, Range, Run, Workflow
from pipulate.ui import Element, FormParts, Html, a, b, live, p

gallery = Workflow(
    "gallery_live",
    title="Gallery: live",
    description="What moves on a page: progress, live parts, scripts of an app's own; each with its code beside it.",
    order=92,
    assets=["gallery_dial.js", "gallery_dial.css"],
    show_code=True,
)

Entry = Literal["Progress", "Live counter", "JavaScript widget", "Own address", "Listed fields", "Messages"]


@gallery.step("entry", title="Where to begin", goto=lambda run: run["entry"].entry.lower().replace(" ", "_"))
def entry(entry: Entry = "Progress") -> None:
    """Choose an entry, or begin with the first. One follows the other; edit this to go elsewhere."""


@gallery.step("progress", title="Progress")
async def progress(show: Progress, parts: Annotated[int, Range(1, 100)] = 30) -> str:
    """Say how far a step is while it works."""
    show.total(parts)
    for part in range(1, parts + 1):
        show.advance(text=f"Part {part} of {parts}")
        await asyncio.sleep(0.05)
    return f"{parts} parts, one after the other."


@gallery.step("live_counter", title="Live counter")
def live_counter(step: Annotated[int, Range(1, 100)] = 1) -> datetime:
    """Draw a part of the page anew while somebody looks. It comes over the socket of the page."""
    return datetime.now(UTC)


@gallery.live("counter", every=0.5)
def counter(run: Run) -> Html:
    """Draw how far it has counted since the button was pressed."""
    seconds = (datetime.now(UTC) - run["live_counter"]).seconds
    return p("Counted so far: ", b(seconds * run.answers("live_counter").step))


@live_counter.done
def show_counter(_began: datetime) -> Html:
    """Give it a place, and words for the time until it comes."""
    return live("counter", p("Waiting for the server."))


dial = Element("gallery-dial")


@gallery.step("javascript_widget", title="JavaScript widget")
def javascript_widget(tempo: Annotated[int, Range(40, 200)] = 96) -> list[Any]:
    """Bring a script that makes a field more than it is. Without the script it is still a field."""
    script = Path(__file__).with_name("gallery_dial.js")
    return [f"{tempo} beats a minute, with this script:", Code(script.read_text(encoding="utf-8"), "javascript")]


@javascript_widget.form
def tempo_form(fields: FormParts) -> Html:
    """Put the field into the element that the script defines."""
    return dial(fields["tempo"])


@gallery.step("own_address", title="Address of its own")
def own_address(first: int = 1) -> int:
    """Answer an address of the app's own, and load a part of the page from it."""
    return first


@gallery.get("next/{number}")
def another(run: Run, number: int) -> Html:
    """Return a number, and the link that fetches the next one in its place."""
    address = gallery.address(f"next/{number + 1}", run)
    return p(
        b(number), " ", a("And the next", href=address, hx_get=address, hx_target="closest p", hx_swap="outerHTML")
    )


@own_address.done
def show_first(first: int, run: Run) -> Html:
    """Begin with what the person chose."""
    return another(run, first)


def questions(_run: Run) -> list[dict[str, Any]]:
    """Return what is asked. It may depend on all that came before."""
    return [
        {"name": "language", "type": "select", "options": ["English", "Deutsch"], "default": "English"},
        {"name": "share", "type": "slider", "min": 0, "max": 10, "default": 4},
        {"name": "note", "type": "textarea", "rows": 2, "required": False},
    ]


@gallery.step("listed_fields", title="Fields that are listed at run time")
def listed_fields(answers: Annotated[dict[str, Any], FieldsOf(questions)]) -> dict[str, Any]:
    """Ask for what a list says, when the list is only known in the run."""
    return answers


@gallery.step("messages", title="Messages")
def messages(conversation: Messages, text: str = "The gallery says **hello**.") -> None:
    """Say something in the panel beside the run."""
    conversation.say(text)
