"""Settings: read quickly, from the environment and from `.env`, whose values are literal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.config.environment import EnvFileUnusable, filled_environment

SLOW = ("langchain_openai", "langchain_core", "langgraph", "openai", "slack_bolt")


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file that is read; the variables it sets are removed afterwards."""
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED")
    for name in ("GL_ONE", "GL_TWO", "GL_THREE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("GL_ONE=plain", "plain"),
        ("export GL_ONE=exported", "exported"),
        ("GL_ONE = spaced ", "spaced"),
        ("GL_ONE=postgresql://u:p$ss${x}@h:5432/d?a=b", "postgresql://u:p$ss${x}@h:5432/d?a=b"),
        ("GL_ONE='single # quoted'", "single # quoted"),
        ('GL_ONE="double quoted"', "double quoted"),
        ("GL_ONE=value # a comment", "value"),
        ("GL_ONE=", ""),
        ("\ufeffGL_ONE=after a mark of Windows\r\n", "after a mark of Windows"),
    ],
)
def test_a_value_is_taken_as_it_is_written(env_file: Path, line: str, value: str) -> None:
    env_file.write_text(f"# first\n\n{line}\n" if not line.startswith("\ufeff") else line, encoding="utf-8")
    assert filled_environment(env_file)["GL_ONE"] == value


def test_environment_comes_before_the_file_even_when_its_value_is_empty(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GL_ONE", "mine")
    monkeypatch.setenv("GL_TWO", "")
    env_file.write_text("GL_ONE=its\nGL_TWO=its\nGL_THREE=its\n")
    filled = filled_environment(env_file)
    assert (filled["GL_ONE"], filled["GL_TWO"], filled["GL_THREE"]) == ("mine", "", "its")


def test_values_of_the_file_are_in_the_environment_of_libraries_too(env_file: Path) -> None:
    env_file.write_text("GL_ONE=seen\n")
    filled_environment(env_file)
    assert os.environ["GL_ONE"] == "seen"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("GL_ONE=1\nsk-s3cret\n", "line 2 is"),
        ("GL ONE=s3cret\n", "line 1 is"),
        ("GL-ONE=s3cret\n", "line 1 is"),
        ("=s3cret\n", "line 1 is"),
        ("GL_ONE='s3cret\n", "line 1 is"),
        ("GL_ONE=1\n\ns3cret\nGL_TWO='s3cret' x\n", "lines 3, 4 are"),
    ],
)
def test_line_without_assignment_is_named_by_its_number_alone(env_file: Path, text: str, where: str) -> None:
    env_file.write_text(text)
    with pytest.raises(EnvFileUnusable, match=where) as refused:
        filled_environment(env_file)
    assert "s3cret" not in str(refused.value)
    assert "GL_ONE" not in os.environ, "the whole file is ignored"


def test_a_file_that_is_no_text_is_refused(env_file: Path) -> None:
    env_file.write_bytes(b"GL_ONE=\xff\xfe\n")
    with pytest.raises(EnvFileUnusable, match="UTF-8"):
        filled_environment(env_file)


def test_no_file_and_a_folder_of_that_name_add_nothing(env_file: Path) -> None:
    before = dict(os.environ)
    assert dict(filled_environment(env_file)) == before
    env_file.mkdir()
    assert dict(filled_environment(env_file)) == before


def test_reading_the_settings_imports_no_model_client_and_no_graph() -> None:
    script = f"import sys, infra.config.environment; print([name for name in {SLOW} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
