"""What the assistant asks to do: nothing happens before a person says so, and what they see is what is done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.e2e.assistant import Beside, answers, beside, done, fills, own
from tests.e2e.late import Held
from tests.e2e.test_access import findings
from tests.support.generations import SECOND
from tests.support.ollama import Turn, model

EVIL_NAME = "<img src=/x onerror=alert(1)><b hx-get=/y hx-trigger=load>**x**</b>"


@pytest.fixture(scope="module")
def talks(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("calls")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "tool_shed.py").write_text(SECOND)
    with beside(folder, browser) as made:
        yield made


def card(page: Page) -> Locator:
    """Wait for a card that asks; return it."""
    asked = page.locator("#messages > .call.asks")
    expect(asked).to_have_count(1)
    return asked


def test_step_is_filled_in_once_it_is_allowed_and_not_before(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"), Turn("It says Ada now."))
    expect(card(page).locator("h3")).to_have_text("Fill in and submit a step")
    expect(card(page).locator(".differences")).to_contain_text("Ada")
    expect(page.locator("#step-name.done")).to_have_count(0)
    card(page).get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator("#step-name.done")).to_contain_text("Ada")
    expect(done(page, 2)).to_contain_text("It says Ada now.")
    folded = page.locator("#messages > .call[data-state=done]")
    expect(folded).to_contain_text("You allowed: “Your name” was filled in.")
    folded.locator("summary").first.click()
    expect(folded.locator(".exact")).to_be_visible()
    page.get_by_role("button", name="History").or_(page.get_by_role("link", name="History")).click()
    expect(page.locator(".history li").first).to_contain_text("assistant")


def test_step_of_a_class_style_run_is_filled_in_through_its_page(talk: Beside) -> None:
    page = talk.person().page
    page.goto(f"{talk.server.address}/tool_shed")
    page.locator("input[name=pipeline_id]").press("Enter")
    expect(page.locator("#step_tool input[name=tool]")).to_be_visible()
    expect(page.locator("#assistant .send")).to_have_text("Send")
    fill = ("submit_step", {"step": "step_tool", "values": {"tool": "a saw"}, "version": 1})
    talk.ask(page, "Store the saw", Turn("", calls=[("read_form", {})]), Turn("So:", calls=[fill]), Turn("Stored."))
    expect(card(page).locator(".differences")).to_contain_text("a saw")
    expect(page.locator("#step_tool input[name=tool]")).to_have_value("")
    card(page).get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator("#shed-container").first).to_contain_text("Tool: a saw")
    expect(page.locator("#step_02b input[name=wall]")).to_be_visible()
    expect(page.locator("#messages > .answer").last).to_contain_text("Stored.")


def test_refusal_that_comes_late_takes_the_focus_from_nobody_who_goes_on_writing(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"))
    card(page).locator(".edit > summary").click()
    card(page).get_by_label("Values").fill("no JSON")
    held = Held(page, re.compile("/-/assistant/calls/"), "POST")
    card(page).get_by_role("button", name="Allow as edited").click()
    held.wait()
    field = page.locator("#assistant textarea[name=text]")
    field.focus()
    held.arrives()
    expect(card(page).get_by_role("alert")).to_contain_text("“Values” is not valid JSON.")
    expect(field).to_be_focused()


def test_nothing_is_done_that_was_denied(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"), Turn("As you like."))
    card(page).get_by_role("button", name="Deny").click()
    expect(page.locator("#messages > .call[data-state=denied]")).to_contain_text("You did not allow")
    done(page, 2)
    expect(page.locator("#step-name.done")).to_have_count(0)


def test_what_is_done_is_what_a_person_changed_it_to(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"), Turn("Done."))
    card(page).locator(".edit > summary").click()
    values = card(page).get_by_label("Values")
    values.fill("no JSON")
    card(page).get_by_role("button", name="Allow as edited").click()
    expect(card(page).get_by_role("alert")).to_contain_text("“Values” is not valid JSON.")
    expect(card(page).get_by_label("Values")).to_have_value("no JSON")
    card(page).get_by_label("Values").fill('{"name": "Grace"}')
    card(page).get_by_role("button", name="Allow as edited").click()
    expect(page.locator("#step-name.done")).to_contain_text("Grace")
    expect(page.locator("#messages > .call[data-state=done]")).to_contain_text("You allowed")
    done(page, 2)


def test_decision_in_one_tab_is_seen_in_the_other(talk: Beside) -> None:
    somebody = talk.person()
    page = talk.start(somebody)
    second = somebody.tab()
    second.goto(page.url)
    talk.ask(page, "Fill it in", fills("Ada"), Turn("Done."))
    card(second).get_by_role("button", name="Allow", exact=True).click()
    for each in (page, second):
        expect(each.locator("#messages > .call[data-state=done]")).to_have_count(1)
        expect(each.get_by_role("button", name="Allow", exact=True)).to_have_count(0)
        done(each, 2)


def test_card_that_was_decided_elsewhere_says_so(talk: Beside) -> None:
    somebody = talk.person()
    page = talk.start(somebody)
    talk.ask(page, "Fill it in", fills("Ada"), Turn("Done."))
    form = card(page).locator("form.actions")
    address, shown = form.get_attribute("action"), form.locator("[name=shown]").input_value()
    headers = {"HX-Request": "true", "Origin": talk.server.address, "Sec-Fetch-Site": "same-origin"}
    wrong = page.request.post(f"{talk.server.address}{address}", form={"decision": "allow", "shown": "0" * 32},
                              headers=headers)  # fmt: skip
    assert wrong.status == 409
    assert "This is not what was shown to you" in wrong.text()
    expect(page.locator("#step-name.done")).to_have_count(0)
    card(page).get_by_role("button", name="Deny").click()
    expect(page.locator("#messages > .call[data-state=denied]")).to_have_count(1)
    late = page.request.post(f"{talk.server.address}{address}", form={"decision": "allow", "shown": shown},
                             headers=headers)  # fmt: skip
    assert late.status == 409
    done(page, 2)
    expect(page.locator("#step-name.done")).to_have_count(0)


def test_allowed_for_this_run_is_not_asked_again_in_it(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"), Turn("Once."), fills("Grace", 2), Turn("Twice."))
    card(page).get_by_role("button", name="Allow for this run").click()
    expect(done(page, 2)).to_contain_text("Once.")
    page.locator("#assistant textarea[name=text]").fill("Again")
    page.keyboard.press("Enter")
    expect(done(page, 4)).to_contain_text("Twice.")
    expect(page.locator("#step-name.done")).to_contain_text("Grace")
    expect(page.locator("#messages > .call").last).to_contain_text("Allowed for this run")


def test_look_is_one_quiet_line(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Look", Turn("", calls=[("read_run", {})]), Turn("I looked."))
    done(page, 2)
    expect(page.locator("#messages > .call")).to_have_attribute("data-effect", "read")
    expect(page.locator("#messages > .call summary").first).to_contain_text("Read a run")


def test_hostile_names_and_arguments_are_shown_as_what_they_are(talk: Beside) -> None:
    page = talk.start(talk.person())
    given = {"step": EVIL_NAME, "values": {EVIL_NAME: EVIL_NAME}, "version": 1, EVIL_NAME: EVIL_NAME}
    broken = Turn("", calls=[(EVIL_NAME, given)])
    talk.ask(page, "Attack", broken, fills(EVIL_NAME), Turn("Done."))
    expect(page.locator("#messages > .call[data-state=refused]")).to_contain_text("<img src=/x")
    expect(card(page).locator(".differences")).to_contain_text(EVIL_NAME)
    card(page).locator(".exact > summary").first.click()
    expect(card(page).locator(".exact")).to_contain_text("onerror")
    page.evaluate("htmx.process(document.querySelector('#assistant'))")
    assert page.locator("#messages :is(img, b, [hx-get], [onerror])").count() == 0
    card(page).get_by_role("button", name="Deny").click()
    done(page, 3)


def test_axe_finds_nothing_serious_on_answers_and_cards(talk: Beside) -> None:
    page = talk.start(talk.person(bypass_csp=True))
    text = "# Title\n\nA [link](https://example.org).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n```"
    talk.ask(page, "Fill it in", Turn(text), fills("Ada"))
    done(page)
    page.locator("#assistant textarea[name=text]").fill("Now")
    page.keyboard.press("Enter")
    card(page).locator(".edit > summary").click()
    assert findings(page) == []


def test_without_a_script_the_same_forms_do(talk: Beside) -> None:
    scripted = talk.start(talk.person())
    talk.ask(scripted, "Fill it in", fills("Ada"), Turn("Done."))
    card(scripted)
    page = talk.person(java_script_enabled=False).page
    page.goto(scripted.url)
    page.locator(".call.asks").get_by_role("button", name="Allow", exact=True).click()
    done(scripted, 2)
    page.reload()
    expect(page.locator("#step-name.done")).to_contain_text("Ada")
    expect(page.locator("#messages > .call[data-state=done]")).to_have_count(1)
    page.locator("#assistant textarea[name=text]").fill("x" * 20_001)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("20,000")
    expect(page.locator("#not-sent textarea")).to_have_value("x" * 20_001)


def comes(made: Beside, page: Page, *names: str) -> None:
    """Let these be the models there are, and have it noticed."""
    made.ollama.models[:] = [model(name) for name in names]
    page.request.post(f"{made.server.address}/-/assistant/look", headers=own(made))


def test_what_is_written_is_what_its_button_says_whatever_became_of_the_model(browser: Browser, tmp_path: Path) -> None:
    with beside(tmp_path, browser) as made:
        page = made.start(made.person())
        comes(made, page)
        expect(page.locator("#assistant .send")).to_have_text("Add note")
        made.ask(page, "Remember")
        expect(page.locator("#messages .note .text")).to_have_text("Remember")
        expect(answers(page)).to_have_count(0)
        comes(made, page, "tiny:4b")
        expect(page.locator("#assistant .send")).to_have_text("Send")
        heard = re.compile('"type": ?"model"')
        other = made.person().page
        other.route_web_socket(re.compile("/-/live"), lambda socket: without(socket, heard))
        other.goto(page.url)
        expect(other.locator("#assistant .send")).to_have_text("Send")
        comes(made, page)
        expect(page.locator("#assistant .send")).to_have_text("Add note")
        made.ask(other, "Are you there?")
        expect(other.locator("#messages > .answer[data-state=failed]")).to_have_count(1)
        comes(made, page, "tiny:4b")
        made.ollama.script(Turn("Yes."))
        other.get_by_role("button", name="Retry").click()
        expect(done(other)).to_contain_text("Yes.")


def without(socket: WebSocketRoute, heard: re.Pattern[str]) -> None:
    """Let everything through but some frames."""
    server = socket.connect_to_server()
    server.on_message(lambda frame: None if heard.search(str(frame)) else socket.send(frame))


def test_with_no_model_what_is_written_is_kept_as_a_note(browser: Browser, tmp_path: Path) -> None:
    with beside(tmp_path, browser, PIPULATE_MODEL_URL="http://127.0.0.1:9") as made:
        page = made.person().start("hello")
        expect(page.locator("#assistant-model")).to_contain_text("No language model answers at http://127.0.0.1:9")
        expect(page.locator("#assistant-model")).to_contain_text("kept as a note")
        page.locator("#assistant textarea").fill("Remember")
        page.get_by_role("button", name="Add note").click()
        expect(page.locator("#messages .note .text")).to_have_text("Remember")
        page.get_by_role("button", name="Look again").click()
        expect(page.locator("#assistant-model")).to_contain_text("No language model answers")
        page.get_by_role("textbox", name="Name", exact=True).fill("Ada")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#step-name.done")).to_contain_text("Ada")


def test_another_model_is_chosen_and_stays_so(browser: Browser, tmp_path: Path) -> None:
    with beside(tmp_path, browser) as made:
        made.ollama.models += [model("other:1b")]
        page = made.start(made.person())
        page.locator("#assistant-model summary").click()
        page.locator("#assistant-model").get_by_role("button", name="other:1b").click()
        expect(page.locator("#assistant-model summary")).to_contain_text("other:1b")
        made.ask(page, "Who", Turn("Me."))
        expect(done(page)).to_contain_text("other:1b")
        page.reload()
        expect(page.locator("#assistant-model summary")).to_contain_text("other:1b")


def test_answer_that_only_asks_for_an_action_is_not_said_to_be_empty(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", silent("Ada"), Turn("Done."))
    card(page)
    expect(page.locator("#messages")).not_to_contain_text("The model said nothing.")
    page.reload()
    card(page).get_by_role("button", name="Allow", exact=True).click()
    done(page, 2)
    expect(page.locator("#messages")).not_to_contain_text("The model said nothing.")


@pytest.mark.parametrize("decision", ["Allow", "Deny"])
def test_who_decides_with_keys_goes_on_from_what_was_decided(decision: str, talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Fill it in", fills("Ada"), Turn("Well."))
    card(page).get_by_role("button", name=decision, exact=True).press("Enter")
    done(page, 2)
    expect(page.locator("#messages > .call summary").first).to_be_focused()


def test_of_several_cards_the_first_is_read_from_its_top(talk: Beside) -> None:
    page = talk.start(talk.person())
    made = [("create_record", {"table": "tasks", "values": {"title": f"Task {number}"}}) for number in range(4)]
    talk.ask(page, "Four tasks", Turn("", calls=made), Turn("Made."))
    asked = page.locator("#messages > .call.asks")
    for left in range(4, 0, -1):
        expect(asked).to_have_count(left)
        expect(asked.first.locator("h3")).to_be_in_viewport(ratio=1)
        asked.first.get_by_role("button", name="Allow", exact=True).press("Enter")
    expect(done(page, 2)).to_contain_text("Made.")


def silent(name: str) -> Turn:
    """Return what `fills` does, from a model that says no word."""
    return Turn("", calls=fills(name).calls)
