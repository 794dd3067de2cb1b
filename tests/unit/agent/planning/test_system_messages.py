"""The system message of calls for people: it tells of the tools that all of them may use."""

from collections.abc import Set as AbstractSet

import pytest

from agent.ids import ChannelId, ThreadId, UserId
from agent.llm.prompts import system_message
from agent.llm.tool_search import ToolSearch
from agent.planning.system_messages import SystemMessages
from agent.tool import Registry
from agent.tools.access import AccessRules, ToolAccess
from tests.fakes.planning import registry

THREAD = ThreadId("T1:C1:1700000000.000100")
GROUPS = {"S1": ["post"], "S2": ["read_page"]}
MEMBERS = {"S1": {"U1", "U3"}, "S2": {"U2", "U3"}}


async def groups_of(user: UserId, among: AbstractSet[str], *, fresh: bool) -> AbstractSet[str]:
    return {group for group in among if user in MEMBERS[group]}


def messages(access: ToolAccess | None) -> SystemMessages:
    return SystemMessages(tools=ToolSearch(registry()), access=access, dialect="A dialect.")


@pytest.mark.parametrize(
    ("people", "tools"),
    [
        (["U1"], {"fetch", "post"}),
        (["U2"], {"fetch", "read_page"}),
        (["U3"], {"fetch", "post", "read_page"}),
        (["U1", "U3"], {"fetch", "post"}),
        (["U1", "U2"], {"fetch"}),
    ],
    ids=["one", "another", "of both groups", "two", "two with nothing in common"],
)
async def test_message_tells_of_the_tools_that_all_of_its_people_may_use(people: list[str], tools: set[str]) -> None:
    access = ToolAccess(AccessRules(channels={ChannelId("C2"): []}, groups=GROUPS), groups_of)
    written = await messages(access).of(THREAD, *map(UserId, people))
    some = Registry(tool for tool in registry() if tool.name in tools)
    assert written == system_message(some, "A dialect.")


async def test_message_is_written_once_for_the_same_tools() -> None:
    access = ToolAccess(AccessRules(groups=GROUPS), groups_of)
    systems = messages(access)
    assert await systems.of(THREAD, UserId("U1")) is await systems.of(THREAD, UserId("U1"))
    everything = messages(None)
    assert await everything.of(THREAD, UserId("U1"), UserId("U2")) is await everything.of(THREAD)
