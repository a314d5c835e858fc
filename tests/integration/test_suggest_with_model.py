"""A step that a language model can suggest the answers of: asked for by a button, and allowed by the person."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from pipulate import Choices, FieldError, File, Run, Workflow
from pipulate.chat.calls import digest
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import calls, ledger, messages
from pipulate.testing import Play, PlayError, RunningApp, ScriptedModel, WrongStepError


class Author(BaseModel):
    first: str
    age: int | None = None


NO_SECRET = SecretStr("")


def people(_: Run) -> list[str]:
    return ["Ann", "Jo"]


def on_birds(_: Run) -> dict[str, str]:
    return {"subject": "On birds"}


def no_run() -> str:
    return "x"


def too_many(run: Run, more: str) -> str:
    return f"{run}{more}"


def letters(**how: Any) -> Workflow:
    """Return an app whose second step can be suggested."""
    app = Workflow("letters", title="Letters")

    @app.step("about")
    def about(text: str) -> str:
        return text

    @app.step("letter", title="The letter")
    def letter(
        subject: Annotated[str, Field(max_length=20)],
        tone: Literal["kind", "stern"],
        to: Annotated[str, Choices(people)],
        pages: int = 1,
        is_urgent: bool = False,
        author: Author | None = None,
        keys: list[str] = [],  # noqa: B006 - as a form has it
        password: SecretStr = NO_SECRET,
        attachment: File | None = None,
    ) -> str:
        return (
            f"{subject}, {tone}, to {to}, {pages} pages{', urgent' if is_urgent else ''}, {password.get_secret_value()}"
        )

    @letter.validate
    def short(subject: str, pages: int) -> None:
        if pages > 3:
            raise FieldError("pages", "A letter has at most 3 pages.")

    def prompt(run: Run) -> str:
        return f"Write a letter about {run['about']}."

    (letter.suggest_with_model(**how) if how else letter.suggest_with_model)(prompt)
    return app


GOOD = {
    "subject": "Hello", "tone": "kind", "to": "Jo", "pages": 2, "is_urgent": True,
    "author": {"first": "Ann", "age": None}, "keys": ["a"],
}  # fmt: skip


@pytest.fixture
def playing() -> Iterator[Any]:
    """Begin a run with a scripted model, its first step filled in."""
    running: list[RunningApp] = []

    def begin(*answers: Any, app: Workflow | None = None) -> tuple[Play, ScriptedModel]:
        model = ScriptedModel(*answers)
        running.append(RunningApp(model=model))
        return running[-1].play(app or letters()).fill(text="birds"), model

    yield begin
    for each in running:
        each.close()


def rows(run: Play) -> list[messages.Message]:
    return run.app.application.site.db.read_now(messages.before, run.id)


def test_a_suggestion_waits_for_the_person_and_changes_nothing(playing: Any) -> None:
    run, model = playing(GOOD)
    assert run.suggest() == GOOD
    assert "letter" not in run
    assert model.asked == ["Write a letter about birds."]
    said = rows(run)[-3:]
    assert [each.role for each in said] == ["user", "answer", "call"]
    assert said[0].text == "Suggest what to fill in for “The letter”."
    assert said[1].text == "I suggest this for “The letter”."


def test_what_is_allowed_goes_the_way_of_the_form_and_the_journal_names_both(playing: Any) -> None:
    run, _ = playing(GOOD)
    run.suggest()
    run.allow()
    assert run["letter"] == "Hello, kind, to Jo, 2 pages, urgent, "
    event = run.app.application.site.db.read_now(ledger.events, run.id, after=0)[-1]
    assert (event.actor, event.data["via"]) == (OWNER, "assistant")


def test_what_is_allowed_can_be_changed_before(playing: Any) -> None:
    run, _ = playing(GOOD)
    run.suggest()
    assert run.allow(subject="Dear Jo")["letter"].startswith("Dear Jo, kind")


def test_what_is_denied_is_not_done_and_the_model_is_not_asked_again(playing: Any) -> None:
    run, model = playing(GOOD)
    run.suggest()
    run.deny()
    assert "letter" not in run
    assert len(model.asked) == 1
    question = next(each for each in rows(run) if each.data.get("propose"))
    assert question.state == messages.DONE


def test_after_it_was_allowed_the_model_is_not_asked_again(playing: Any) -> None:
    run, model = playing(GOOD)
    run.suggest()
    run.allow()
    assert len(model.asked) == 1
    question = next(each for each in rows(run) if each.data.get("propose"))
    assert question.state == messages.DONE


def test_the_model_is_asked_for_the_fields_it_can_fill_in(playing: Any) -> None:
    run, model = playing(GOOD)
    run.suggest()
    schema = model.schemas[0]
    assert sorted(schema["properties"]) == sorted(GOOD)
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["tone"]["enum"] == ["kind", "stern"]
    assert schema["properties"]["to"]["enum"] == ["Ann", "Jo"]
    assert schema["properties"]["pages"]["type"] == "integer"
    assert schema["properties"]["author"]["type"] == ["object", "null"]
    assert schema["properties"]["author"]["properties"]["age"]["type"] == ["integer", "null"]
    assert schema["properties"]["keys"]["items"] == {"type": "string"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pages": 4}, "A letter has at most 3 pages."),
        ({"subject": "x" * 21}, "subject"),
        ({"tone": "sad"}, "tone"),
        ({"to": "Bob"}, "Choose one of the options."),
        ({"password": "1234"}, "Only the person can type a secret"),
        ({"attachment": "a.txt"}, "Only the person can choose a file"),
        ({"unknown": 1}, "There is no such field."),
    ],
)
def test_a_suggestion_that_breaks_a_rule_goes_back_to_the_model_once(playing: Any, wrong: Any, words: str) -> None:
    run, model = playing(GOOD | wrong, GOOD)
    assert run.suggest() == GOOD
    assert words in model.asked[1]


def test_a_second_one_that_breaks_a_rule_is_told_in_words(playing: Any) -> None:
    run, model = playing(GOOD | {"pages": 4}, "no JSON")
    with pytest.raises(PlayError, match="not the JSON object that was asked for"):
        run.suggest()
    assert len(model.asked) == 2
    assert rows(run)[-1].state == messages.FAILED
    assert run.app.application.site.db.read_now(calls.waiting, run.id, "submit_step") == []


def test_the_open_form_says_that_a_suggestion_waits(playing: Any) -> None:
    run, _ = playing(GOOD)
    assert "Suggest with the assistant" in run.html
    run.suggest()
    assert "The assistant suggests values." in run.html
    assert "Suggest with the assistant" not in run.html
    run.deny()
    assert "Suggest with the assistant" in run.html


def test_without_a_model_there_is_no_button_and_the_form_starts_with_the_fallback() -> None:
    with RunningApp(app := letters(fallback=lambda run: {"subject": f"On {run['about']}"})) as running:
        run = running.play(app).fill(text="birds")
        assert run.fields["subject"].texts == ("On birds",)
        assert "Suggest with the assistant" not in run.html
        with pytest.raises(WrongStepError):
            run.suggest()


def test_with_a_model_the_fallback_is_left_out(playing: Any) -> None:
    run, _ = playing(app=letters(fallback=on_birds))
    assert run.fields["subject"].texts in ((), ("",))


def test_a_model_that_is_gone_meanwhile_is_told_in_words() -> None:
    with RunningApp(app := letters()) as running:
        run = running.play(app).fill(text="birds")
        answer = running.send("POST", f"/-/runs/{run.id}/steps/letter/suggest", headers={"hx-request": "true"})
        assert answer.status in (409, 422, 503)
        assert "switched off" in answer.text


def test_a_prompt_that_fails_is_told_and_the_page_goes_on(playing: Any) -> None:
    app = letters()
    app.steps[1].suggest_with_model(lambda run: run["nothing"])
    run, model = playing(app=app)
    with pytest.raises(PlayError, match="The app made an error in step 'letter'"):
        run.suggest()
    assert model.asked == []


def test_what_was_allowed_for_the_run_is_asked_about_all_the_same(playing: Any) -> None:
    app = Workflow("plain", title="Plain")

    @app.step("about")
    def about(text: str) -> str:
        return text

    @app.step("letter")
    def letter(subject: str) -> str:
        return subject

    letter.suggest_with_model(str)
    run, _ = playing({"subject": "Hello"}, {"subject": "Again"}, app=app)
    run.suggest()
    site = run.app.application.site
    (row,) = site.db.read_now(calls.waiting, run.id, "submit_step")
    run.app.call(site.assistant.decide(row.id, Who(OWNER), "allow_run", shown=digest(row.arguments)))
    run.app.call(site.assistant.idle(run.id))
    run.reload().revert("letter")
    assert run.suggest() == {"subject": "Again"}
    assert run["letter"] == "Hello"


def test_a_suggestion_for_a_step_that_is_not_open_is_refused(playing: Any) -> None:
    run, model = playing(GOOD)
    answer = run.app.send("POST", f"/-/runs/{run.id}/steps/about/suggest", headers={"hx-request": "true"})
    assert answer.status < 500
    run.app.call(run.app.application.site.assistant.idle(run.id))
    assert model.asked == []
    assert "not open" in rows(run)[-1].data["error"]["words"]


async def not_plain(run: Run) -> str:
    await asyncio.sleep(0)
    return "x"


@pytest.mark.parametrize(
    ("function", "words"),
    [(no_run, "one parameter"), (too_many, "one parameter"), (not_plain, "a plain one"), (7, "func")],
)
def test_a_prompt_that_cannot_be_called_is_found(function: Any, words: str) -> None:
    app = letters()
    app.steps[1].suggest_with_model(function)
    (finding,) = app.prepare()
    assert finding.code == "W044"
    assert words in finding.message


def test_a_step_with_nothing_to_fill_in_is_found() -> None:
    app = Workflow("secret", title="Secret")

    @app.step("key")
    def key(password: SecretStr) -> str:
        return "x"

    key.suggest_with_model(str)
    (finding,) = app.prepare()
    assert finding.code == "W044"
    assert "nothing that a model could fill in" in finding.message
