"""What handlers of class-style plugins take and what they answer with: section 6 of the contract, shape by shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from pipulate.app import Application
from tests.support.explicit import ASLEEP, AWAKE, SHAPES, explicit, held
from tests.support.site import Browser

pytestmark = pytest.mark.anyio

WITHIN_S = 20
NONCE = "n" * 20


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("answers"), shapes_page=SHAPES) as made:
        yield made


@pytest.fixture
def browser(application: Application) -> Browser:
    return Browser(application)


# Answers


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("element?q=%3Cb%3E", '<p id="&lt;b&gt;">an element &lt;b&gt;</p>'),
        ("element", "<p>an element </p>"),
        ("several", "<div>one</div><div>two</div>and &lt;three&gt;"),
        ("text", "<b>text</b>"),
        ("nothing", ""),
        ("mapping", '{"a":[1,"<b>"]}'),
        ("stream", "data: 0\n\ndata: 1\n\ndata: 2\n\n"),
        ("raw", "<div><script>f()</script></div>"),
        ("plain", "<p>a plain function</p>"),
        ("part/12", "<p>12</p>"),
    ],
)
async def test_each_kind_of_answer_is_sent_as_the_contract_says(browser: Browser, name: str, text: str) -> None:
    answer = await browser.get(f"/shapes/{name}", htmx=True)
    assert (answer.status, answer.text) == (200, text)


async def test_answers_have_the_type_of_what_they_are(browser: Browser) -> None:
    kinds = {
        "mapping": "application/json",
        "stream": "text/event-stream",
        "element": "text/html",
        "nothing": "text/html",
    }
    for name, kind in kinds.items():
        assert (await browser.get(f"/shapes/{name}", htmx=True)).headers["content-type"].startswith(kind)


async def test_response_of_a_plugin_keeps_status_and_headers_but_no_cookies(browser: Browser) -> None:
    answer = await browser.get("/shapes/answer", htmx=True)
    assert (answer.status, answer.text) == (418, "own")
    assert json.loads(answer.headers["hx-trigger"]) == {"done": {}}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["element", "several", "text", "nothing"])
async def test_opened_without_htmx_markup_is_a_whole_page(browser: Browser, name: str) -> None:
    whole, part = await browser.get(f"/shapes/{name}"), await browser.get(f"/shapes/{name}", htmx=True)
    assert whole.text.startswith("<!doctype html>")
    assert part.text in whole.text
    assert "<html" not in part.text


async def test_scripts_of_elements_run_and_those_of_text_do_not(browser: Browser) -> None:
    answer = await browser.get("/shapes/script", htmx=True, headers={"x-pipulate-nonce": NONCE})
    assert f'<script nonce="{NONCE}">console.log(1)</script>' in answer.text
    assert "onclick" not in answer.text
    assert "nonce" not in (await browser.get("/shapes/raw", htmx=True, headers={"x-pipulate-nonce": NONCE})).text


async def test_failure_of_a_handler_tells_an_id_and_no_secret(browser: Browser) -> None:
    answer = await browser.get("/shapes/fails", htmx=True)
    assert answer.status == 500
    assert "1234" not in answer.text + answer.headers["x-pipulate-notice"]
    assert (await browser.get("/shapes/plain", htmx=True)).status == 200


# What handlers take


@pytest.mark.parametrize(
    ("query", "took"),
    [
        ("number=3", [3, 0.5, False, "none"]),
        ("number=-3&part=1.5&really=on&name=%3Cb%3E", [-3, 1.5, True, "<b>"]),
        ("number=3&really=no", [3, 0.5, False, "none"]),
    ],
)
async def test_arguments_are_what_their_annotations_say(browser: Browser, query: str, took: list[object]) -> None:
    text = json.dumps(took).replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    for answer in (
        await browser.get(f"/shapes/cast?{query}", htmx=True),
        await browser.post("/shapes/cast", query.encode(), htmx=True),
    ):
        assert answer.text.replace("&#34;", "&quot;") == f"<p>{text}</p>"


@pytest.mark.parametrize("query", ["", "number=x", "number=1.5", "number=1&really=perhaps", "number=1&part=much"])
async def test_argument_that_is_missing_or_of_another_type_is_a_bad_request(browser: Browser, query: str) -> None:
    assert (await browser.get(f"/shapes/cast?{query}", htmx=True)).status == 400


async def test_nobody_can_say_who_they_are_by_a_name(browser: Browser) -> None:
    headers = {"user": "root", "auth": "root", "session": "root"}
    answer = await browser.get("/shapes/named", htmx=True, headers=headers)
    assert "root" not in answer.text


@pytest.mark.parametrize("path", ["part/x", "part/", "part/1/2", "part/1%2F2", "part/1\n", "no"])
async def test_address_that_does_not_fit_is_not_found(browser: Browser, path: str) -> None:
    assert (await browser.get(f"/shapes/{path}", htmx=True)).status == 404


async def test_files_come_by_plain_names_as_the_browser_sends_them(browser: Browser) -> None:
    boundary = "limit"
    parts = [("a b.txt", b"one"), ("../../etc/passwd", b"\x00\xff"), ("c:\\x\\y.csv", b"")]
    body = b"".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in parts
    )
    answer = await browser.post(
        "/shapes/upload",
        body + f"--{boundary}--\r\n".encode(),
        htmx=True,
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    assert json.loads(answer.text) == [["a b.txt", 3], ["passwd", 2], ["y.csv", 0]]


# Where they run


async def test_handler_that_holds_up_its_loop_holds_up_no_page(browser: Browser) -> None:
    ASLEEP.clear()
    AWAKE.clear()
    with held(AWAKE):
        async with anyio.create_task_group() as group:
            group.start_soon(browser.get, "/shapes/sleep")
            assert await anyio.to_thread.run_sync(ASLEEP.wait, WITHIN_S)
            for page in ("/", "/hello", "/-/plugins"):
                assert (await browser.get(page)).status == 200
            AWAKE.set()


async def test_page_is_called_by_position_whatever_its_parameter_is_called(browser: Browser) -> None:
    for method in ("GET", "POST"):
        assert "<div>Shapes</div>" in (await browser.send(method, "/shapes_page")).text
