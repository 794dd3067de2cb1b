"""The scripted model reads a prompt: its request, and its tools wherever they stand."""

from datetime import UTC, datetime

from agent.ids import UserId
from agent.llm.prompts import planner_message, system_message, tools_section
from agent.llm.tool_search import ShownTools
from agent.ports import Message
from agent.tool import Registry
from infra.dev.scripted_model.documents import situation
from infra.tools.catalogue import known_tools

NOW = datetime(2025, 11, 21, 9, 30, tzinfo=UTC)


async def test_of_many_tools_all_are_known_and_the_request_is_read_without_them() -> None:
    registry = await known_tools()
    first, second, *_ = registry
    shown = ShownTools(whole=(first,), briefly=(second,), named=())
    asked = planner_message(
        NOW, [Message(id=1, author=UserId("U1"), text="revert it", at=NOW)], [], tools=tools_section(shown)
    )
    read = situation(system_message(registry, "Python.").text, asked.text)
    assert read.request == "revert it"
    assert read.tools.keys() == {tool.name for tool in registry}
    assert read.tools[first.name] == first.description


async def test_of_few_tools_each_is_known_with_its_description() -> None:
    registry = Registry(list(await known_tools())[:5])
    asked = planner_message(NOW, [Message(id=1, author=UserId("U1"), text="revert it", at=NOW)], [])
    read = situation(system_message(registry, "Python.").text, asked.text)
    assert read.tools == {tool.name: tool.description for tool in registry}
