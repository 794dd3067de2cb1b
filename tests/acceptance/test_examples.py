"""The gallery of examples: each thread runs in the demo as its file says, and the command lists and plays them."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import ValidationError

from infra.cli.demo import running_demo
from infra.config.environment import Settings
from infra.dev.demo import example
from infra.dev.demo.example import names, play, read_example
from infra.dev.demo.thread_observer import ExpectationTimeout
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.scripted_model.demo_scripts import demo_scripts
from infra.dev.scripted_model.script import Pace

GREENLIGHT = Path(sys.executable).with_name("greenlight")


@pytest.fixture(scope="module")
def data() -> Generator[Path]:
    """A data folder that the database's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="greenlight-examples-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def people(data: Path) -> AsyncGenerator[WorkspaceClient]:
    """The people of one demo whose model knows all examples."""
    scripts = [script for name in names() for script in read_example(name).scripts(Pace())]
    settings = Settings(database_url=None, data=data, model=None)
    async with (
        running_demo(settings, [*scripts, *demo_scripts(None)], port=0, snapshot=None) as workspace,
        WorkspaceClient(workspace.base_url) as client,
    ):
        yield client


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", names())
async def test_example_runs_in_the_demo_as_its_file_says(people: WorkspaceClient, name: str) -> None:
    told: list[str] = []
    await play(read_example(name), people, told.append)
    assert len(told) == len(read_example(name).steps)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_example_that_is_not_seen_as_its_file_says_fails(
    people: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "_PATIENCE_SECONDS", 1.0)
    said = {"by": "Ada", "says": "what can you do?"}
    for wrong in ({"sees": ["never said"]}, {"sees": ["never said"], "channel": "general"}):
        read = example.EXAMPLE.validate_python({"title": "t", "about": "a", "steps": [said, wrong]})
        with pytest.raises(ExpectationTimeout, match="never said"):
            await play(read, people, lambda _: None)


def test_the_gallery_has_twelve_examples_and_its_readme_names_each() -> None:
    assert len(names()) >= 12
    readme = (example.GALLERY / "README.md").read_text()
    assert [name for name in names() if f"`{name}`" not in readme or read_example(name).title not in readme] == []


def test_a_key_that_no_example_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="desides"):
        example.EXAMPLE.validate_python(
            {"title": "t", "about": "a", "steps": [{"by": "Ada", "says": "x"}, {"by": "Grace", "desides": "approved"}]}
        )


def test_the_command_lists_the_examples_and_refuses_an_unknown_one() -> None:
    listed = subprocess.run([GREENLIGHT, "demo", "--example", "list"], capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == [f"{name}: {read_example(name).title}" for name in names()]
    unknown = subprocess.run([GREENLIGHT, "demo", "--example", "nope"], capture_output=True, text=True, check=False)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "self-healing: " in unknown.stderr


@pytest.mark.parametrize(("name", "told"), [("calculate", "446.576"), ("ask-first", "Grace decides: approved")])
def test_the_command_plays_an_example_and_its_people_headless(name: str, told: str) -> None:
    played = subprocess.run(
        [GREENLIGHT, "demo", "--check", "--example", name], capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert told in played.stdout
