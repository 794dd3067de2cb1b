"""The tools a configuration file asks for, and those it switches off."""

import pytest

from agent.tool import Registry
from bot.tools.catalogue import SLACK_TOOLS
from infra.config.file import ConfigurationError, ToolsTable, parse_configuration
from infra.tools.catalogue import enabled, known_tools, open_tools


async def names(tools: dict[str, object]) -> set[str]:
    table = parse_configuration({"tools": tools}, "test").tools
    async with open_tools(table.config()) as built:
        return {str(tool.name) for tool in enabled(built, table.disabled)}


async def test_tool_exists_when_its_table_does() -> None:
    assert await names({}) == set()
    assert await names({"host_metrics": {}, "http_request": {}}) == {"host_metrics", "http_request"}


async def test_disabled_tool_is_switched_off() -> None:
    assert await names({"host_metrics": {}, "http_request": {}, "disabled": ["http_request"]}) == {"host_metrics"}


async def test_every_tool_there_is_can_be_disabled() -> None:
    everything: Registry = await known_tools()
    table = ToolsTable(disabled=frozenset(str(tool.name) for tool in everything))
    assert enabled(everything, table.disabled) == ()
    assert {str(tool.name) for tool in everything} >= SLACK_TOOLS


def test_misspelt_disabled_tool_is_an_error_and_not_a_tool_left_on() -> None:
    with pytest.raises(ConfigurationError, match="no such tool: http_requests"):
        parse_configuration({"tools": {"disabled": ["http_requests"]}}, "test")


def test_policy_of_a_misspelt_tool_is_an_error_and_not_the_default_for_the_tool() -> None:
    with pytest.raises(ConfigurationError, match="no such tool: slack_post_mesage"):
        parse_configuration({"approvals": {"slack_post_mesage": {"self_approval": False}}}, "test")
    empty: dict[str, object] = {}
    told = parse_configuration({"approvals": dict.fromkeys(["default", "package", "sql_query"], empty)}, "test")
    assert set(told.approvals) == {"default", "package", "sql_query"}


def test_credentials_want_an_origin_and_are_not_quoted() -> None:
    table = {"tools": {"http_request": {"headers": {"https://a.example/path": {"Authorization": "Bearer s3cret"}}}}}
    with pytest.raises(ConfigurationError, match="not an origin") as caught:
        parse_configuration(table, "test")
    assert "s3cret" not in str(caught.value)
