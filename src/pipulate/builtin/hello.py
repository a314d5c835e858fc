"""Two questions and a greeting: what an app looks like at its smallest."""

from typing import Literal

from pipulate import Run, Workflow

hello = Workflow("greeting", title="Hello", description="Two questions and a greeting, to see how it works.")

_GREETINGS = {
    "English": "Hello, {name}!",
    "Deutsch": "Hallo, {name}!",
    "Español": "¡Hola, {name}!",
    "Français": "Bonjour, {name} !",
}


@hello.step("name", title="Your name")
def name(name: str) -> str:
    """Who is to be greeted?

    Args:
        name: As you want to be called.
    """
    return name


@hello.step("language", title="Your language")
def language(language: Literal["English", "Deutsch", "Español", "Français"] = "English") -> str:
    """In which language?"""
    return language


@hello.step("greeting", title="Greeting")
def greeting(run: Run) -> str:
    """Put the two together."""
    return _GREETINGS[run[language]].format(name=run[name])
