"""What is around every page: bar, menus, panels, and the head that loads our own files only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipulate.storage.profiles import Profile
from pipulate.ui.html import (
    Html,
    a,
    body,
    button,
    details,
    dialog,
    div,
    footer,
    form,
    h2,
    h3,
    head,
    header,
    hr,
    html,
    input_,
    join,
    kbd,
    label,
    li,
    link,
    main,
    meta,
    nav,
    p,
    raw,
    script,
    small,
    span,
    summary,
    title,
    ul,
)
from pipulate.ui.lists import AppLink

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")
RECORD_MESSAGES = ("shown", "hidden")
PLACES = (
    ("All apps", "/"),
    ("Jobs", "/-/jobs"),
    ("History", "/-/history"),
    ("Plugins", "/-/plugins"),
    ("Bin", "/-/bin"),
)
"""Where the menu of apps leads besides."""

_HTMX = json.dumps(
    {
        "allowEval": False,
        "allowScriptTags": False,
        "attributesToSettle": ["class", "width", "height"],
        "historyCacheSize": 0,
        "includeIndicatorStyles": False,
        "refreshOnHistoryMiss": True,
        "selfRequestsOnly": True,
        "scrollIntoViewOnBoost": False,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": False, "error": True},
        ],
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame needs to know.

    Attributes:
        assets: File name -> address with its content's hash.
        nonce: Lets our own script run under the page's policy.
        apps: The apps, in the order of their files.
        profiles, profile: All profiles, and the id of the chosen one.
        theme, density: How it looks; one of `THEMES`, one of `DENSITIES`.
        show_assistant: Whether the panel is open.
        here: Address of the page, for marking it in menus.
        version: Version of the program.
        extras: Front-end files that this page needs besides.
        own: Addresses of scripts and style sheets of the app.
        jobs: How many jobs of the person are under way or wait for their turn.
        is_locked: Whether the chosen profile is shown alone.
        record_messages: Whether messages tell what the person does to records; one of `RECORD_MESSAGES`.
    """

    assets: Mapping[str, str]
    nonce: str
    apps: Sequence[AppLink] = ()
    profiles: Sequence[Profile] = ()
    profile: str = ""
    theme: str = "auto"
    density: str = "comfortable"
    show_assistant: bool = True
    here: str = "/"
    version: str = ""
    extras: Sequence[str] = ()
    own: Sequence[str] = ()
    jobs: int = 0
    is_locked: bool = False
    record_messages: str = "shown"


def page(frame: Frame, heading: str, content: Html, assistant: Html | None = None) -> Html:
    """Return a whole document.

    Args:
        frame: What the frame needs.
        heading: Title of the window.
        content: The work area.
        assistant: The panel beside it, or None.
    """
    return document(
        frame,
        heading,
        join(
            a("Skip to the work area", href="#main", class_="skip"),
            _bar(frame, has_assistant=assistant is not None),
            div(
                main(content, id="main", tabindex="-1"),
                assistant,
                class_="frame" if assistant else "frame alone",
            ),
            dialog(
                div(id="drawer", class_="drawer-slot"),
                id="drawer-dialog",
                class_="drawer",
                aria_labelledby="drawer-title",
            ),
            _search(),
            _help(frame),
            div(id="notices", class_="notices", role="status", aria_live="polite"),
            div(id="live", class_="visually-hidden", role="status", aria_live="polite"),
        ),
        data_assistant="shown" if frame.show_assistant and assistant else "hidden",
    )


def document(frame: Frame, heading: str, content: Html, **attributes: Any) -> Html:
    """Return a document with our head and the given body."""
    whole = html(
        head(
            meta(charset="utf-8"),
            meta(name="viewport", content="width=device-width, initial-scale=1"),
            meta(name="color-scheme", content="light dark"),
            meta(name="htmx-config", content=_HTMX),
            title(f"{heading} · Pipulate" if heading != "Pipulate" else heading),
            link(rel="icon", href=frame.assets.get("icon.svg"), type="image/svg+xml"),
            link(rel="stylesheet", href=frame.assets.get("app.css")),
            script(src=frame.assets.get("app.js"), defer=True, nonce=frame.nonce),
            [_extra(frame, frame.assets[name]) for name in frame.extras if name in frame.assets],
            [_extra(frame, address) for address in frame.own],
        ),
        body(content, **attributes),
        lang="en",
        data_theme=None if frame.theme == "auto" else frame.theme,
        data_density=frame.density,
    )
    return join(raw("<!doctype html>\n"), whole)


def _extra(frame: Frame, address: str) -> Html:
    if address.partition("?")[0].endswith(".css"):
        return link(rel="stylesheet", href=address)
    return script(src=address, defer=True, nonce=frame.nonce)


def _bar(frame: Frame, *, has_assistant: bool) -> Html:
    return header(
        a("Pipulate", href="/", class_="brand"),
        apps_menu(frame),
        profile_menu(frame),
        button(
            "Search ", kbd("Ctrl K"), type="button", class_="search-button", data_opens="search",
        ),
        nav(
            jobs_link(frame.jobs) if frame.apps or frame.profiles else None,
            button("Assistant", type="button", class_="quiet", data_toggles="assistant", title="Hide or show (Ctrl J)")
            if has_assistant
            else None,
            _look_menu(frame),
            button("Help", type="button", class_="quiet", data_opens="help"),
            aria_label="Tools",
            class_="tools",
        ),
        class_="bar-top",
    )  # fmt: skip


def jobs_link(active: int) -> Html:
    """Return the way to the jobs with how many there are; it is not shown while there are none."""
    return a(
        span("Jobs", class_="name"),
        span(f"{active:,}", class_="number"),
        span(" jobs that are not done", class_="visually-hidden"),
        href="/-/jobs",
        id="jobs-link",
        class_="button quiet",
        hidden=not active,
        data_jobs="/-/jobs/active",
    )


def apps_menu(frame: Frame) -> Html:
    """Return the menu of apps."""
    current = next((app.title for app in frame.apps if _is_at(app.address, frame.here)), "Apps")
    return details(
        summary(span(current, dir="auto"), class_="button quiet"),
        div(
            input_(type="search", placeholder="Type to filter", aria_label="Filter apps", data_filters="apps-list"),
            ul((_app_in_menu(app, frame.here) for app in frame.apps), id="apps-list"),
            ul(li(a(words, href=address)) for words, address in PLACES),
            class_="menu-body",
        ),
        class_="menu",
        data_menu=True,
    )


def _app_in_menu(app: AppLink, here: str) -> Html:
    named = join(span(app.icon, class_="icon", aria_hidden="true") if app.icon else None, app.title)
    link = li(a(named, href=app.address, aria_current="page" if _is_at(app.address, here) else None))
    return join(li(hr(), role="presentation"), link) if app.has_line_above else link


def profile_menu(frame: Frame) -> Html:
    """Return the menu of profiles; of a locked one, the way to unlock it."""
    current = next((each.name for each in frame.profiles if each.id == frame.profile), "Profile")
    if frame.is_locked:
        return details(
            summary(span(current, dir="auto"), small(" locked"), class_="button quiet"),
            div(
                p("Only what belongs to this profile is shown.", class_="help"),
                ul(li(_post("/-/profile/unlock", "Unlock profile"))),
                class_="menu-body",
            ),
            class_="menu",
            data_menu=True,
        )
    choose = (
        li(
            form(
                input_(type="hidden", name="profile", value=each.id),
                button(
                    each.name, class_="quiet", aria_current="true" if each.id == frame.profile else None, dir="auto"
                ),
                method="post",
                action="/-/profile",
            )
        )
        for each in frame.profiles
    )
    return details(
        summary(span(current, dir="auto"), class_="button quiet"),
        div(
            ul(choose),
            ul(
                li(_post("/-/profile/lock", "Lock profile", "Shows this profile alone, until you unlock it.")),
                li(a("Manage profiles", href="/profiles")),
            ),
            class_="menu-body",
        ),
        class_="menu",
        data_menu=True,
    )


def _post(address: str, words: str, meaning: str | None = None) -> Html:
    return form(button(words, class_="quiet", title=meaning), method="post", action=address)


def _look_menu(frame: Frame) -> Html:
    def choices(name: str, values: Sequence[str], current: str, words: Mapping[str, str]) -> Html:
        return ul(
            li(button(words[value], name=name, value=value, class_="quiet", aria_pressed=str(value == current).lower()))
            for value in values
        )

    return details(
        summary("Look", class_="button quiet"),
        form(
            p("Theme", class_="menu-title"),
            choices("theme", THEMES, frame.theme, {"auto": "As the system", "light": "Light", "dark": "Dark"}),
            p("Density", class_="menu-title"),
            choices("density", DENSITIES, frame.density, {"comfortable": "Comfortable", "compact": "Compact"}),
            p("Changes of records, in the messages", class_="menu-title"),
            choices(
                "record_messages", RECORD_MESSAGES, frame.record_messages, {"shown": "Shown", "hidden": "Not shown"}
            ),
            method="post",
            action="/-/look",
            class_="menu-body",
            data_look=True,
        ),
        class_="menu right",
        data_menu=True,
    )


def _search() -> Html:
    return dialog(
        form(
            label("Search apps, runs and commands", for_="search-words", class_="visually-hidden"),
            input_(
                type="search", id="search-words", name="find", placeholder="Apps, runs, commands", autocomplete="off",
                hx_get="/-/search", hx_trigger="input changed delay:100ms, opened", hx_target="#hits",
                hx_sync="this:replace", dir="auto",
            ),
            method="get",
            action="/-/search",
        ),
        div(id="hits"),
        id="search-dialog",
        class_="search",
        aria_label="Search",
    )  # fmt: skip


def _help(frame: Frame) -> Html:
    keys = (
        ("Ctrl K", "Search apps, runs, records and commands"),
        ("Ctrl J", "Hide or show the assistant"),
        ("Ctrl Enter", "Send the form you are in"),
        ("Esc", "Close what is open"),
    )
    in_tables = (
        ("Arrows", "Go from cell to cell"),
        ("Enter or F2", "Edit; Enter saves, Esc restores, Tab goes on to the next"),
        ("Space", "Tick"),
        ("Delete", "Put the record into the bin; Ctrl Z takes back what was done last"),
        ("Alt ↑ or ↓", "Move the record"),
        ("Ctrl Enter", "Go to the row for a new one"),
    )
    return dialog(
        header(
            h2("Help", id="help-title"),
            button("Close", type="button", class_="quiet", data_closes="help"),
            class_="panel-head",
        ),
        ul((li(kbd(key), " ", words) for key, words in keys), class_="keys"),
        h3("In tables of records"),
        ul((li(kbd(key), " ", words) for key, words in in_tables), class_="keys"),
        p(
            "Every answer is kept in the history of its run. Edit reopens a step; nothing that was given before is"
            " lost. A locked run cannot be changed by anybody until it is unlocked."
        ),
        footer(span(f"Pipulate {frame.version}", class_="help")),
        id="help-dialog",
        aria_labelledby="help-title",
    )


def _is_at(address: str, here: str) -> bool:
    return here == address or here.startswith(address + "/")
