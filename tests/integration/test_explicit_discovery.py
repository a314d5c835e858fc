"""Which class of a file is the app, how it is made and what its attributes do: section 1 of the contract."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from tests.support.explicit import explicit
from tests.support.plugins import cleaned
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio


def plugin(body: str, name: str = "Some") -> str:
    """Return a plugin with a landing page and what else its class has."""
    return (
        f"from fasthtml.common import Div\nclass {name}:\n    {body}\n"
        '    async def landing(self, request=None):\n        return Div("landing of " + type(self).__name__)\n'
    )


APPS = {
    "010_first": plugin('APP_NAME = "one"; display_name = "Shown Small"'),
    "020_second": plugin('NAME = "two"\n    ENDPOINT_MESSAGE = property(lambda self: "A property " + self.name)'),
    "separator": plugin('NAME = "sep"'),
    "030_third": plugin(
        'app_name = "three"\n    DISPLAY_NAME = ""\n    get_endpoint_message = lambda self: "By method"'
    )
    + '    ENDPOINT_MESSAGE = "not this"\n',
    "040_profiles": plugin('APP_NAME = "own_profiles"'),
    "045_roles": plugin('APP_NAME = "own_roles"\n    ROLES = ["Nobody"]'),
    "050_two_classes": plugin('APP_NAME = "b"', "Bee") + plugin('APP_NAME = "a"', "Ant"),
    "060_plain_landing": 'class P:\n    APP_NAME = "p"\n    def landing(self, request): return "<i>plain</i>"\n',
    "070_by_property": plugin("name = property(lambda self: self._n, lambda self, n: setattr(self, '_n', n))"),
    "zeta": plugin('APP_NAME = "zeta"; display_name = lambda self: "no text"'),
}
MODULE_ROLES = 'ROLES = ["Core"]\n'


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder: Path = tmp_path_factory.mktemp("discovery")
    with cleaned(folder):
        (folder / "plugins").mkdir()
        for name, source in APPS.items():
            (folder / "plugins" / f"{name}.py").write_text(MODULE_ROLES + source)
        for name in ("xx_draft", "XX_Draft", "a (Copy)", "__own"):
            (folder / "plugins" / f"{name}.py").write_text("raise SystemExit('never imported')")
        async with running(folder) as made:
            yield made


def app(application: Application, module: str) -> Any:
    """Return the app of a module."""
    found = application.site.plugins.table.by_module[module]
    assert found.app is not None, found.findings
    return found.app


@pytest.mark.parametrize(
    ("module", "stored", "shown", "says"),
    [
        ("first", "one", "Shown Small", ""),
        ("second", "two", "Second", "A property second"),
        ("third", "three", "Third", "By method"),
        ("two_classes", "a", "Two Classes", ""),
        ("by_property", "by_property", "By Property", ""),
        ("zeta", "zeta", "Zeta", ""),
    ],
)
async def test_names_come_from_the_class_else_from_the_file(
    application: Application, module: str, stored: str, shown: str, says: str
) -> None:
    found = app(application, module)
    assert (found.name, found.title, found.description) == (stored, shown, says)
    assert (found.instance.name, found.instance.DISPLAY_NAME) == (module, shown)
    assert f"<title>{shown}" in (await Browser(application).get(f"/{module}")).text


async def test_file_knows_its_whole_name(application: Application) -> None:
    import sys

    assert vars(sys.modules["plugins.010_first"])["_original_filename"] == "010_first"


async def test_landing_page_that_is_no_coroutine_is_shown(application: Application) -> None:
    assert "<i>plain</i>" in (await Browser(application).get("/plain_landing")).text


async def test_menu_has_the_order_of_the_files_a_line_and_no_helpers(application: Application) -> None:
    menu = (await Browser(application).get("/refresh-app-menu")).text
    listed = re.findall(r'<hr>|href="/(\w+)"', menu[menu.index('id="apps-list"') :])
    assert [each for each in listed if each in ("first", "second", "third", "two_classes", "zeta")] == [
        "first", "second", "third", "two_classes", "zeta"
    ]  # fmt: skip
    assert {"profiles", "roles", "separator"}.isdisjoint(listed)
    assert listed.index("") == listed.index("zeta") - 1, "the line stands where the file does"
    for page in ("/profiles", "/roles", "/separator"):
        assert (await Browser(application).get(page)).status == 200


# What is handed to the constructor

ASKS = """
class Asks:
    APP_NAME = "asks"

    def __init__(self, app, pipulate, pipulate_instance, pipeline, pipeline_table, db, db_dictlike,
                 db_key_value_store, config, app_name=APP_NAME, *args, **kwargs):
        self.same = pipulate is pipulate_instance, pipeline is pipeline_table, db is db_dictlike is db_key_value_store
        self.got = app_name, args, kwargs, config.APP_NAME, pipulate.table is pipeline, pipulate.db is db

    async def landing(self, request): ...
"""


async def test_constructor_gets_what_its_parameters_are_called(tmp_path: Path) -> None:
    async with explicit(tmp_path, asks=ASKS) as application:
        instance = app(application, "asks").instance
    assert instance.same == (True, True, True)
    assert instance.got == ("asks", (), {}, "Pipulate", True, True)


# What a model should know

TRAINED = plugin('APP_NAME = "trained"; TRAINING_PROMPT = "own.md"; ENDPOINT_MESSAGE = "Hello there."')
LOST = plugin('APP_NAME = "lost"; TRAINING_PROMPT = "../secret.md"')
TOLD = plugin('APP_NAME = "told"; TRAINING_PROMPT = "Words themselves."')


async def test_history_hears_of_each_app_a_person_goes_over_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "own.md").write_text("# Own text")
    (tmp_path / "secret.md").write_text("secret")
    monkeypatch.chdir(tmp_path)
    async with explicit(tmp_path, trained=TRAINED, lost=LOST, told=TOLD) as application:
        browser = Browser(application)
        for page in ("trained", "trained", "told", "lost", "trained"):
            assert (await browser.get(f"/{page}")).status == 200
        host = application.site.explicit.host()  # type: ignore[union-attr]
        heard = [each["content"] for each in host.pip._speaker.history]
    missing = "There is no file '../secret.md' in the folder 'training'."
    assert heard == ["Hello there.", "# Own text", "Words themselves.", missing, "Hello there.", "# Own text"]
