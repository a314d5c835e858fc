"""Files as a browser sends them, to the whole application in this process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipulate.app import Application
from tests.support.site import Answer, Browser

PLUGIN = """
from pathlib import Path
from typing import Annotated

from pipulate import Accept, File, Workflow

app = Workflow("sends", title="Sends")


@app.step("one")
def one(table: Annotated[File, Accept(".csv", max_mb=1)], note: str = "") -> str:
    return f"{table.name} {table.size_bytes} {note}"


@app.step("many")
def many(files: list[File], other: File | None = None) -> list[str]:
    return [each.name for each in files]


@app.step("path")
def path(given: Path) -> Path:
    return given


@app.step("last")
def last(text: str = "") -> str:
    return text
"""


async def send(
    browser: Browser,
    run: str,
    field: str = "table",
    content: bytes = b"a,b\n1,2\n",
    name: str = "a.csv",
    step: str = "one",
    headers: Mapping[str, str | None] | None = None,
) -> Answer:
    """Send one file as our script does."""
    sent = {"content-type": "text/csv", "x-pipulate-name": quote(name), **(headers or {})}
    return await browser.post(f"/-/runs/{run}/steps/{step}/uploads/{field}", content, htmx=True, headers=sent)


def id_in(answer: Answer) -> str:
    """Return the id that a form sends for a file that was taken in."""
    found = re.search(r'type="hidden" name="[\w.]+" value="(\w+)"', answer.text)
    assert found, answer.text
    return found[1]


async def uploaded(browser: Browser, run: str, field: str = "table", **given: Any) -> str:
    """Send a file that is taken; return its id."""
    answer = await send(browser, run, field, **given)
    assert answer.status == 201, answer.text
    return id_in(answer)


def multipart(parts: list[tuple[str, str | None, bytes]], boundary: str = "xyz") -> tuple[bytes, dict[str, str]]:
    """Return a form with files, and its header; a part is a field, the name of a file or None, and the content."""
    body = b""
    for field, name, content in parts:
        file = f'; filename="{name}"' if name is not None else ""
        kind = "\r\ncontent-type: application/octet-stream" if name is not None else ""
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"{file}{kind}\r\n\r\n'.encode() + content
        body += b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


def on_disk(application: Application, run: str) -> list[str]:
    """Return the names of what is in the folder of a run."""
    folder = application.layout.files / run
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
