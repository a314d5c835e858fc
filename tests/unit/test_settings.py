"""Settings: read once, all mistakes at once, no secret in a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipulate.errors import SettingsError
from pipulate.settings import Settings, read_settings


def findings(environ: dict[str, str], **given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, **given)
    return caught.value.findings


def test_settings_have_defaults_that_need_nothing() -> None:
    assert read_settings({}) == Settings()


def test_settings_are_read_from_the_environment() -> None:
    read = read_settings({"PIPULATE_PORT": "5002", "PIPULATE_DATA": "/x", "PIPULATE_RELOAD": "no", "PATH": "y"})
    assert (read.port, read.data, read.reload) == (5002, Path("/x"), False)


def test_given_settings_win_unless_they_are_none() -> None:
    assert read_settings({"PIPULATE_PORT": "5002"}, port=5003).port == 5003
    assert read_settings({"PIPULATE_PORT": "5002"}, port=None).port == 5002


def test_empty_variable_counts_as_unset() -> None:
    assert read_settings({"PIPULATE_PORT": "", "DATABASE_URL": ""}) == Settings()


@pytest.mark.parametrize("text", ["a:1,b:2", " a:1 , b:2 ", "a:1,,b:2,", ",a:1, ,b:2"])
def test_list_is_separated_by_commas_and_holds_nothing_empty(text: str) -> None:
    assert read_settings({"PIPULATE_ALLOWED_HOSTS": text}).allowed_hosts == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("PIPULATE_PROT", "PIPULATE_PORT"), ("PIPULATE_BIN_DAY", "PIPULATE_BIN_DAYS"),
     ("PIPULATE_LOGLEVEL", "PIPULATE_LOG_LEVEL"), ("PIPULATE_DATABASE_URL", "DATABASE_URL")],
)  # fmt: skip
def test_unknown_setting_is_refused_with_the_one_that_may_be_meant(name: str, meant: str) -> None:
    assert findings({name: "1"}) == (f"{name}: unknown setting; did you mean {meant}?",)


def test_unknown_setting_like_no_other_is_refused_without_a_guess() -> None:
    assert findings({"PIPULATE_XYZZY_QWFP": "1"}) == ("PIPULATE_XYZZY_QWFP: unknown setting",)


def test_unknown_setting_is_refused_even_where_it_is_empty() -> None:
    assert len(findings({"PIPULATE_PROT": ""})) == 1


def test_all_findings_come_at_once() -> None:
    found = findings(
        {
            "PIPULATE_PORT": "70000", "PIPULATE_BIN_DAYS": "0", "PIPULATE_LOG_LEVEL": "loud", "PIPULATE_PROT": "1",
            "DATABASE_URL": "mysql://user:hunter2@host/db",
        },
        import_limit_s=0,
    )  # fmt: skip
    assert sorted(each.split(":")[0] for each in found) == [
        "DATABASE_URL", "PIPULATE_BIN_DAYS", "PIPULATE_IMPORT_LIMIT_S", "PIPULATE_LOG_LEVEL", "PIPULATE_PORT",
        "PIPULATE_PROT",
    ]  # fmt: skip


def test_unknown_option_of_the_program_is_refused() -> None:
    assert findings({}, speed=1)[0].startswith("PIPULATE_SPEED: ")


@pytest.mark.parametrize("url", ["postgresql://user:hunter2@host/db", "postgres://user:hunter2@host/db"])
def test_database_url_chooses_postgresql(url: str) -> None:
    read = read_settings({"DATABASE_URL": url})
    assert read.is_postgres
    assert read.database_url is not None
    assert read.database_url.get_secret_value() == url
    assert not Settings().is_postgres


@pytest.mark.parametrize("url", ["mysql://user:hunter2@host/db", "postgresql:hunter2", "hunter2", "sqlite:///hunter2"])
def test_other_databases_are_refused(url: str) -> None:
    assert findings({"DATABASE_URL": url}) == ("DATABASE_URL: must start with postgresql://",)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host", "host:11434", "//host/v1", "http://", "http:///v1", "http://host:port", "http://host:99999",
        "http://[::1", "http://user:hunter2@host/v1", "https://hunter2@host", "http://host/v1?key=hunter2",
        "http://host/v1#hunter2", "http://ho st", "http://host/\x00", "javascript:hunter2", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_address_of_a_model_that_cannot_be_one_or_holds_a_secret_is_refused_without_showing_it(url: str) -> None:
    (found,) = findings({"PIPULATE_MODEL_URL": url})
    assert found.startswith("PIPULATE_MODEL_URL: ")
    assert "hunter2" not in found


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434", "https://api.example.com/v1", "http://[::1]:8080/v1"])
def test_address_of_a_model_is_taken_without_a_slash_at_its_end(url: str) -> None:
    for server in ("ollama", "openai"):
        assert read_settings({"PIPULATE_MODEL_URL": f"{url}/", "PIPULATE_MODEL_SERVER": server}).model_url == url


def test_server_of_models_that_is_not_ollama_needs_an_address() -> None:
    (found,) = findings({"PIPULATE_MODEL_SERVER": "openai"})
    assert found == "PIPULATE_MODEL_URL: has to be set where PIPULATE_MODEL_SERVER is openai"


def test_key_of_a_model_is_taken_without_what_copying_adds_and_never_shown() -> None:
    read = read_settings({"PIPULATE_MODEL_KEY": " hunter2\n"})
    assert read.model_key is not None
    assert read.model_key.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{read!r} {read} {read.model_dump()}"
    assert read_settings({"PIPULATE_MODEL_KEY": " \n"}).model_key is None


@pytest.mark.parametrize("key", ["hunter2\nx-other: y", "hünter2", "hunter2\x00"])
def test_key_of_a_model_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    assert findings({"PIPULATE_MODEL_KEY": key}) == ("PIPULATE_MODEL_KEY: must be letters, digits and signs of ASCII",)


def test_secret_is_never_shown() -> None:
    read = read_settings({"DATABASE_URL": "postgresql://user:hunter2@host/db"})
    assert "hunter2" not in f"{read!r} {read} {read.model_dump()}"
    assert "hunter2" not in str(findings({"DATABASE_URL": "mysql://hunter2", "PIPULATE_PORT": "hunter2"}))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_every_setting_says_what_it_is_for() -> None:
    assert all((field.description or "").endswith(".") for field in Settings.model_fields.values())
