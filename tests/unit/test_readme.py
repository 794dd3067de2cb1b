"""The README says what is so: settings, tables, commands and examples are held against the code they speak of."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.store.postgres import PostgresStore

from agent.limits import ModelSettings, Role
from bot import wording
from infra.cli.main import COMMANDS
from infra.config.environment import DEFAULT_MODEL, read_settings
from infra.config.file import Configuration, parse_configuration
from infra.db.tables import Row
from tests.fakes.configuration_keys import keys

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
WORDS_FOR_NO_DEFAULT = {"*half of input*", "*required*", "*all*", "*anyone*", "*for ever*", "*no bound*", "*none*"}


def chapter(title: str) -> str:
    """Return what stands under a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each table row, heads left out."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and not set(line) <= set("|- "):
            yield cells


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def examples(language: str) -> list[str]:
    """Return the README's code blocks of that language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_readme_begins_with_what_it_is_and_the_command_to_try_it() -> None:
    first, _, rest = README.partition("\n## ")
    assert first.startswith("# Greenlight\n")
    assert len(first) < 1200
    assert rest.startswith("Try it\n\n    make demo\n")


def test_the_configuration_table_has_every_key_and_no_other() -> None:
    listed = [key for cells in rows(chapter("Configuration")) if len(cells) == 3 for key in code(cells[0])]
    assert sorted(listed) == sorted(key for key, _ in keys(Configuration))


def test_the_configuration_table_tells_the_defaults() -> None:
    defaults: dict[str, Any] = dict(keys(Configuration))
    told = [(key, cells[1]) for cells in rows(chapter("Configuration")) if len(cells) == 3 for key in code(cells[0])]
    for key, cell in told:
        if defaults[key] is None or defaults[key] is MISSING:
            assert cell in WORDS_FOR_NO_DEFAULT, key
        else:
            written = tomllib.loads(f"default = {code(cell)[0]}")["default"]
            assert json.dumps(written) == json.dumps(defaults[key], default=list), key


def test_the_environment_table_has_every_variable_and_no_other() -> None:
    named = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    listed = [name for cells in rows(chapter("Configuration")) if len(cells) == 2 for name in code(cells[0])]
    assert sorted(listed) == sorted(named)


def test_each_role_can_be_given_a_model_of_its_own_and_is_named() -> None:
    (cells,) = [cells for cells in rows(chapter("Configuration")) if code(cells[0]) == ["model.by_role"]]
    assert set(code(cells[2])) == set(Role)


@pytest.mark.parametrize(
    ("example", "base_url", "model"),
    [
        (0, None, DEFAULT_MODEL),
        (1, "http://127.0.0.1:8000/v1", "Qwen/Qwen3-32B"),
        (2, "http://127.0.0.1:11434/v1", "qwen3:32b"),
    ],
    ids=["OpenAI", "vLLM", "Ollama"],
)
def test_a_models_example_is_read_as_it_says(example: int, base_url: str | None, model: str) -> None:
    written = dotenv_values(stream=StringIO(examples("ini")[example]))
    read = read_settings({name: value for name, value in written.items() if value}).required_model()
    assert isinstance(read, ModelSettings)
    assert (read.base_url, read.model) == (base_url, model)
    assert read.api_key


def test_the_configuration_examples_are_valid() -> None:
    assert examples("toml")
    for text in examples("toml"):
        parse_configuration(tomllib.loads(text), "README.md")


def test_every_table_of_the_database_is_named_where_it_says_what_is_stored() -> None:
    listed = {name for cells in rows(chapter("What is stored where")) if len(cells) == 2 for name in code(cells[1])}
    steps = [*PostgresSaver.MIGRATIONS, *PostgresStore.MIGRATIONS]
    graph = {name for step in steps for name in re.findall(r"TABLE IF NOT EXISTS (\w+)", step)}
    assert listed - {"procrastinate_*"} == set(Row.metadata.tables) | graph | {"store_migrations"}


def test_every_command_named_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|    )make ([a-z]+)", README)) <= targets
    assert set(re.findall(r"`greenlight ([a-z]+)", README)) <= set(COMMANDS)


def test_the_sentences_that_are_looked_up_are_those_that_people_read() -> None:
    said = " ".join((ROOT / "bot" / "wording.py").read_text().replace('"\n    "', "").split()).lower()
    said += " ".join(wording.thread_closed("this channel").split()).lower()
    quoted = [
        words for cells in rows(chapter("When something is stuck")) for words in re.findall(r'"([^"]+)"', cells[0])
    ]
    assert len(quoted) >= 5
    assert [words for words in quoted if words.lower() not in said and words != "did not respond"] == []


def test_setting_up_names_what_the_doctor_and_the_manifest_want() -> None:
    steps = chapter("Real Slack in five minutes")
    assert {"SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "OPENAI_API_KEY", "connections:write"} <= set(code(steps))
    assert "(manifest.json)" in steps
    assert "`make doctor`" in steps
    doctor = (ROOT / "infra" / "doctor" / "slack.py").read_text()
    for page in ("Basic Information", "App-Level Tokens", "Bot User OAuth Token", "api.slack.com/apps"):
        assert page in steps
        assert page in " ".join(re.sub(r'"\s+"', "", doctor).split())
