"""What a request shows of 500 tools that somebody else wrote, and how long its prompt is beside one of 30 tools."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from statistics import mean

from agent.ids import ToolName, UserId
from agent.limits import PlanLanguage
from agent.llm.prompts import planner_message, system_message, tools_section
from agent.llm.tool_search import ALL_SHOWN, ShownTools, ToolSearch
from agent.planning.lookups import TOOL_REQUESTS
from agent.ports import Message
from agent.tool import Registry, Tool
from tests.bench.figure import Figure, figure
from tests.fakes.planning import DEFAULT_DIALECT
from tests.fakes.public_tools import SEED, PublicRequest, public_set
from tests.fakes.tokens import count_tokens

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SAMPLES = 20


async def figures() -> AsyncIterator[Figure]:
    """Measure over all requests of the set."""
    public = public_set()
    search = ToolSearch(Registry(public.tools))
    began = time.process_time()
    await search.likely("")
    yield figure("tool_search", "index of 500 tools, processor time", time.process_time() - began, "s")
    whole, briefly, asked, few, many = 0, 0, 0, list[float](), list[float]()
    rng = random.Random(SEED)  # noqa: S311 -- reproducible, not secret
    began = time.process_time()
    for request in public.requests:
        shown = await search.likely(request.text)
        many.append(count_tokens(await prompt(request, public.tools, search)))
        whole += request.right <= _names(shown.whole)
        briefly += request.right <= _names(shown.whole, shown.briefly)
        asked += request.right <= await _asked_for(request, shown, search)
    yield figure("tool_search", "a request, processor time", (time.process_time() - began) / len(many), "s")
    for number in range(_SAMPLES):
        tools = rng.sample(public.tools, ALL_SHOWN)
        few.append(count_tokens(await prompt(public.requests[number], tools, ToolSearch(Registry(tools)))))
    count = len(public.requests)
    yield figure("tool_search", "right tools shown whole", 100 * whole / count, "%")
    yield figure("tool_search", "right tools shown with their arguments", 100 * briefly / count, "%")
    yield figure("tool_search", "the same after two requests in the same words", 100 * asked / count, "%", at_least=98)
    yield figure("tool_search", "prompt of 30 tools", mean(few), "tokens")
    yield figure("tool_search", "prompt of 500 tools", mean(many), "tokens", at_most=1.3 * mean(few))
    yield figure("tool_search", "longest prompt of 500 tools", max(many), "tokens")


async def prompt(request: PublicRequest, tools: Sequence[Tool], search: ToolSearch) -> str:
    """Return what the planner is first shown of a request."""
    message = Message(id=1, author=UserId("U1"), text=request.text, at=_NOW)
    section = "" if search.shows_all else tools_section(await search.likely(request.text))
    system = system_message(Registry(tools), DEFAULT_DIALECT, PlanLanguage.PYTHON).text
    return system + planner_message(_NOW, [message], [], tools=section).text


def _names(*shown: Sequence[Tool]) -> set[ToolName]:
    return {tool.name for tools in shown for tool in tools}


async def _asked_for(request: PublicRequest, first: ShownTools, search: ToolSearch) -> set[ToolName]:
    """Return the tools shown with their arguments to a model that asks for more, in the words of the request."""
    whole, briefly = _names(first.whole), _names(first.briefly)
    for _ in range(TOOL_REQUESTS):
        more = await search.more(request.text, whole, briefly)
        whole |= _names(more.whole)
        briefly |= _names(more.briefly)
    return whole | briefly
