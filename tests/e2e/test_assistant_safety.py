"""A model that says the worst: while its answer grows, when it has ended, and when htmx looks at it again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.assistant import Beside, answers, beside, done
from tests.support.ollama import Turn

PAYLOADS = [
    "<script>window.ran = 1</script>",
    "<img src=/-/leak onerror=window.ran=1>",
    "![leak](/-/leak?q=secret) ![leak](https://evil.test/leak.png)",
    "[click](javascript:window.ran=1) [click](JaVaScRiPt:window.ran=1) [click](data:text/html,<script>x</script>)",
    "<div hx-get=/-/leak hx-trigger=load>x</div>",
    "<div data-hx-get=/-/leak data-hx-trigger=load>x</div>",
    "<div hx-on:load=window.ran=1 hx-on--load=window.ran=1>x</div>",
    "<form action=/-/look method=post><input name=theme value=dark autofocus onfocus=window.ran=1></form>",
    "<iframe src=/-/leak srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<style>body{display:none}</style><p style='position:fixed;inset:0'>x</p>",
    "<base href=https://evil.test/><meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<svg onload=window.ran=1><use href=/-/leak></use></svg><math><mtext><img src=/-/leak></mtext></math>",
    "<link rel=stylesheet href=https://evil.test/x.css><object data=/-/leak></object><embed src=/-/leak>",
    '```html" onmouseover="window.ran=1\n<img src=/-/leak onerror=window.ran=1>\n```',
    "| <img src=/-/leak onerror=window.ran=1> |\n|---|\n| <script>window.ran=1</script> |",
    "<video src=/-/leak onerror=window.ran=1 autoplay></video><audio src=/-/leak></audio>",
    "<details open ontoggle=window.ran=1>",
]
HARMFUL = (
    "img, script, style, svg, math, iframe, object, embed, form, input, link, base, meta, video, audio, [style], [id],"
    " [hx-get], [data-hx-get], [hx-on\\\\:load], [onerror], [onload], [srcdoc],"
    " a[href^='javascript' i], a[href^='data']"
)


@pytest.fixture(scope="module")
def talks(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with beside(tmp_path_factory.mktemp("safety"), browser) as made:
        yield made


def is_harmless(page: Page, asked: list[str]) -> None:
    page.evaluate("htmx.process(document.querySelector('#assistant'))")
    page.evaluate("htmx.process(document.querySelector('#messages'))")
    inside = "#messages > .answer :is(.prose, .tail, .thinking)"
    assert page.evaluate(f"[...document.querySelectorAll(`{inside}`)].flatMap(each =>"
                         f" [...each.querySelectorAll(`{HARMFUL}`)].map(one => one.outerHTML))") == []  # fmt: skip
    assert page.evaluate("window.ran") is None
    assert [each for each in asked if "leak" in each or "evil" in each] == []


@pytest.mark.parametrize("split", [1, 7], ids=["word by word", "all at once"])
def test_nothing_a_model_says_runs_is_fetched_or_asks_for_anything(talk: Beside, split: int) -> None:
    page = talk.start(talk.person())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    text = "\n\n".join(f"{each}\n\nAfter it." for each in PAYLOADS)
    words = text.count(" ")
    talk.ask(page, "Attack", Turn(text, thinking=" ".join(PAYLOADS), holds_at=words // (2 if split == 1 else 1)))
    expect(answers(page).locator(".prose")).to_contain_text("After it.")
    is_harmless(page, asked)
    page.reload()
    expect(answers(page).locator(".prose")).to_contain_text("After it.")
    is_harmless(page, asked)
    talk.ollama.go()
    expect(done(page).locator("p", has_text="After it.")).to_have_count(len(PAYLOADS))
    is_harmless(page, asked)
    page.reload()
    done(page)
    is_harmless(page, asked)


def test_each_alone_does_nothing_either(talk: Beside) -> None:
    somebody, asked = talk.person(), list[str]()
    somebody.page.on("request", lambda request: asked.append(request.url))
    for payload in PAYLOADS:  # Each in a run of its own, so that none closes or opens what another began.
        page = talk.start(somebody)
        talk.ask(page, payload, Turn(payload))
        done(page)
        is_harmless(page, asked)


def test_link_opens_elsewhere_and_says_where(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Link", Turn("[my bank](https://evil.test/x)"))
    link = done(page).get_by_role("link", name="my bank")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(done(page)).to_contain_text("my bank (evil.test)")
