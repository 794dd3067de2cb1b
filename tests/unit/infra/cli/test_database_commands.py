"""A database that cannot be used is told in a line or two, with nothing of its address."""

from pathlib import Path

import pytest

from infra.cli.main import main

NOWHERE = "postgresql://greenlight:s3cret@127.0.0.1:1/d"
SLACK = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def told(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command says on stderr, once it has ended as one that is set up wrongly does."""
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLACK.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_database_that_does_not_answer_is_told_in_words(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    said = told(command, capsys)
    assert said.startswith("The database cannot be used: ")
    assert "Connection refused" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("command", ["migrate", "demo"])
def test_data_folder_that_cannot_be_made_is_told_in_words(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("GREENLIGHT_DATA", str(tmp_path / "file" / "data"))
    said = told(command, capsys)
    assert "GREENLIGHT_DATA" in said
    assert str(tmp_path / "file" / "data") in said


@pytest.mark.parametrize(
    "address", ["postgresql://u:p@h:s3cret/d", "postgresql://u:s3cret@[h/d", "postgresql://u:s3cret@h/d?nothing=1"]
)
def test_address_that_cannot_be_read_is_not_repeated(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    said = told("migrate", capsys)
    assert "DATABASE_URL: not a PostgreSQL address" in said
    assert "s3cret" not in said
