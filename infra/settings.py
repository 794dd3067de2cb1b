"""All settings, read in one place: the environment here, the file in `configuration.py`.

Nothing else in the project looks into the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.model_settings import ModelSettings
from bot.web_api import SLACK_API_URL
from infra.configuration import Configuration, ConfigurationError, read_configuration
from infra.embedded_postgres import default_data_folder

DEFAULT_MODEL = "gpt-5-mini"


@dataclass(frozen=True, kw_only=True)
class SlackSettings:
    """The app's credentials. `api_url` is another Web API base, such as the local workspace's."""

    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    signing_secret: str = field(default="", repr=False)
    api_url: str = SLACK_API_URL


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a process needs to know.

    `database_url` is None when the embedded database in `data` is to be used. `slack` and `model` are
    None when nothing of theirs is set; `required_slack` and `required_model` say so in words.
    """

    database_url: str | None = field(default=None, repr=False)
    data: Path
    slack: SlackSettings | None = None
    model: ModelSettings | None = None
    configuration: Configuration = field(default_factory=Configuration)

    def required_slack(self) -> SlackSettings:
        """Return the credentials.

        Raises:
            ConfigurationError: they are not set.
        """
        if self.slack is None:
            raise ConfigurationError("set SLACK_BOT_TOKEN (xoxb-...) and SLACK_APP_TOKEN (xapp-...)")
        return self.slack

    def required_model(self) -> ModelSettings:
        """Return where the model is.

        Raises:
            ConfigurationError: it is not set.
        """
        if self.model is None:
            raise ConfigurationError(
                "set OPENAI_API_KEY (any value, for a server that asks for none, with OPENAI_BASE_URL)"
            )
        return self.model


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings. An empty variable counts as not set.

    Raises:
        ConfigurationError: something is set wrongly; the text names the variable, never its value.
    """
    given = {name: value for name, value in environ.items() if value.strip()}
    configuration = read_configuration(Path(given["GREENLIGHT_CONFIG"]) if "GREENLIGHT_CONFIG" in given else None)
    return Settings(
        database_url=given.get("DATABASE_URL"),
        data=Path(given["GREENLIGHT_DATA"]) if "GREENLIGHT_DATA" in given else default_data_folder(),
        slack=_slack(given),
        model=model_settings(given, configuration),
        configuration=configuration,
    )


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
    """Return where the model is and how to wait for it; None without a key. `given` has no empty values."""
    key = given.get("OPENAI_API_KEY")
    if key is None:
        return None
    table = configuration.model
    return ModelSettings(
        model=given.get("GREENLIGHT_MODEL", DEFAULT_MODEL),
        api_key=key,
        base_url=given.get("OPENAI_BASE_URL"),
        by_role=table.by_role,
        silence_seconds=table.silence_seconds,
        total_seconds=table.total_seconds,
    )
