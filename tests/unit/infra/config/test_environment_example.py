"""The example files that people copy: they have every setting that the code reads, and no other."""

import re
import tomllib
from pathlib import Path

from infra.config.environment import DEFAULT_MODEL, read_settings
from infra.config.file import parse_configuration

ROOT = Path(__file__).resolve().parents[4]
CONFIGURATION = ROOT / "greenlight.example.toml"
ENVIRONMENT = (ROOT / ".env.example").read_text()
READ_ELSEWHERE = {"DOCKER_HOST"}
"""Read by Docker's own library."""


def test_example_configuration_is_valid() -> None:
    parse_configuration(tomllib.loads(CONFIGURATION.read_text()), CONFIGURATION.name)


def test_example_environment_names_every_variable_that_is_read() -> None:
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', (ROOT / "infra" / "config" / "environment.py").read_text()))
    named = set(re.findall(r"^([A-Z_]+)=", ENVIRONMENT, flags=re.MULTILINE))
    assert named - READ_ELSEWHERE == read
    assert DEFAULT_MODEL in ENVIRONMENT


def test_empty_values_of_the_example_environment_count_as_not_set() -> None:
    lines = re.findall(r"^([A-Z_]+)=(.*)$", ENVIRONMENT, flags=re.MULTILINE)
    settings = read_settings(dict(lines))
    assert settings.database_url is None
    assert settings.model is None
