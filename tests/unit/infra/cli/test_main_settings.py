"""Commands whose settings cannot work end with a line or two on stderr, which never contains the database's address."""

from pathlib import Path

import pytest

from infra.cli.main import main

NOWHERE = "postgresql://greenlight:s3cret@127.0.0.1:1/d"
SLACK = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def error_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the command's stderr, after it ended with the exit code for wrong settings."""
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def slack_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLACK.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_database_that_does_not_answer_is_reported_in_words(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    error = error_of(command, capsys)
    assert error.startswith("The database cannot be used: ")
    assert "Connection refused" in error
    assert "s3cret" not in error


@pytest.mark.parametrize("command", ["migrate", "demo --port 0"])
def test_data_folder_that_cannot_be_made_is_reported_in_words(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("GREENLIGHT_DATA", str(tmp_path / "file" / "data"))
    error = error_of(command, capsys)
    assert "GREENLIGHT_DATA" in error
    assert str(tmp_path / "file" / "data") in error


@pytest.mark.parametrize(
    "address", ["postgresql://u:p@h:s3cret/d", "postgresql://u:s3cret@[h/d", "postgresql://u:s3cret@h/d?nothing=1"]
)
def test_address_that_cannot_be_read_is_not_repeated(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    error = error_of("migrate", capsys)
    assert "DATABASE_URL: not a PostgreSQL address" in error
    assert "s3cret" not in error
