"""What can be set from outside, read once at start."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipulate.errors import SettingsError

PREFIX = "PIPULATE_"
FOR_TESTS = PREFIX + "TEST_"  # where tests find their services; whoever exports these can still start the program
SHARED = {"DATABASE_URL": "database_url"}  # names other tools set too, so they carry no prefix of ours


class Settings(BaseModel):
    """All settings. Each is an environment variable: the name in capitals after `PIPULATE_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on; only loopback addresses are accepted.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=5001, description="TCP port; 0 picks a free one.")
    data: Path = Field(default=Path("data"), description="Folder that holds everything that is stored.")
    plugins: Path = Field(default=Path("plugins"), description="Folder whose Python files are the apps.")
    database_url: SecretStr | None = Field(
        default=None,
        description="`postgresql://...` keeps the data in PostgreSQL; unset keeps it in the data folder. Read from"
        " `DATABASE_URL`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe event that is logged."
    )
    reload: bool = Field(default=True, description="Take up new, changed and removed plugin files without a restart.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="More `host:port` values, comma separated, that the server answers to, for a tunnel to this"
        " machine.",
    )
    max_body_bytes: Annotated[int, Field(ge=1_024)] = Field(
        default=8_000_000, description="Largest request body that is accepted."
    )
    upload_file_mb: Annotated[int, Field(ge=1)] = Field(
        default=500, description="Largest file that can be uploaded, in millions of bytes. A field may allow less."
    )
    upload_form_mb: Annotated[int, Field(ge=1)] = Field(
        default=1_000,
        description="Most that files for one step or record may have together, in millions of bytes.",
    )
    upload_run_mb: Annotated[int, Field(ge=1)] = Field(
        default=5_000, description="Most that the files of one run may have together, in millions of bytes."
    )
    upload_user_mb: Annotated[int, Field(ge=1)] = Field(
        default=20_000, description="Most that the files of one person may have together, in millions of bytes."
    )
    max_sockets: Annotated[int, Field(ge=1)] = Field(default=1_000, description="Open pages with a live connection.")
    bin_days: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Days a deleted run stays in the bin before it is erased."
    )
    jobs_days: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Days a job is kept, with its log, after it has ended."
    )
    import_limit_s: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="Seconds after which a plugin that is still importing is reported as hanging."
    )

    model_server: Literal["ollama", "openai", "off"] = Field(
        default="ollama",
        description="What serves the language model: `ollama`, `openai` for anything that speaks its protocol, `off`.",
    )
    model_url: str = Field(
        default="",
        validate_default=True,
        description="Address of that server; unset is `http://127.0.0.1:11434` for `ollama`, and has to be set for"
        " `openai`, with `/v1` at its end.",
    )
    model: str = Field(
        default="", description="Name of the model; unset takes the best one that is there, and people can choose."
    )
    model_key: SecretStr | None = Field(
        default=None,
        description="Key for that server. Unset looks into the keyring of this machine, service `pipulate`, user the"
        " host name of the address, where `keyring` is installed.",
    )
    model_context: Annotated[int, Field(ge=2_048, le=1_048_576)] = Field(
        default=16_384,
        description="Most tokens that a question and its answer have together; less where a model was made for less.",
    )
    model_answer: Annotated[int, Field(ge=128, le=65_536)] = Field(
        default=2_048, description="Most tokens of an answer."
    )
    model_remote: bool = Field(
        default=False,
        description="Let models be used that `ollama` has running elsewhere: what is said to them leaves this machine.",
    )
    model_wait_s: Annotated[float, Field(gt=0)] = Field(
        default=120.0, description="Seconds a model may take until its first word; then 60 from one word to the next."
    )

    state_tables: bool = Field(
        default=False,
        description="For development: log the state of a class-style run as a table after each of its requests.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_a_database_we_know(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise PydanticCustomError("database_url", "must start with postgresql://")
        return url

    @field_validator("model_url")
    @classmethod
    def _is_a_server_that_can_be_asked(cls, url: str, info: ValidationInfo) -> str:
        if not url and info.data.get("model_server") == "openai":
            raise PydanticCustomError("model_url", "has to be set where PIPULATE_MODEL_SERVER is openai")
        if url and (wrong := _wrong_with(url)):
            raise PydanticCustomError("model_url", wrong)
        return url.rstrip("/")

    @field_validator("model_key")
    @classmethod
    def _is_a_key_that_can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""
        if not (text.isascii() and text.isprintable()):
            raise PydanticCustomError("model_key", "must be letters, digits and signs of ASCII")
        return SecretStr(text) if text else None

    @property
    def is_postgres(self) -> bool:
        """Whether the data lives in PostgreSQL."""
        return self.database_url is not None


def read_settings(environ: Mapping[str, str], **given: Any) -> Settings:
    """Read the settings from the environment; what is `given` (command line options that are not None) wins.

    Raises:
        SettingsError: If any is unknown or has a value that cannot be used; names all of them.
    """
    values: dict[str, Any] = {}
    findings = []
    for name, text in environ.items():
        if name.startswith(FOR_TESTS):
            continue
        field = SHARED.get(name) or (name.removeprefix(PREFIX).lower() if name.startswith(PREFIX) else None)
        if field is None:
            continue
        if field not in Settings.model_fields or (name.startswith(PREFIX) and field in SHARED.values()):
            findings.append(_unknown(name))
        elif text:
            values[field] = _parts(text) if field == "allowed_hosts" else text
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        findings += [f"{_variable(str(each['loc'][0]))}: {each['msg']}" for each in error.errors(include_input=False)]
        raise SettingsError(findings) from None
    if findings:
        raise SettingsError(findings)
    return settings


def _wrong_with(url: str) -> str:
    """Return what keeps an address from being one of a server of language models, "" where nothing does."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # Raises where it is no number of a port.
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must start with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "must hold no user and no password; a key goes into PIPULATE_MODEL_KEY"
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        return "must have no space, ? or # in it"
    return ""


def _variable(field: str) -> str:
    return next((name for name, known in SHARED.items() if known == field), PREFIX + field.upper())


def _parts(text: str) -> tuple[str, ...]:
    """Return what stands between the commas; an empty host would be one that a request without a host matches."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), list(Settings.model_fields), 1)
    return f"{name}: unknown setting" + (f"; did you mean {_variable(close[0])}?" if close else "")
