"""The folder that `greenlight tools new` writes."""

import tomllib
from pathlib import Path

import pytest

from infra.cli.tool_package import NotWritten, write_package
from infra.config.file import read_configuration


def test_the_folder_has_a_tool_its_test_settings_that_find_it_and_an_entry_point(tmp_path: Path) -> None:
    made = write_package(tmp_path, "open_hours")
    files = {"open_hours.py", "test_open_hours.py", "greenlight.toml", "pyproject.toml"}
    assert {file.name for file in made.iterdir()} == files
    project = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["entry-points"]) == (
        "open-hours",
        {"greenlight.tools": {"open_hours": "open_hours"}},
    )
    assert read_configuration(made / "greenlight.toml").tools.paths == (made / "open_hours.py",)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "open_hours").mkdir()
    with pytest.raises(NotWritten, match="is there already"):
        write_package(tmp_path, "open_hours")
    assert list((tmp_path / "open_hours").iterdir()) == []
