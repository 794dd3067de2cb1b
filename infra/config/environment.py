"""Reads all settings: `.env` and the environment here, the configuration file in `file.py`.

No other code reads the environment, except a `Secret` that the file names.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import load_dotenv
from dotenv.parser import Binding, parse_stream
from sqlalchemy import URL

from agent.limits import ModelSettings
from agent.redaction import SECRETS
from agent.tool import ToolError
from bot.slack.client import SLACK_API_URL
from infra.config.file import Configuration, ConfigurationError, read_configuration
from infra.config.secrets import secrets_of
from infra.db.database import database_url
from infra.db.embedded_postgres import default_data_folder, hold_postgres
from infra.tools.mcp.settings import McpSettings, mcp_settings

DEFAULT_MODEL = "gpt-5-mini"
ENV_FILE = Path(".env")


@dataclass(frozen=True, kw_only=True)
class SlackSettings:
    """The app's credentials for Slack."""

    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    signing_secret: str = field(default="", repr=False)
    #: The base of the Web API, such as the local workspace's.
    api_url: str = SLACK_API_URL


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a process."""

    #: None: the embedded database in `data`.
    database_url: str | None = field(default=None, repr=False)
    #: The folder for the embedded database and for the demo.
    data: Path
    #: None: no token is set; `required_slack` raises then.
    slack: SlackSettings | None = None
    #: None: no key is set; `required_model` raises then.
    model: ModelSettings | None = None
    #: The private key that signs the audit; None: the one in `data`.
    audit_key: str | None = field(default=None, repr=False)
    #: The keys that encrypt people's tokens; None: the one in `data`.
    account_keys: str | None = field(default=None, repr=False)
    configuration: Configuration = field(default_factory=Configuration)
    mcp: McpSettings = field(default_factory=McpSettings)
    #: Where the configuration was read; None: nowhere.
    configuration_file: Path | None = None

    def required_slack(self) -> SlackSettings:
        """Return the credentials.

        Raises:
            ConfigurationError: they are not set.
        """
        if self.slack is None:
            raise ConfigurationError("set SLACK_BOT_TOKEN (xoxb-...) and SLACK_APP_TOKEN (xapp-...)")
        return self.slack

    def required_model(self) -> ModelSettings:
        """Return the model's settings.

        Raises:
            ConfigurationError: no key is set.
        """
        if self.model is None:
            raise ConfigurationError(
                "set OPENAI_API_KEY (any value, for a server that asks for none, with OPENAI_BASE_URL)"
            )
        return self.model


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings, and let their secrets be hidden from now on. An empty variable counts as not set.

    Raises:
        ConfigurationError: a setting is wrong; the text names the variable, never its value.
    """
    given = {name: value for name, value in environ.items() if value.strip()}
    file = Path(given["GREENLIGHT_CONFIG"]) if "GREENLIGHT_CONFIG" in given else None
    configuration = read_configuration(file)
    given = with_secrets(given, configuration)
    data = Path(given["GREENLIGHT_DATA"]) if "GREENLIGHT_DATA" in given else default_data_folder()
    mcp = mcp_settings(configuration.mcp, given, file, data)
    for name, value in secrets_of(given, configuration, mcp):
        SECRETS.learn(name, value)
    return Settings(
        database_url=given.get("DATABASE_URL"),
        data=data,
        slack=_slack(given),
        model=model_settings(given, configuration),
        audit_key=given.get("GREENLIGHT_AUDIT_KEY"),
        account_keys=given.get("GREENLIGHT_ACCOUNT_KEYS"),
        configuration=configuration,
        mcp=mcp,
        configuration_file=file,
    )


def with_secrets(given: Mapping[str, str], configuration: Configuration) -> Mapping[str, str]:
    """Return the variables and those of `[secrets]`; one that is set already stays.

    Raises:
        ConfigurationError: one cannot be read.
    """
    try:
        read = {name: secret.read_now() for name, secret in configuration.secrets.items() if name not in given}
    except ToolError as error:
        raise ConfigurationError(f"[secrets]: {error}") from None
    return {**given, **read}


def _slack(given: Mapping[str, str]) -> SlackSettings | None:
    bot, app = given.get("SLACK_BOT_TOKEN"), given.get("SLACK_APP_TOKEN")
    if bot is None and app is None:
        return None
    _require_prefix("SLACK_BOT_TOKEN", bot, "xoxb-")
    _require_prefix("SLACK_APP_TOKEN", app, "xapp-")
    return SlackSettings(
        bot_token=bot or "",
        app_token=app or "",
        signing_secret=given.get("SLACK_SIGNING_SECRET", ""),
        api_url=given.get("SLACK_API_URL", SLACK_API_URL),
    )


def _require_prefix(name: str, value: str | None, prefix: str) -> None:
    if value is None:
        raise ConfigurationError(f"{name} is not set")
    if not value.startswith(prefix):
        raise ConfigurationError(f"{name} must start with {prefix}")


def model_settings(given: Mapping[str, str], configuration: Configuration) -> ModelSettings | None:
    """Return the model's settings; None without a key. `given` has no empty values."""
    key = given.get("OPENAI_API_KEY")
    if key is None:
        return None
    return ModelSettings(
        model=given.get("GREENLIGHT_MODEL", DEFAULT_MODEL),
        api_key=key,
        base_url=given.get("OPENAI_BASE_URL"),
        **vars(configuration.model),
    )


@contextmanager
def held_database(settings: Settings) -> Generator[URL]:
    """Yield the address of the database, the operator's or the embedded one, which runs as long as the context.

    Raises:
        ConfigurationError: DATABASE_URL is no PostgreSQL address.
        PostgresUnusable: the embedded database cannot run here.
    """
    if settings.database_url is None:
        with hold_postgres(settings.data) as postgres:
            SECRETS.learn("the database's password", str(postgres.url().password or ""))
            yield postgres.url()
        return
    try:
        url = database_url(settings.database_url)
    except ValueError as error:
        raise ConfigurationError(f"DATABASE_URL: {error}") from None
    yield url


class EnvFileUnusable(Exception):
    """`.env` cannot be read, or a line of it is no assignment; the text names the line, never its content."""


def filled_environment(file: Path = ENV_FILE) -> Mapping[str, str]:
    """Add the variables of the file to the process's environment, and return that.

    A variable that is already set stays, even when it is empty. Values are literal: `$` has no meaning, and quotes
    around a value are removed. python-dotenv's PYTHON_DOTENV_DISABLED turns the file off.

    Raises:
        EnvFileUnusable: it cannot be read, or a line is no `NAME=value`; then the whole file is ignored.
    """
    if not file.exists() or file.is_dir():
        return os.environ
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileUnusable(f"cannot read {file}: it must be a UTF-8 text file that this user may read") from error
    if bad := [str(_line_number(line)) for line in parse_stream(StringIO(text)) if _is_bad(line)]:
        lines = f"line {bad[0]} is" if len(bad) == 1 else f"lines {', '.join(bad)} are"
        raise EnvFileUnusable(f"{file}: {lines} not NAME=value (quote a value that holds quotes or begins with one)")
    load_dotenv(stream=StringIO(text), interpolate=False)
    return os.environ


def _is_bad(line: Binding) -> bool:
    """Return whether a line is neither empty nor a comment nor an assignment."""
    return line.error or (line.key is not None and (line.value is None or not line.key.isidentifier()))


def _line_number(line: Binding) -> int:
    """Return the line's number in the file; the library counts empty lines before it as part of it."""
    text = line.original.string
    return line.original.line + text[: len(text) - len(text.lstrip())].count("\n")
