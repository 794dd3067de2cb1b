"""Secrets of the settings: read from where the file says, known to the redactor, and nothing else is."""

from pathlib import Path

import pytest

from agent.redaction import SECRETS
from infra.config.environment import read_settings
from infra.config.file import ConfigurationError

pytestmark = pytest.mark.usefixtures("_knowing_no_secret")

CONFIGURATION = """
[secrets]
OPENAI_API_KEY = {{ file = "{folder}/key" }}
FORGE_TOKEN = {{ command = ["echo", "forge-0123456789"] }}
[tools.http_request.headers]
"https://one.example" = {{ Authorization = "Bearer one-0123456789" }}
"https://two.example" = {{ Authorization = {{ env = "TWO" }} }}
[tools.sql_query]
database_url = "postgresql+psycopg://reader:reader-0123456789@db.example/payments"
[mcp.forge]
url = "https://forge.example/mcp"
headers_from = {{ X-Token = "FORGE_TOKEN" }}
[mcp.files]
command = "files"
env = {{ FOLDER = "/srv/projects/of-2026", MODE = "read-only-and-quiet", GITLAB_PAT = "pat-0123456789" }}
env_from = ["AWS_REGION", "AWS_KEY_ID"]
"""

GIVEN = {
    "SLACK_BOT_TOKEN": "xoxb-0123456789",
    "SLACK_APP_TOKEN": "xapp-0123456789",
    "SLACK_SIGNING_SECRET": "sign-0123456789",
    "DATABASE_URL": "postgresql://app:app-0123456789@db.example/app",
    "GREENLIGHT_AUDIT_KEY": "audit-0123456789",
    "AWS_REGION": "eu-central-1",
    "AWS_KEY_ID": "AKIA0123456789",
    "TWO": "two-0123456789",
}


def written(folder: Path, text: str = CONFIGURATION) -> dict[str, str]:
    (folder / "key").write_text("sk-key-0123456789\n")
    (folder / "greenlight.toml").write_text(text.format(folder=folder))
    return {**GIVEN, "GREENLIGHT_CONFIG": str(folder / "greenlight.toml"), "GREENLIGHT_DATA": str(folder)}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("sk-key-0123456789", "the file {folder}/key"),
        ("xoxb-0123456789", "SLACK_BOT_TOKEN"),
        ("xapp-0123456789", "SLACK_APP_TOKEN"),
        ("sign-0123456789", "SLACK_SIGNING_SECRET"),
        ("app-0123456789", "the password in DATABASE_URL"),
        ("audit-0123456789", "GREENLIGHT_AUDIT_KEY"),
        ("one-0123456789", "Authorization of https://one.example"),
        ("reader-0123456789", "the password in tools.sql_query.database_url"),
        ("forge-0123456789", "what echo prints"),
        ("pat-0123456789", "GITLAB_PAT of files"),
        ("AKIA0123456789", "AWS_KEY_ID of files"),
    ],
)
def test_secret_of_the_settings_is_hidden_under_its_name(value: str, name: str, tmp_path: Path) -> None:
    read_settings(written(tmp_path))
    assert SECRETS.hide(f"<{value}>") == f"<[secret {name.format(folder=tmp_path)}]>"


@pytest.mark.parametrize("value", ["eu-central-1", "/srv/projects/of-2026", "read-only-and-quiet", "db.example"])
def test_what_is_no_secret_stays_readable(value: str, tmp_path: Path) -> None:
    read_settings(written(tmp_path))
    assert SECRETS.hide(value) == value


def test_variable_of_the_environment_comes_before_that_of_the_file(tmp_path: Path) -> None:
    given = written(tmp_path)
    assert read_settings(given).required_model().api_key == "sk-key-0123456789"
    assert read_settings({**given, "OPENAI_API_KEY": "sk-other-0123456789"}).required_model().api_key == (
        "sk-other-0123456789"
    )


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ('{ file = "/nowhere/key" }', "the file /nowhere/key cannot be read"),
        ('{ env = "NOT_SET_ANYWHERE" }', "the variable NOT_SET_ANYWHERE is not set or empty"),
        ('{ command = ["false"] }', "what false prints is not set or empty"),
        ('{ env = "A", file = "b" }', "a secret is one of"),
        ('"sk-0123456789"', "secrets.OPENAI_API_KEY"),
    ],
)
def test_secret_that_cannot_be_read_is_named_and_never_shown(secret: str, words: str, tmp_path: Path) -> None:
    given = written(tmp_path, "[secrets]\nOPENAI_API_KEY = " + secret.replace("{", "{{").replace("}", "}}"))
    with pytest.raises(ConfigurationError) as refused:
        read_settings(given)
    assert words in str(refused.value)
    assert "sk-0123456789" not in str(refused.value)
