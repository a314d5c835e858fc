"""Takes the pictures of the documentation: a server in a temporary folder, a browser, invented data.

Run it after a change that can be seen: `.venv/bin/python scripts/screenshots.py`. It needs Chromium, on the PATH or
named in PIPULATE_TEST_CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
TUTORIAL = ROOT / "docs" / "tutorials" / "first-workflow.md"
WINDOW: ViewportSize = {"width": 1280, "height": 800}
MOST_BYTES = 200_000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip

DRAFT = """\
Our bakery opens at six. Every morning we bake rye bread, wheat bread and spelt rolls, and what is not sold by noon \
costs half. We bake with flour from the mill in the next village.

Order by phone until eight in the evening, and your bread waits for you the next morning, still warm, packed in paper, \
with your name on it, at the side door beside the yard, so that you need not stand in line.
"""
REVISED = """\
Our bakery opens at six. Every morning we bake rye bread and spelt rolls, and what is not sold by noon costs half. We \
bake with flour from the mill in the next village.

Order by phone until eight in the evening. Your bread waits for you the next morning, still warm, with your name on it.
"""
PAGES = "https://example.com/prices\nhttps://example.com/tour?lang=en"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run a server in a folder; yield the link that lets a browser in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIPULATE_")}
    clean.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "pipulate", "run", "--port", "0", "--print-url", "--no-browser", "--no-reload"]
    server = subprocess.Popen(
        command, cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        with cast("IO[str]", server.stdout) as out:
            yield out.readline().strip()
    finally:
        server.terminate()
        server.wait(30)


def tutorial_app() -> str:
    """Return the app of the tutorial: its blocks, one after another."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL))


def submit(page: Page, step: str, then: str) -> None:
    """Press the first button of a step's form and wait for what comes."""
    page.locator(f"#step-{step} form button.primary, #step-{step} form button").first.click()
    page.wait_for_selector(then)


def start(page: Page, address: str, app: str, key: str) -> None:
    """Begin a run."""
    page.goto(f"{address}/{app}")
    page.locator("#key").fill(key)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("[data-run]")


def the_readme(page: Page, address: str) -> None:
    """Show a text check that was gone back in, with its history beside it."""
    start(page, address, "text_check", "flyer")
    page.locator("#step-text textarea").fill(DRAFT)
    submit(page, "text", "text=All steps are done")
    page.locator("#step-text").get_by_role("button", name="Edit").click()
    page.locator("#step-text textarea").fill(REVISED)
    submit(page, "text", "#step-compare form")
    page.get_by_role("link", name="History").click()
    page.wait_for_selector("text=· version 1")


def the_tutorial(page: Page, address: str) -> None:
    """Show the tutorial's app at its end, locked."""
    start(page, address, "campaign_links", "spring")
    page.locator("#step-pages textarea").fill(PAGES)
    submit(page, "pages", "#step-campaign form")
    page.get_by_label("newsletter").check()
    page.get_by_role("textbox", name="Name").fill("spring")
    submit(page, "campaign", "text=All steps are done")
    page.get_by_role("button", name="Lock run").click()
    page.get_by_role("button", name="Unlock").wait_for()


def the_conflict(page: Page, address: str) -> None:
    """Show what the slower of two tabs sees."""
    start(page, address, "text_check", "notice")
    page.locator("#step-text textarea").fill(DRAFT)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#step-text textarea").fill(REVISED)
    submit(other, "text", "text=All steps are done")
    page.locator("#step-text form button").first.click()
    page.wait_for_selector("text=Keep mine")
    page.get_by_role("button", name="Dismiss").wait_for(state="detached")  # The notice goes when the page says it.
    other.close()


def take(context: BrowserContext, address: str, name: str, scene: Callable[[Page, str], None]) -> None:
    """Play a scene in a fresh tab and keep its last picture."""
    page = context.new_page()
    scene(page, address)
    page.mouse.move(0, 0)
    picture = smaller(page.screenshot())
    if len(picture) > MOST_BYTES:
        sys.exit(f"{name} has {len(picture):,} bytes; {MOST_BYTES:,} are the most.")
    (IMAGES / name).write_bytes(picture)
    print(f"{name}: {len(picture):,} bytes")
    page.close()


def smaller(png: bytes) -> bytes:
    """Return a PNG without what no viewer needs, its rows packed as tightly as zlib can."""
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    rows = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    kept = [(b"IHDR", chunks[0][1]), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in kept
    )


def main() -> None:
    """Take all pictures."""
    chromium = shutil.which(os.environ.get("PIPULATE_TEST_CHROMIUM", "chromium"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        (plugins / "010_campaign_links.py").write_text(tutorial_app())
        with served(Path(folder)) as link:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            context = browser.new_context(viewport=WINDOW, color_scheme="light", reduced_motion="reduce")
            context.new_page().goto(link)
            address = link.partition("/-/")[0]
            for name, scene in (
                ("run.png", the_readme),
                ("tutorial.png", the_tutorial),
                ("conflict.png", the_conflict),
            ):
                take(context, address, name, scene)
            browser.close()


if __name__ == "__main__":
    main()
