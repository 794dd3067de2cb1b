"""The cache of results: whose they are, how long they last, and what is never remembered."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from agent.ids import Digest, NodeId, ToolName, UserId
from agent.plan.outcomes import Failed, Succeeded
from agent.ports import ResultKey
from agent.tool import CallContext, Colour, Tool
from agent.tools.call import CACHED_BYTES, cached_call
from infra.db.database import Database
from infra.stores.stores import Stores
from sandbox.script import Json
from tests.fakes.rows import ADA, ELSEWHERE, GRACE, THREAD, tenant_of

KEY = ResultKey(tenant=tenant_of(THREAD), author=ADA, tool=ToolName("t"), version="1", arguments=Digest("d" * 64))


async def _never(_context: CallContext, _args: Mapping[str, Json]) -> Json:
    raise AssertionError


TOOL = Tool(name=ToolName("t"), description="t", arguments={}, colour=Colour.GREEN, call=_never, cache_seconds=60)


def _context(author: UserId = ADA, thread: Any = THREAD) -> CallContext:
    return CallContext(thread=thread, node=NodeId("n"), author=author, idempotency_key=Digest("k"))


class Calls:
    """A call that gives its number, and counts."""

    def __init__(self, outcome: Succeeded | Failed | None = None) -> None:
        self.count = 0
        self._outcome = outcome

    async def __call__(self) -> Succeeded | Failed:
        self.count += 1
        return self._outcome or Succeeded(value=self.count)


async def test_the_same_person_who_asks_the_same_gets_what_was_kept(stores: Stores) -> None:
    calls = Calls()
    first = await cached_call(TOOL, _context(), {"q": 1}, stores.results, calls)
    again = await cached_call(TOOL, _context(), {"q": 1}, stores.results, calls)
    assert first == Succeeded(value=1)
    assert isinstance(again, Succeeded)
    assert (again.value, calls.count) == (1, 1)
    assert again.age_seconds is not None


@pytest.mark.parametrize(
    ("tool", "context", "args"),
    [
        (TOOL, _context(author=GRACE), {"q": 1}),
        (TOOL, _context(thread=ELSEWHERE), {"q": 1}),
        (replace(TOOL, version="2"), _context(), {"q": 1}),
        (replace(TOOL, name=ToolName("other")), _context(), {"q": 1}),
        (TOOL, _context(), {"q": 2}),
    ],
    ids=["person", "tenant", "version", "tool", "arguments"],
)
async def test_nothing_is_given_to_another(
    stores: Stores, tool: Tool, context: CallContext, args: Mapping[str, Json]
) -> None:
    calls = Calls()
    await cached_call(TOOL, _context(), {"q": 1}, stores.results, calls)
    assert await cached_call(tool, context, args, stores.results, calls) == Succeeded(value=2)


@pytest.mark.parametrize(
    ("tool", "outcome"),
    [
        (TOOL, Failed(error="timeout")),
        (TOOL, Succeeded(value="x" * CACHED_BYTES)),
        (replace(TOOL, colour=Colour.RED), None),
        (replace(TOOL, cache_seconds=0.0), None),
    ],
    ids=["failure", "too big", "red", "not allowed"],
)
async def test_what_must_not_be_remembered_is_called_each_time(
    stores: Stores, tool: Tool, outcome: Succeeded | Failed | None
) -> None:
    calls = Calls(outcome)
    for _ in range(2):
        await cached_call(tool, _context(), {"q": 1}, stores.results, calls)
    assert calls.count == 2


async def test_what_has_expired_is_not_given_and_pruned(stores: Stores, database: Database) -> None:
    await stores.results.keep(KEY, "old", 0.01)
    await stores.results.keep(replace(KEY, version="2"), "new", 60)
    await asyncio.sleep(0.02)
    assert await stores.results.find(KEY) is None
    assert await stores.results.prune() == 1
    async with database.begin() as connection:
        assert (await connection.execute(text("SELECT value FROM results"))).scalars().all() == ["new"]


async def test_a_newer_result_takes_the_place_of_an_older_one(stores: Stores) -> None:
    await stores.results.keep(KEY, None, 60)
    found = await stores.results.find(KEY)
    assert found is not None
    assert found.value is None
    await stores.results.keep(KEY, {"a": [1]}, 60)
    found = await stores.results.find(KEY)
    assert found is not None
    assert found.value == {"a": [1]}
