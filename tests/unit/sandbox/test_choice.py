"""Which sandbox is taken, and that a named one is never replaced."""

import pytest

from sandbox.choice import choose_sandbox
from sandbox.script import Job, OutcomeKind, ToolCallRefused


async def no_tools(tool: str, args: object) -> None:
    raise ToolCallRefused(tool)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


@pytest.mark.usefixtures("no_engine")
async def test_monty_is_taken_where_no_engine_answers() -> None:
    choice = await choose_sandbox()
    assert choice.sandbox.name == "monty"
    assert "no container engine" in choice.reason
    await choice.sandbox.close()
    await choice.sandbox.close()


@pytest.mark.usefixtures("no_engine")
async def test_docker_asked_for_by_name_is_never_replaced() -> None:
    choice = await choose_sandbox("docker")
    assert choice.sandbox.name == "none"
    outcome = await choice.sandbox.run(Job(code="def main(inputs):\n    return 1"), no_tools)
    assert outcome.kind is OutcomeKind.INFRA
    assert outcome.error is not None
    assert "no container engine" in outcome.error.message


async def test_ssh_address_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://nobody@nowhere")
    choice = await choose_sandbox("docker")
    assert "forward the engine's socket" in choice.reason


async def test_switched_off_means_none() -> None:
    choice = await choose_sandbox("none")
    assert choice.sandbox.name == "none"
    assert "package" in choice.sandbox.dialect
