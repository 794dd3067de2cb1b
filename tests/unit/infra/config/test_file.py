"""The configuration file: its keys are the fields of the domain's classes, and an unknown or renamed one is named."""

import pytest
from pydantic import TypeAdapter

from agent.budget.usage import Prices
from agent.limits import MemoryLimits, ModelOptions, Role
from agent.tool import Registry
from bot.tools.catalogue import SLACK_TOOLS
from infra.config.file import Configuration, ConfigurationError, LimitsTable, parse_configuration
from infra.tools.catalogue import SETTLED, ToolsConfig, enabled, known_tools, open_tools
from infra.tools.http import HttpGetConfig
from infra.worker.worker import Timings


async def names(tools: dict[str, object]) -> set[str]:
    table = parse_configuration({"tools": tools}, "test").tools
    async with open_tools(table) as built:
        return {str(tool.name) for tool in enabled(built, table.disabled)}


async def test_tool_exists_when_its_table_does_or_when_it_needs_none() -> None:
    assert await names({}) == SETTLED
    assert await names({"host_metrics": {}, "http_request": {}}) == SETTLED | {"host_metrics", "http_request"}


async def test_disabled_tool_is_switched_off() -> None:
    table: dict[str, object] = {"host_metrics": {}, "http_request": {}, "disabled": ["http_request", "calculate"]}
    assert await names(table) == SETTLED - {"calculate"} | {"host_metrics"}


async def test_every_tool_there_is_can_be_disabled() -> None:
    everything: Registry = await known_tools()
    table = ToolsConfig(disabled=frozenset(str(tool.name) for tool in everything))
    assert enabled(everything, table.disabled) == ()
    assert {str(tool.name) for tool in everything} >= SLACK_TOOLS


def test_misspelt_disabled_tool_is_an_error_and_not_a_tool_left_on() -> None:
    with pytest.raises(ConfigurationError, match="no such tool: http_requests"):
        parse_configuration({"tools": {"disabled": ["http_requests"]}}, "test")


def test_policy_of_a_misspelt_tool_is_an_error_and_not_the_default_for_the_tool() -> None:
    with pytest.raises(ConfigurationError, match="no such tool: slack_post_mesage"):
        parse_configuration({"approvals": {"slack_post_mesage": {"self_approval": False}}}, "test")
    empty: dict[str, object] = {}
    read = parse_configuration({"approvals": dict.fromkeys(["default", "package", "sql_query"], empty)}, "test")
    assert set(read.approvals) == {"default", "package", "sql_query"}


def test_credentials_want_an_origin_and_are_not_quoted() -> None:
    table = {"tools": {"http_request": {"headers": {"https://a.example/path": {"Authorization": "Bearer s3cret"}}}}}
    with pytest.raises(ConfigurationError, match="not an origin") as caught:
        parse_configuration(table, "test")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"limit": {}}, "limit: Extra inputs are not permitted"),
        ({"memory": {"token": 1}}, "memory.token: Extra inputs are not permitted"),
        ({"limits": {"poll_seconds": 1}}, "limits.poll_seconds: Extra inputs are not permitted"),
        ({"worker": {"net": 1}}, "worker.net: Extra inputs are not permitted"),
        ({"budgets": {"run": {"steps": 1}}}, "budgets.run.steps: Extra inputs are not permitted"),
        ({"limits": {"nodes_at_once": 0}}, "limits.nodes_at_once: Input should be greater than or equal to 1"),
        ({"worker": {"stall": 3}}, "worker: Value error, stall must be at least three heartbeats"),
        ({"tools": {"sql_query": {}}}, "tools.sql_query.database_url: Field required"),
        ({"model": 3}, "model: Input should be a table"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_fault_names_the_key_and_the_rule(table: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(table, "greenlight.toml")
    assert str(caught.value).startswith(f"greenlight.toml: {fault}")


def test_bounds_of_the_domains_classes_take_their_own_defaults() -> None:
    for table in (LimitsTable(), Timings(), ModelOptions(), MemoryLimits(), Prices(), HttpGetConfig()):
        TypeAdapter(type(table)).validate_python(vars(table))


@pytest.mark.parametrize(("old", "new"), [("reflexion", Role.REPAIR), ("reflection", Role.REPLAN)])
def test_renamed_role_still_counts_and_is_warned_of(old: str, new: Role, caplog: pytest.LogCaptureFixture) -> None:
    read = parse_configuration({"model": {"by_role": {old: "large", "answer": "small"}}}, "greenlight.toml")
    assert read.model.by_role == {new: "large", Role.ANSWER: "small"}
    (line,) = caplog.messages
    assert line == f"greenlight.toml: model.by_role.{old} is now {new.value}; the old key still works"


def test_renamed_role_gives_way_to_its_new_name() -> None:
    read = parse_configuration({"model": {"by_role": {"reflexion": "old", "repair": "new"}}}, "greenlight.toml")
    assert read.model.by_role == {Role.REPAIR: "new"}


def test_secrets_are_not_shown_with_the_settings() -> None:
    tools: dict[str, object] = {
        "sql_query": {"database_url": "postgresql://reader:s3cret@h/d"},
        "http_request": {"headers": {"https://a.example": {"Authorization": "s3cret"}}},
    }
    assert "s3cret" not in repr(parse_configuration({"tools": tools}, "test"))


def test_a_run_is_bounded_by_default_and_0_is_no_bound() -> None:
    run = Configuration().bounds().run
    assert (run.model_calls, run.tokens, run.milliseconds) == (100, 1_000_000, 60 * 60_000)
    nothing = {"model_calls": 0, "tokens": 0, "cost": 0, "minutes": 0, "nodes": 0}
    budgets = parse_configuration({"budgets": {"run": nothing, "thread": nothing}}, "here").bounds()
    assert not budgets.bounds
