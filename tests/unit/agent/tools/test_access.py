"""`ToolAccess`: what a person may use in a channel, and how a step fails that uses something else."""

from collections.abc import Set as AbstractSet

import pytest

from agent.ids import ChannelId, ThreadId, ToolName, UserId
from agent.plan.outcomes import NOT_ALLOWED, Failed
from agent.tools.access import AccessRules, ToolAccess

ADA, GRACE = UserId("U0ADA"), UserId("U0GRACE")
OPS, PUBLIC = ThreadId("T1:C0OPS:1.0"), ThreadId("T1:C0ALL:1.0")
TOOLS = [ToolName(name) for name in ("read", "git_log", "git_commit", "scale")]


class Groups:
    """Ada is on call, Grace is in no group."""

    def __init__(self) -> None:
        self.asked: list[tuple[AbstractSet[str], bool]] = []

    async def __call__(self, user: UserId, among: AbstractSet[str], *, fresh: bool) -> AbstractSet[str]:
        self.asked.append((among, fresh))
        return among & {"S0ONCALL"} if user == ADA else frozenset()


def rules(**channels: list[str]) -> AccessRules:
    return AccessRules(
        channels={ChannelId(name): names for name, names in channels.items()},
        groups={"S0ONCALL": ["scale"], "S0OTHER": ["git_commit", "scale"]},
    )


@pytest.mark.parametrize(
    ("author", "thread", "usable"),
    [
        (ADA, PUBLIC, {"read", "git_log", "scale"}),
        (GRACE, PUBLIC, {"read", "git_log"}),
        (ADA, OPS, {"git_log", "scale"}),
        (GRACE, OPS, {"git_log"}),
    ],
)
async def test_a_person_uses_what_the_channel_has_and_their_groups_may(
    author: UserId, thread: ThreadId, usable: set[str]
) -> None:
    access = ToolAccess(rules(C0OPS=["git_*", "scale"]), Groups())
    assert await access.usable(thread, author, TOOLS) == usable


async def test_a_channel_with_an_empty_list_has_nothing_and_others_have_the_default() -> None:
    empty = AccessRules(channels={ChannelId("C0OPS"): []}, elsewhere=["read"])
    access = ToolAccess(empty, Groups())
    assert await access.usable(OPS, ADA, TOOLS) == set()
    assert await access.usable(PUBLIC, ADA, TOOLS) == {"read"}


async def test_without_lists_everything_may_be_used_and_nobody_is_looked_up() -> None:
    groups = Groups()
    access = ToolAccess(AccessRules(), groups)
    assert await access.usable(OPS, GRACE, TOOLS) == set(TOOLS)
    assert groups.asked == []


async def test_refusal_says_whether_the_channel_or_the_person_lacks_the_tool() -> None:
    groups = Groups()
    access = ToolAccess(rules(C0OPS=["git_*", "scale"]), groups)
    assert await access.refusal(OPS, ADA, [ToolName("scale")], fresh=True) is None
    assert groups.asked == [({"S0ONCALL", "S0OTHER"}, True)]
    there = await access.refusal(OPS, ADA, [ToolName("git_log"), ToolName("read")], fresh=True)
    assert there == Failed(error=NOT_ALLOWED, message="read may not be used in this channel")
    person = await access.refusal(OPS, GRACE, [ToolName("scale")], fresh=True)
    assert person == Failed(error=NOT_ALLOWED, message="only people of certain groups may use scale")
