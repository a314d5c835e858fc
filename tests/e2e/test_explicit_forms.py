"""Forms of class-style apps, in a browser: drafts, refused answers, and how they look."""

from __future__ import annotations

import re
import threading

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import until
from tests.e2e.explicit_host import BUTTON, RUN_A, RUN_B, Answer, Asked, Host, app_page, named, opened, pressed, step
from tests.e2e.test_access import findings

# Drafts


def test_half_typed_form_of_a_plugin_survives_a_reload(page: Page, host: Host) -> None:
    opened(page, host, app_page(step() + step("step_02"), run=RUN_A, version=1, key="a-01"))
    page.locator("#step_01").get_by_label("Text").fill("half")
    page.reload()
    expect(page.locator("#step_01").get_by_label("Text")).to_have_value("half")
    expect(page.locator("#step_02").get_by_label("Text")).to_have_value("")
    assert page.locator("#step_01 form").get_attribute("data-draft") == "explicit:a-01:step_01"


def test_form_that_came_with_an_answer_keeps_its_draft_too(page: Page, host: Host) -> None:
    host.answers["/app/go"] = Answer(step(), headers=named(RUN_B, 1, "b-01"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    page.get_by_label("Text").fill("half")
    page.reload()
    expect(page.get_by_label("Text")).to_have_count(0)
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("half")


def test_draft_is_kept_of_a_form_that_came_just_now(page: Page, host: Host) -> None:
    """Before htmx calls the page settled, which takes some milliseconds."""
    host.answers["/app/go"] = Answer(step(), headers=named(RUN_B, 1, "b-01"))
    opened(page, host, app_page(BUTTON))
    page.evaluate(
        """() => document.addEventListener("htmx:afterRequest", () => {
            const field = document.querySelector("#step_01 input[name=text]");
            field.value = "quick";
            field.dispatchEvent(new Event("input", {bubbles: true}));
        })"""
    )
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("quick")
    page.reload()
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("quick")
    assert "quick" in page.evaluate("sessionStorage.getItem('draft:explicit:b-01:step_01')")


def test_form_that_comes_again_after_it_was_taken_is_empty(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("<p>taken</p>" + step(), headers=named(RUN_A, 2, "a"))
    opened(page, host, app_page(step(), run=RUN_A, version=1, key="a"))
    page.get_by_label("Text").fill("typed")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("taken")).to_be_visible()
    until(page, "!document.querySelector('.htmx-settling')")
    expect(page.get_by_label("Text")).to_have_value("")


def test_draft_of_one_run_is_not_offered_in_another(page: Page, host: Host) -> None:
    opened(page, host, app_page(step(), run=RUN_A, version=1, key="a-01"))
    page.get_by_label("Text").fill("half")
    opened(page, host, app_page(step(), run=RUN_B, version=1, key="a-02"))
    expect(page.get_by_label("Text")).to_have_value("")


def test_two_forms_in_one_place_have_drafts_of_their_own(page: Page, host: Host) -> None:
    form = '<form hx-post="/app/x"><input name="text" aria-label="{}"><button>Next</button></form>'
    opened(page, host, app_page(f'<div id="s">{form.format("One")}{form.format("Two")}</div>', run=RUN_A, key="a"))
    page.get_by_label("Two").fill("half")
    page.reload()
    expect(page.get_by_label("Two")).to_have_value("half")
    expect(page.get_by_label("One")).to_have_value("")


def test_draft_never_keeps_a_password_or_a_file(page: Page, host: Host) -> None:
    fields = (
        '<input name="text" aria-label="Text"><input name="token" type="password" aria-label="Token">'
        '<input name="file" type="file" aria-label="File">'
    )
    opened(page, host, app_page(step(fields=fields), run=RUN_A, version=1, key="a"))
    page.get_by_label("Token").fill("pa55word")
    page.get_by_label("File").set_input_files({"name": "s3cret.txt", "mimeType": "text/plain", "buffer": b"x"})
    page.get_by_label("Text").fill("half")
    kept = page.evaluate("JSON.stringify(sessionStorage)")
    assert "half" in kept
    assert not re.search("pa55word|s3cret|token|file", kept)


def test_draft_goes_when_the_run_took_it_and_stays_when_it_did_not(page: Page, host: Host) -> None:
    """A plugin says "cannot be empty" with 200, in the place of the form."""
    versions = iter((1, 2))
    host.answers["/app/step_01_submit"] = lambda _: Answer("said", headers=named(RUN_A, next(versions), "a"))
    host.answers["/app"] = app_page(step(), run=RUN_A, version=1, key="a")
    for kept in ("", "typed", ""):
        page.goto(host.address + "/app")
        expect(page.get_by_label("Text")).to_have_value(kept)
        if kept == "" and len(host.to("/app/step_01_submit")) == 2:
            break
        page.get_by_label("Text").fill("typed")
        page.get_by_role("button", name="Next").click()
        expect(page.locator("#step_01")).to_have_text("said")


def test_record_that_was_added_leaves_no_draft_where_there_is_no_run(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("added")
    opened(page, host, app_page(step()))
    page.get_by_label("Text").fill("milk")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("added")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("")


def test_draft_typed_against_an_older_version_says_so_when_it_is_sent(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("said", headers=named(RUN_A, 9, "a"))
    opened(page, host, app_page(step(), run=RUN_A, version=3, key="a"))
    page.get_by_label("Text").fill("mine")
    changed = step(fields='<input name="text" aria-label="Text" value="theirs">', attributes='data-pip-seen="8"')
    opened(page, host, app_page(changed, run=RUN_A, version=8, key="a"))
    expect(page.get_by_label("Text")).to_have_value("mine")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("said")
    assert host.to("/app/step_01_submit")[0].told()[2] == "3"


def test_plugin_gets_only_the_fields_it_made(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("said")
    opened(page, host, app_page(step(), run=RUN_A, version=3, key="a"))
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("said")
    assert re.findall('name="([^"]*)"', host.to("/app/step_01_submit")[0].body) == ["text"]


# Answers that are not what was hoped for


def test_conflict_is_shown_where_the_server_says_and_what_was_typed_stays(page: Page, host: Host) -> None:
    conflict = {"HX-Retarget": "#explicit", "HX-Reswap": "innerHTML", "X-Pipulate-Swap": "1"}
    host.answers["/app/step_01_submit"] = Answer(
        '<h2>This run was changed</h2><div id="step_01"></div>', 409, conflict | named(RUN_A, 5, "a")
    )
    opened(page, host, app_page(step() + BUTTON, run=RUN_A, version=3, key="a"))
    page.get_by_label("Text").fill("mine")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#explicit h2")).to_have_text("This run was changed")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("mine")


def test_button_of_a_plugin_works_once_while_its_form_is_sent(page: Page, host: Host) -> None:
    first = threading.Event()

    def slow(_asked: Asked) -> Answer:
        first.wait(10)
        return Answer("said")

    host.answers["/app/step_01_submit"] = slow
    elsewhere = step().replace('hx-target="#step_01"', 'hx-target="#out"') + BUTTON
    opened(page, host, app_page(elsewhere, run=RUN_A, version=3, key="a"))
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    first.set()
    expect(page.locator("#out")).to_have_text("said")
    expect(page.get_by_role("button", name="Next")).to_be_enabled()


# How it looks

CODE = '# A comment\ndef f(x: int = 3) -&gt; str:\n    return f"{x}" + "text" if True else None\n@a.b\nclass A: pass'
SHOWN = f"""
<div class="container">
 <article><h2>Hello workflow</h2><p class="text-secondary">Say hello.</p>
  <form hx-post="/app/init"><div class="inline-button-container">
   <input type="search" name="pipeline_id" aria-label="Key" class="contrast" value="Default_Profile-Hello-01">
   <button type="submit" class="secondary">Enter</button></div></form></article>
 <div id="app-container">
  <div id="step_01"><article style="display: flex; align-items: center">
   <div style="flex: 1">Name: Ada <p class="text-note">note</p> <p class="text-success">good</p>
    <p class="text-invalid">bad</p></div>
   <form style="flex: 0"><button class="button-revert">Step 1</button></form></article></div>
  <div class="card-container"><article>Code</article><div class="widget-content">
   <pre class="line-numbers"><code class="language-python">{CODE}</code></pre>
   <pre><code class="language-markup">&lt;a href="x"&gt;text&lt;/a&gt; &lt;!-- c --&gt;</code></pre></div></div>
  <article><h3>Step 2</h3><p>Words</p>{step("step_02")}<button class="secondary outline">Two</button>
   <button class="contrast">Three</button> <button class="primary">Four</button></article>
  <article class="markdown-body"><h1>Head</h1><p>Text with <code>code</code> and <a href="/x">a link</a>.</p>
   <ul><li>one</li></ul>
   <table><thead><tr><th>a</th></tr></thead><tbody><tr><td>{"word" * 60}</td></tr></tbody></table></article>
  <ul class="sortable"><li class="done">Milk <button class="delete-icon" aria-label="Delete">x</button></li></ul>
 </div>
</div>
"""


def test_markup_of_plugins_can_be_read_by_everybody(browser: Browser, host: Host) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": 390, "height": 800})
    page = opened(context.new_page(), host, app_page(SHOWN, run=RUN_A, version=1, key="a"))
    page.evaluate("htmx.trigger(document.body, 'initializePrism', {targetId: 'explicit'})")
    expect(page.locator(".token").first).to_be_visible()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_form_is_sent_by_our_script_from_the_moment_it_is_there(page: Page, host: Host) -> None:
    """Enter comes fast where the field of the next step has the focus."""
    host.answers["/app/go"] = Answer(step())
    host.answers["/app/step_01_submit"] = Answer("taken")
    opened(page, host, app_page(BUTTON))
    page.evaluate(
        "document.addEventListener('htmx:afterSwap', () => document.querySelector('#step_01 form').requestSubmit(),"
        " {once: true})"
    )
    pressed(page)
    expect(page.locator("#out")).to_contain_text("taken")
    assert [each.method for each in host.asked if each.path == "/app"] == ["GET"]
